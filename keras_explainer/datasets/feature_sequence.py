"""Batches of cached features, as a Keras dataset."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_explainer.datasets.feature_cache import FeatureCache


class FeatureSequence(keras.utils.PyDataset):
    """Batches `(x, y)` of a `FeatureCache` for `fit` and `evaluate` of an explainer.

    `x` is `{"features": (B, V, H, W, C), "boxes": (B, V, 5)}`, `y` is
    `{target: (B, V, ...)}`, all float32. The order of images and the choice of views
    depend on the seed and `epoch` alone, so that resumed learning sees the batches that
    it would have seen.

    Args:
        cache: the features.
        batch_size: images in a batch.
        views: views of an image in a batch; None gives all. Fewer are drawn at random.
        shuffle: whether images are shuffled, anew for each epoch. A last incomplete
            batch is then left out (the filter loss is no mean over batches), unless it
            is the only one.
        seed: of shuffling and drawing.
        batches: that a shuffled epoch shall have: fewer images are gone through again,
            in another order, for as many whole passes as come nearest to it.
    """

    def __init__(
        self,
        cache: FeatureCache,
        batch_size: int = 32,
        views: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        batches: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cache = cache
        self.batch_size = batch_size
        self.views = min(views or cache.views, cache.views)
        self.shuffle = shuffle
        self.seed = seed
        # Of one pass over the images.
        self._batches = (
            max(1, len(cache) // batch_size)
            if shuffle
            else -(-len(cache) // batch_size)
        )
        self._passes = max(1, round(batches / self._batches)) if shuffle else 1
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Sets order and views to those of `epoch`."""
        count = len(self.cache)
        random = np.random.default_rng([self.seed, epoch])
        self._rows, self._views = [], []
        for _ in range(self._passes):
            self._rows.append(
                random.permutation(count) if self.shuffle else np.arange(count)
            )
            if self.views < self.cache.views:
                drawn = random.random((count, self.cache.views)).argsort(1)
                self._views.append(np.sort(drawn[:, : self.views], axis=1))
            else:
                self._views.append(np.tile(np.arange(self.views), (count, 1)))

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return self._batches * self._passes

    def __len__(self) -> int:
        return self.num_batches

    def __getitem__(self, index: int) -> tuple[dict[str, Any], dict[str, Any]]:
        number, index = divmod(index, self._batches)
        start = index * self.batch_size
        rows = self._rows[number][start : start + self.batch_size]
        at = (rows[:, None], self._views[number][rows])
        x = {"features": self._read(self.cache.tap, at), "boxes": self.cache.boxes[at]}
        return x, {
            name: self._read(array, at) for name, array in self.cache.targets.items()
        }

    @staticmethod
    def _read(array: np.ndarray, at: Any) -> np.ndarray:
        return np.asarray(array[at], "float32")


class WholeImages(FeatureSequence):
    """The tap's features of the whole images alone, `((B, H, W, C),)`, in order."""

    def __getitem__(self, index: int) -> Any:
        start = index * self.batch_size
        rows = slice(start, start + self.batch_size)
        return (np.asarray(self.cache.tap[rows, 0], "float32"),)


class EpochOrder(keras.callbacks.Callback):
    """Tells a `FeatureSequence` which epoch begins, also after a resumed start."""

    def __init__(self, sequence: FeatureSequence) -> None:
        super().__init__()
        self.sequence = sequence

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.sequence.set_epoch(epoch)
