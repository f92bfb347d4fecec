"""Batches of a `FeatureStream`, as a Keras dataset that can be looked at again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras

from keras_explainer import global_batch
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.feature_sequence import FeatureSequence, WholeImages
from keras_explainer.errors import DataError
from keras_explainer.explainer.data_input import (
    FeatureStream,
    image_batches,
    streamed_features,
)

if TYPE_CHECKING:
    from keras_explainer.explainer.explainer import Explainer


def one_pass(
    explainer: Explainer, data: Any, batch_size: int, taps_only: bool = False
) -> FeatureSequence | StreamSequence:
    """One pass over images or their features, for `evaluate` and `predict`.

    Features that are not cached are computed a batch at a time and not kept.

    Args:
        explainer: whose features; a `FeatureCache` needs no teacher.
        data: all that `Explainer.fit` takes.
        batch_size: images in a batch.
        taps_only: see `StreamSequence`.
    """
    if isinstance(data, FeatureCache):
        explainer.check_features(data)
        global_batch.check_pass(explainer, len(data), batch_size)
        kind = WholeImages if taps_only else FeatureSequence
        return kind(data, batch_size)
    stream = streamed_features(data, explainer.teacher, batch_size)
    if stream.images is not None:
        global_batch.check_pass(explainer, stream.images, batch_size)
    return StreamSequence(stream, taps_only)


class StreamSequence(keras.utils.PyDataset):
    """One pass over a stream, in order, without keeping features.

    Keras reads a dataset's first batches to learn their shapes and then begins again:
    of a plain generator these would be lost.

    Args:
        stream: the features.
        taps_only: give the tap's features of whole images alone, `((n, H, W, C),)`,
            for `predict`; else `(x, y)` as `FeatureSequence` does.
    """

    def __init__(self, stream: FeatureStream, taps_only: bool = False) -> None:
        super().__init__()
        self.stream = stream
        self.taps_only = taps_only
        self.views = stream.views.count
        steps = stream.steps
        if steps is None:
            steps = sum(1 for _ in image_batches(stream.data))
        if not steps:
            raise DataError("The dataset gives no images.")
        self._steps = steps
        self._pass: Iterator[Any] = iter(())
        self._next = -1

    @property
    def num_batches(self) -> int:
        """Batches in the pass."""
        return self._steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Any:
        if index < self._next or self._next < 0:
            self._pass, self._next = self.stream.once(), 0
        for batch in self._pass:
            self._next += 1
            if self._next > index:
                return (batch[0]["features"][:, 0],) if self.taps_only else batch
        raise DataError(
            f"The dataset gave {self._next} batches; it has said {self._steps}."
        )
