"""How an explainer learns: start, schedule, divergence, and measures at the end."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from keras_explainer import global_batch
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.feature_dataset import feature_dataset
from keras_explainer.datasets.feature_sequence import EpochOrder, FeatureSequence
from keras_explainer.errors import ConfigError, DataError, DivergenceError
from keras_explainer.explainer import warm_start
from keras_explainer.explainer.data_input import CacheOptions, FeatureStream
from keras_explainer.explainer.decoders import FCDecoder, TeacherCopyDecoder
from keras_explainer.explainer.dense_start import start_dense
from keras_explainer.explainer.keep_last_good import KeepLastGood
from keras_explainer.explainer.optimizer_choice import schedule_rate, whiten
from keras_explainer.explainer.place_start import start_groups
from keras_explainer.explainer.presence import presence_levels
from keras_explainer.explainer.relevance import relevance
from keras_explainer.explainer.residual_start import start_residual
from keras_explainer.explainer.start_sample import (
    START_IMAGES,
    in_memory,
    start_rows,
    start_sample,
    start_tap,
)
from keras_explainer.explainer.track_statistics import RunningMoments

if TYPE_CHECKING:
    from keras_explainer.explainer.explainer import Explainer

logger = logging.getLogger(__name__)


def fit(
    explainer: Explainer,
    x: Any,
    *,
    batch_size: int,
    epochs: int,
    verbose: Any,
    callbacks: Sequence[Any] | None,
    validation_split: float,
    validation_data: Any,
    options: CacheOptions,
    keras_fit: Callable[..., Any],
    **kwargs: Any,
) -> Any:
    """`Explainer.fit`: features, start, Keras' own loop, measures."""
    if getattr(explainer, "optimizer", None) is None:
        raise ConfigError(
            "Call explainer.compile() before fit: compile(optimizer='adam') takes the "
            "recipe's learning rate."
        )
    if not 0 <= validation_split < 1:
        raise ConfigError(f"validation_split is in [0, 1), got {validation_split}.")
    for name in ("class_weight", "sample_weight"):
        if kwargs.pop(name, None) is not None:
            raise ConfigError(f"fit takes no {name}: there are no labels to weigh.")
    shuffle = kwargs.pop("shuffle", True)
    features = explainer.features(
        x,
        views=explainer.views,
        options=options,
        verbose=verbose,
        batch_size=batch_size,
    )
    if isinstance(features, FeatureStream):
        # Uncached views cost a pass of the teacher each: no more than a step uses.
        recipe = explainer.recipe
        needed = max(recipe.views_per_step, 2 if recipe.places else 1)
        views = replace(features.views, count=needed)
        features = FeatureStream(features.data, explainer.teacher, views)
    if validation_split and validation_data is None:
        features, validation_data = _split(features, validation_split)
    if isinstance(features, FeatureCache) and len(features) < 2:
        raise DataError(
            "An explainer cannot be learned from one image: the filter loss compares "
            "images. Give at least two, better a hundred."
        )
    if isinstance(features, FeatureCache):
        global_batch.check_batch(explainer, min(batch_size, len(features)))
    sample = in_memory(features)
    start(explainer, sample)
    whiten(explainer, sample)
    global_batch.from_first_worker(explainer)
    guard = KeepLastGood()
    ours: list[keras.callbacks.Callback] = [guard]
    data: Any
    if isinstance(features, FeatureCache):
        sequence = FeatureSequence(
            features,
            batch_size,
            explainer.recipe.views_per_step,
            shuffle=shuffle,
            seed=explainer.seed,
            batches=explainer.recipe.steps_per_epoch,
        )
        steps = int(kwargs.get("steps_per_epoch") or sequence.num_batches)
        ours.append(EpochOrder(sequence))
        data = feature_dataset(sequence)
    else:
        data = features.forever()
        steps = _stream_steps(features, kwargs)
        kwargs["steps_per_epoch"] = steps
    held_out = None
    if validation_data is not None:
        held_out = _validation(explainer, validation_data, options, verbose, batch_size)
    with global_batch.strategy_scope(explainer):
        schedule_rate(explainer, steps * epochs)
    history = keras_fit(
        data,
        epochs=epochs,
        verbose=verbose,
        callbacks=[*ours, *(callbacks or [])],
        validation_data=held_out,
        # The data shuffles itself; Keras would shuffle by a global random state, so
        # that resumed learning would see the batches in another order.
        shuffle=False,
        **kwargs,
    )
    measure_tracks(explainer, sample)
    calibrate_presence(explainer, sample)
    if guard.diverged is not None:
        raise DivergenceError(
            f"The loss became {guard.diverged} in epoch {guard.epoch + 1}; the weights "
            "of the last good epoch were kept. A smaller learning rate or a larger "
            "batch helps."
        )
    return history


def _split(
    features: FeatureCache | FeatureStream, share: float
) -> tuple[FeatureCache, FeatureCache]:
    """The first images to learn from, and the last `share` of them to validate on."""
    if not isinstance(features, FeatureCache):
        raise ConfigError("validation_split needs images that can be cached.")
    held = max(1, round(share * len(features)))
    if held >= len(features):
        raise DataError(
            f"{len(features)} images cannot be split: none would be left to learn."
        )
    learned = len(features) - held
    return features.rows(0, learned), features.rows(learned, len(features))


def _validation(
    explainer: Explainer, data: Any, options: CacheOptions, verbose: Any, batch: int
) -> Any:
    """Validation images in all views; of a stream, the first ones are kept."""
    seen = explainer.features(
        data,
        views=explainer.views,
        # The key names the train images.
        options=replace(options, key=None),
        verbose=verbose,
        batch_size=batch,
    )
    if isinstance(seen, FeatureStream):
        seen = seen.sample(START_IMAGES * 4)
    global_batch.check_pass(explainer, len(seen), batch)
    return feature_dataset(FeatureSequence(seen, batch))


def _stream_steps(features: FeatureStream, kwargs: dict[str, Any]) -> int:
    given = kwargs.get("steps_per_epoch")
    if given:
        return int(given)
    if features.steps is None:
        raise ConfigError(
            "The dataset does not know its length: give steps_per_epoch or cache_key."
        )
    return features.steps


def start(explainer: Explainer, sample: FeatureCache) -> None:
    """Before the first step: variances of the targets, and the warm start."""
    if float(ops.convert_to_numpy(explainer.statistics.started)) > 0:
        return
    _measure_targets(explainer, sample)
    views, boxes = start_sample(sample)
    encoder, decoder = explainer.encoder, explainer.decoder
    tap = start_tap(sample)
    copied = isinstance(decoder, TeacherCopyDecoder)
    if explainer.recipe.warm_start:
        random = np.random.default_rng(explainer.seed)
        if explainer.recipe.places:
            start_groups(explainer, views, boxes, random)
        else:
            flat = views.reshape(-1, *views.shape[2:])
            weights = relevance(explainer.teacher, flat).reshape(views.shape[:-1])
            warm_start.start_detectors(
                encoder.conv_1, encoder.conv_2, views, boxes, random, weights
            )
        if not (explainer.recipe.places and copied):  # else `start_residual` does
            warm_start.start_ordinary(encoder.ordinary_conv, views, random)
    warm_start.start_norms(encoder, tap)
    if explainer.recipe.warm_start and copied:
        if explainer.recipe.places:
            start_residual(encoder, decoder, tap)
        else:
            warm_start.start_adapter(encoder, decoder, tap)
    elif explainer.recipe.warm_start and isinstance(decoder, FCDecoder):
        rows = start_rows(sample)
        targets = {name: sample.targets[name][rows] for name in explainer.target_shapes}
        start_dense(encoder, decoder, views, targets)
    if explainer.recipe.parts_weight:
        measure_tracks(explainer, sample)
    explainer.statistics.started.assign(1.0)


def _measure_targets(explainer: Explainer, features: FeatureCache) -> None:
    moments = [RunningMoments() for _ in explainer.target_shapes]
    logits = RunningMoments()
    for begin in range(0, len(features), 32):
        for index, name in enumerate(explainer.target_shapes):
            values = np.asarray(
                features.targets[name][begin : begin + 32, 0], "float32"
            )
            moments[index].update(values)
        if explainer.teacher.has_head:
            answer = explainer.teacher.head(ops.convert_to_tensor(values))["logits"]
            if answer is not None:
                logits.update(ops.convert_to_numpy(answer))
    statistics = explainer.statistics
    variances = [moment.total_variance for moment in moments]
    if not all(math.isfinite(v) for v in variances):
        raise DataError(
            "The teacher gives NaN or infinity at "
            f"{', '.join(explainer.target_shapes)}; its weights or these images are "
            "at fault."
        )
    if not all(v > 0 for v in variances):
        flat = [
            name
            for name, v in zip(explainer.target_shapes, variances, strict=True)
            if not v > 0
        ]
        raise DataError(
            f"The teacher's features at {', '.join(flat)} are the same for all images: "
            "there is nothing to learn. Are the images all alike?"
        )
    statistics.target_variance.assign(np.asarray(variances, "float32"))
    if logits.count and logits.total_variance > 0:
        statistics.logits_variance.assign(logits.total_variance)


def measure_tracks(explainer: Explainer, features: FeatureCache) -> None:
    """Means and variances of both normalised tracks over the train images."""
    moments = {"interpretable": RunningMoments(), "ordinary": RunningMoments()}
    # No more at a time, as in `batched`.
    for begin in range(0, len(features), 16):
        tap = np.asarray(features.tap[begin : begin + 16, 0], "float32")
        outputs = explainer.encoder(ops.convert_to_tensor(tap), training=False)
        for name, moment in moments.items():
            moment.update(ops.convert_to_numpy(ops.cast(outputs[name], "float32")))
    statistics = explainer.statistics
    for name, moment in moments.items():
        getattr(statistics, f"{name}_mean").assign(np.asarray(moment.mean, "float32"))
        getattr(statistics, f"{name}_variance").assign(moment.mean_variance)
    statistics.measured.assign(1.0)


def calibrate_presence(explainer: Explainer, features: FeatureCache) -> None:
    """The level of each part above which its part is there, from views."""
    if features.views < 2:
        return  # the paper's recipe learns from the images alone
    views, boxes = start_sample(features)
    maps = np.empty((*views.shape[:4], explainer.part_count), "float32")
    for begin in range(0, len(views), 16):
        tap = views[begin : begin + 16].reshape(-1, *views.shape[2:])
        encoder = explainer.encoder
        found = encoder.maps(ops.convert_to_tensor(tap))
        found = ops.cast(encoder.maps_by_part(found), "float32")
        found = ops.convert_to_numpy(found)
        maps[begin : begin + 16] = found.reshape(-1, *maps.shape[1:])
    explainer.presence.set_levels(presence_levels(maps, boxes))


@contextmanager
def progress_bar(
    title: str, verbose: Any
) -> Iterator[Callable[[int, int], None] | None]:
    """A Keras progress bar on a terminal; nothing elsewhere or with `verbose=0`."""
    if not verbose or (verbose == "auto" and not sys.stderr.isatty()):
        yield None
        return
    bar: list[Any] = []

    def show(done: int, total: int) -> None:
        if not bar:
            logger.info("%s", title)
            bar.append(keras.utils.Progbar(total, unit_name="image"))
        bar[0].update(done)

    yield show
