"""`PlaceLearner`: finds places that follow the image, before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from keras_explainer import global_batch
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.feature_sequence import EpochOrder, FeatureSequence
from keras_explainer.explainer.global_batch_steps import GlobalBatchSteps
from keras_explainer.explainer.objective import Objective
from keras_explainer.explainer.rate_schedule import rate_schedule
from keras_explainer.explainer.recipe import Recipe
from keras_explainer.layers import InterpretableConv2D

PLACE_RATE = 1e-3
"""Highest rate of Adam; layers of maps take larger steps than a copied decoder."""


class PlaceLearner(GlobalBatchSteps, keras.Model):
    """Two interpretable conv-layers, learned by the losses of maps alone.

    The filters of layer 2 collect votes of the masked filters of layer 1: many
    detectors that each see a little of a part agree on its place. Filter loss,
    equivariance and separation make the places steady, compact and several. Nothing is
    reconstructed, so the teacher is not needed and a step is cheap.

    Args:
        recipe: of the explainer.
        tap_shape: `(H, W, C)` of the tap's features.
        seed: of the order of the images.
    """

    def __init__(
        self, recipe: Recipe, tap_shape: tuple[int, ...], seed: int = 0
    ) -> None:
        super().__init__(name="place_learner")
        # The losses of maps, and none that need a decoder.
        self.recipe = replace(
            recipe,
            places=0,
            parts_weight=0.0,
            reconstruction_weight=0.0,
            logits_weight=0.0,
            eta=0.0,
        )
        self.seed = seed
        self.objective = Objective(self.recipe)
        self.conv_1, self.conv_2 = (
            InterpretableConv2D(
                recipe.detectors, recipe.kernel_size, recipe.beta, name=f"places_{n}"
            )
            for n in (1, 2)
        )
        self.conv_1.build((None, *tap_shape))
        self.conv_2.build((None, *tap_shape[:2], recipe.detectors))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """`maps_1` and `maps` `(N · V, H, W, D)` of features in views."""
        features = ops.convert_to_tensor(inputs["features"])
        features = ops.reshape(features, (-1, *features.shape[2:]))
        maps_1 = self.conv_1.activation(features)
        maps = self.conv_2.activation(self.conv_1.part_mask(maps_1))
        return {"maps_1": maps_1, "maps": maps}

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        losses = self.objective({"outputs": y_pred, "boxes": x["boxes"]})
        return global_batch.replica_share(self.objective.total(losses))

    def learn(
        self,
        features: FeatureCache,
        progress: Callable[[int, int], None] | None = None,
        jit_compile: Any = "auto",
    ) -> None:
        """Passes over the cached views for `recipe.place_epochs` epochs.

        Args:
            features: with at least two views of each image.
            progress: called with images seen and to be seen.
            jit_compile: as for `keras.Model.compile`.
        """
        recipe = self.recipe
        epochs = recipe.place_epochs
        if not epochs:
            return
        batch = min(recipe.batch_size, len(features))
        data = FeatureSequence(
            features,
            batch,
            recipe.place_views,
            shuffle=True,
            seed=self.seed,
            batches=recipe.steps_per_epoch,
        )
        rate = rate_schedule(PLACE_RATE, epochs * data.num_batches)
        with global_batch.strategy_scope(self):
            optimizer = keras.optimizers.Adam(rate)
        self.compile(optimizer, jit_compile=jit_compile)
        callbacks: list[keras.callbacks.Callback] = [EpochOrder(data)]
        if progress is not None:
            total = epochs * len(features)
            callbacks.append(
                keras.callbacks.LambdaCallback(
                    on_epoch_end=lambda epoch, logs: progress(
                        (epoch + 1) * len(features), total
                    )
                )
            )
        self.fit(data, epochs=epochs, verbose=0, callbacks=callbacks, shuffle=False)
