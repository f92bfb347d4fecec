"""`Explainer`: the network that explains a teacher, learned by plain `fit`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_explainer import global_batch
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.feature_dataset import feature_dataset, feature_views
from keras_explainer.datasets.views import ViewSpec
from keras_explainer.errors import ConfigError, DataError, did_you_mean, whole_number
from keras_explainer.explainer import learning
from keras_explainer.explainer.data_input import (
    CacheOptions,
    FeatureStream,
    cached_features,
)
from keras_explainer.explainer.decoders import build_decoder, check_decoder
from keras_explainer.explainer.encoder import Encoder
from keras_explainer.explainer.explaining import Explaining
from keras_explainer.explainer.global_batch_steps import GlobalBatchSteps
from keras_explainer.explainer.learning_batch import learning_batch
from keras_explainer.explainer.objective import Objective
from keras_explainer.explainer.optimizer_choice import choose_optimizer, default_jit
from keras_explainer.explainer.parts_encoding import decoded_twice
from keras_explainer.explainer.presence_levels import PresenceLevels
from keras_explainer.explainer.recipe import DEFAULT, Recipe
from keras_explainer.explainer.stream_sequence import one_pass
from keras_explainer.explainer.teacher_bound import TeacherBound
from keras_explainer.explainer.track_statistics import TrackStatistics
from keras_explainer.explainer.training_log import TrainingLog
from keras_explainer.registration import registered
from keras_explainer.teachers import Teacher

PREDICTED = ("part_maps", "encoding", "reconstructions")
OUTPUTS = (*PREDICTED, "maps_1", "maps", "interpretable", "ordinary")


@registered
class Explainer(TeacherBound, Explaining, GlobalBatchSteps, keras.Model):
    """Explains a frozen teacher by filters that each follow an object part.

    Two tracks encode the tap's features, a gate mixes them, a decoder inverts the
    mixture to the teacher's higher features (arXiv 1805.07468). Learned without any
    label: `fit` takes images only.

    ```python
    explainer = Explainer(teacher)
    explainer.compile(optimizer="adam")
    explainer.fit(images)
    maps = explainer.predict(images)["part_maps"]
    ```

    Args:
        teacher: the frozen CNN.
        filters: interpretable filters `F`; None is the recipe's number. With places
            (768 filters) the filters of a place are one part candidate and `F` is a
            multiple of the number of places; else (128) each filter is one.
        recipe: "places", "quick", "single", "paper", a `Recipe`, or a dict of its
            settings.
        decoder: "fc", "conv", "teacher_copy" or None for what fits the teacher; or a
            layer from `x_enc` to `{target: features}` of your own.
        seed: of start weights, shuffling, views and drop.
        teacher_card: `teacher.card()`; stands in for the teacher in a loaded file.
        **settings: a layer's `name` and `dtype`, or settings of the recipe to change.

    Raises:
        ConfigError: settings that are not accepted.
        TeacherError: a method that needs the teacher on an explainer loaded without it.
    """

    def __init__(
        self,
        teacher: Teacher | None = None,
        filters: int | None = None,
        *,
        recipe: str | Recipe | dict[str, Any] = DEFAULT,
        decoder: str | keras.layers.Layer | None = None,
        seed: int = 0,
        teacher_card: dict[str, Any] | None = None,
        name: str = "explainer",
        dtype: Any = None,
        **settings: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if filters is not None:
            settings["filters"] = whole_number("filters", filters)
        self.recipe = Recipe.resolve(recipe, **settings)
        self.filters = self.recipe.filters
        self.seed = int(seed)
        self._bind(teacher, teacher_card)
        self._selected: tuple[str, ...] | None = None
        self._predicted: tuple[str, ...] | None = None
        self._evaluated_views = 0
        policy = self.dtype_policy
        self.decoder: keras.layers.Layer = (
            decoder
            if isinstance(decoder, keras.layers.Layer)
            else build_decoder(self.teacher, decoder, self.recipe, self.seed, policy)
        )
        self.encoder = Encoder.from_recipe(self.recipe, self.filters, self.seed, policy)
        self.objective = Objective(self.recipe)
        self._build_network()

    def _build_network(self) -> None:
        height, width, channels = self.tap_shape
        if self.recipe.pool_size > min(height, width):
            raise ConfigError(
                f"pool_size {self.recipe.pool_size} is more than the tap's map of "
                f"{height} x {width} has."
            )
        self.encoder.build((None, height, width, channels))
        pool = self.recipe.pool_size
        track = (height // pool, width // pool, self.filters)
        if not self.decoder.built:
            self.decoder.build((None, *track))
        check_decoder(self.decoder, track, self.target_shapes)
        self.statistics = TrackStatistics(
            track, len(self.target_shapes), name="statistics"
        )
        self.presence = PresenceLevels(self.part_count, name="presence")
        card = self.teacher_card
        self._log = TrainingLog(
            [
                name
                for name in self.objective.losses
                if name != "logits_loss" or card["has_head"]
            ],
            self.target_shapes,
            card["num_outputs"] if card["has_head"] else None,
            self.filters,
            card["logits_activation"],
        )
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """The network is built with the explainer: the teacher gives all shapes."""

    @property
    def part_count(self) -> int:
        """Parts `P`: groups of filters with places, else the filters themselves."""
        return int(self.encoder.part_count)

    @property
    def views(self) -> ViewSpec:
        """Which views of an image are learned from."""
        return ViewSpec(count=self.recipe.views, seed=self.seed)

    # The network

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """Features of the tap to everything that the explainer knows of them.

        Args:
            inputs: the tap's features `(N, H, W, C)`, or `{"features": (N, V, H, W, C),
                "boxes": …}` as `FeatureSequence` gives them; views are then further
                rows of the batch.
            training: as for any Keras layer.

        Returns:
            The encoder's outputs (see `Encoder`), and `reconstructions`
            `{target: features}`.
        """
        features = inputs["features"] if isinstance(inputs, dict) else inputs
        features = ops.reshape(features, (-1, *self.tap_shape))
        if training:
            return self._outputs(features, training=True)
        outputs = global_batch.also_of_no_row(self._outputs, features)
        if self._selected is not None:
            return {name: outputs[name] for name in self._selected}
        return outputs

    def _outputs(self, features: Any, training: bool = False) -> dict[str, Any]:
        outputs = dict(self.encoder(features, training=training))
        if training and self.recipe.parts_weight:
            return outputs | decoded_twice(self, outputs)
        decoded = self.decoder(outputs["encoding"], training=training)
        return outputs | {"reconstructions": decoded}

    def decode(self, encoding: Any) -> dict[str, Any]:
        """`{target: reconstruction}` of an encoding `(N, H, W, F)`."""
        return self.decoder(encoding, training=False)

    # Learning

    def compile(
        self, optimizer: Any = "adam", learning_rate: Any = None, **kwargs: Any
    ) -> None:
        """As `keras.Model.compile`; the losses are the explainer's own.

        Args:
            optimizer: a Keras optimiser; or the name of one, which then gets the
                recipe's learning rate, with warm-up and decay over the steps of `fit`.
                "adam" is `WhitenedAdam` where the recipe is `whitened`.
            learning_rate: instead of the recipe's, where `optimizer` is a name.
            **kwargs: `jit_compile`, `steps_per_execution`, … of Keras. `jit_compile`
                is off by default for TensorFlow on CPU, where XLA is slower here.

        Raises:
            ConfigError: a `loss` is given; an optimiser of another strategy.
        """
        if kwargs.get("loss") is not None:
            raise ConfigError(
                "An explainer brings its own losses; the recipe has their weights."
            )
        with global_batch.strategy_scope(self):
            optimizer, self._scheduled = choose_optimizer(
                optimizer, learning_rate, self.recipe
            )
        global_batch.check_optimizer(self, optimizer)
        kwargs.setdefault("jit_compile", default_jit())
        super().compile(optimizer=optimizer, **kwargs)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The weighted sum of the objective's losses; logs them and the fidelity."""
        batch = learning_batch(self, x, y, y_pred)
        losses = self.objective(batch)
        self._log.update(batch, losses, self.encoder.gate.share)
        return global_batch.replica_share(self.objective.total(losses))

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        return self.get_metrics_result()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The loss and all metrics of `TrainingLog`."""
        tracker = getattr(self, "_loss_tracker", None)
        own = self._log.metrics if hasattr(self, "_log") else []
        return ([tracker] if tracker is not None else []) + own

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        verbose: Any = "auto",
        callbacks: Sequence[Any] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_dtype: str = "float32",
        cache_key: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Learns from images, without labels.

        The teacher runs once per image and view; its features are kept in memory, or in
        memory-mapped files under `cache_dir`.

        Args:
            x: images `(n, H, W, C)`, RGB 0..255; an image folder's subset; a
                `FeatureCache`; or a `tf.data` dataset, `PyDataset` or iterable of
                batches of images.
            y: must be None.
            batch_size: images in a step; the recipe's by default.
            epochs: the recipe's by default.
            verbose, callbacks: as for any Keras model.
            validation_split: share of the images, the last ones, to validate on.
            validation_data: further images, in any form that `x` may have.
            cache_dir: folder for the cache; None keeps features in memory.
            cache_dtype: "float32" or "float16".
            cache_key: names the content of a dataset that cannot be hashed, so that it
                can be cached; without it the teacher runs again in each epoch.
            **kwargs: as for `keras.Model.fit`.

        Returns:
            The `History`.

        Raises:
            DataError: labels, or data that are no images for this teacher.
            DivergenceError: the loss became NaN or infinite; the weights of the last
                good epoch are kept.
        """
        if y is not None:
            raise DataError("fit learns from images alone: leave y out.")
        options = CacheOptions(cache_dir, cache_dtype, cache_key)
        return learning.fit(
            self,
            x,
            batch_size=self._batch_size(batch_size),
            epochs=self.recipe.epochs if epochs is None else epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            options=options,
            keras_fit=super().fit,
            **kwargs,
        )

    def features(
        self,
        x: Any,
        *,
        views: ViewSpec | None = None,
        options: CacheOptions | None = None,
        verbose: Any = 0,
        batch_size: int = 32,
    ) -> FeatureCache | FeatureStream:
        """The features that images have for this explainer, see `fit`."""
        if isinstance(x, FeatureCache):
            self.check_features(x)
        if isinstance(x, FeatureCache | FeatureStream):
            return x
        with learning.progress_bar("Teacher's features", verbose) as progress:
            return cached_features(
                x,
                self.teacher,
                views or ViewSpec(count=1),
                options or CacheOptions(),
                progress,
                batch_size,
            )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        **kwargs: Any,
    ) -> Any:
        """Losses, `p` and fidelity on images; as `keras.Model.evaluate`.

        `x` may be all that `fit` takes. For figures of parts against annotations, see
        `keras_explainer.runs.evaluate`.
        """
        if y is not None:
            raise DataError("evaluate takes images alone: leave y out.")
        if not self.compiled:
            raise ConfigError("Call explainer.compile() before evaluate.")
        views = feature_views(x)
        if views is None:
            x = one_pass(self, x, self._batch_size(batch_size))
            views = x.views
        if views != self._evaluated_views:
            # TensorFlow would relax the number of views to an unknown one.
            self._evaluated_views = views
            self.test_function = None
        return super().evaluate(feature_dataset(x), verbose=verbose, **kwargs)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        *,
        outputs: Sequence[str] = PREDICTED,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """What the explainer makes of images, as NumPy arrays.

        Args:
            x: images, in any form that `fit` takes.
            batch_size: images per step.
            verbose, **kwargs: as for `keras.Model.predict`.
            outputs: which of the outputs of `call` are returned.

        Returns:
            `part_maps` `(N, H, W, F)` masked maps, `encoding` `(N, H, W, F)` `x_enc`,
            `reconstructions` `{target: features}`; or what `outputs` names.
        """
        batch_size = self._batch_size(batch_size)
        for name in outputs:
            if name not in OUTPUTS:
                raise ConfigError(
                    f"There is no output {name!r}. {did_you_mean(name, OUTPUTS)}"
                )
        if tuple(outputs) != self._predicted:
            self._predicted = tuple(outputs)
            self.predict_function = None
        self._selected = self._predicted
        try:
            rows = feature_dataset(one_pass(self, x, batch_size, taps_only=True))
            found = super().predict(rows, verbose=verbose, **kwargs)
            # JAX sorts the keys of a dict.
            return {name: found[name] for name in outputs}
        finally:
            self._selected = None

    def _batch_size(self, given: int | None) -> int:
        if given is None:
            return self.recipe.batch_size
        return whole_number("batch_size", given)

    # Saving

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "filters": self.filters,
            "recipe": self.recipe.to_dict(),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "seed": self.seed,
            "teacher_card": self.teacher_card,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], **_: Any) -> Explainer:
        config = dict(config)
        for name in ("decoder", "dtype"):
            if isinstance(config.get(name), dict):
                config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)
