"""`FilterGallery`: galleries of filters and `p` in TensorBoard, while learning."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from PIL import Image

from keras_explainer.errors import ConfigError, DataError, whole_number
from keras_explainer.explanation import drawing, summarize
from keras_explainer.explanation.outlines import outlined

_GAP = 4


class FilterGallery(keras.callbacks.Callback):
    """Logs, for TensorBoard, each filter's strongest images with the part outlined.

    ```python
    gallery = kx.callbacks.FilterGallery("logs", images[:64])
    explainer.fit(images, epochs=20, callbacks=[gallery])
    ```
    then `tensorboard --logdir logs`. Beside the pictures it logs `p`, the share of
    filters that are dead on these images, and the number of groups that lie together.

    Args:
        log_dir: Where TensorBoard looks.
        images: `(n, H, W, C)`, RGB 0..255, of the teacher's size; or an image set.
            Some dozens are enough.
        every: Epochs from one gallery to the next; the last epoch has one, too.
        filters: Indices of filters; None: the first 16.
        columns: Images of each filter.
        side: Pixels of an image's longer side.

    Raises:
        ConfigError: TensorFlow, which writes the log, or TensorBoard is not installed;
            numbers that are not accepted.
        DataError: No images; at the start of `fit`, images that do not fit the teacher
            and filters that there are not.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        images: Any,
        *,
        every: int = 5,
        filters: Sequence[int] | None = None,
        columns: int = 6,
        side: int = 96,
    ) -> None:
        super().__init__()
        try:
            import tensorboard  # noqa: F401
            import tensorflow as tf
        except ImportError as error:
            raise ConfigError(
                "FilterGallery needs TensorFlow and TensorBoard, of which one is not "
                "installed: pip install tensorflow 'keras-explainer[tensorboard]'."
            ) from error
        self._summary = tf.summary
        self.log_dir = os.fspath(log_dir)
        self.every = whole_number("every", every)
        self.columns = whole_number("columns", columns)
        self.side = whole_number("side", side)
        load = getattr(images, "load", None)
        self._images = np.asarray(load() if callable(load) else images)
        if self._images.ndim != 4 or not len(self._images):
            raise DataError(
                "A gallery needs images (n, height, width, channels), at least one; "
                f"got shape {self._images.shape}."
            )
        self._filters = None if filters is None else [int(one) for one in filters]
        self._writer: Any = None
        self._logged = -1

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks images and filters, before any epoch is learned."""
        explainer: Any = self.model
        explainer.teacher.check_images(self._images)
        for one in self._filters or ():
            if not 0 <= one < explainer.part_count:
                raise DataError(
                    f"There is no filter {one}: the explainer's are 0 to "
                    f"{explainer.part_count - 1}."
                )
        self._writer = self._summary.create_file_writer(self.log_dir)
        self._epochs = (self.params or {}).get("epochs")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Logs `p` each epoch, and a gallery each `every` epochs."""
        explainer: Any = self.model
        with self._writer.as_default():
            self._summary.scalar("explainer/p", explainer.share, step=epoch)
        last = self._epochs is not None and epoch + 1 == self._epochs
        if epoch % self.every == 0 or last:
            self._log(epoch)
        self._writer.flush()

    def on_train_end(self, logs: Any = None) -> None:
        """Ends the log."""
        if self._writer is not None:
            self._writer.close()

    def _log(self, epoch: int) -> None:
        found = summarize(
            self.model,
            self._images,
            top=self.columns,
            contributions=None,
            batch_size=min(32, len(self._images)),
            verbose=0,
        )
        shown = (
            range(min(16, len(found.filters)))
            if self._filters is None
            else (self._filters)
        )
        with self._writer.as_default():
            dead = float(np.mean([one.dead for one in found.filters]))
            self._summary.scalar("explainer/dead_share", dead, step=epoch)
            self._summary.scalar("explainer/groups", len(found.groups), step=epoch)
            for index in shown:
                picture = self._strip(found, index)
                self._summary.image(
                    f"filters/{index:03}", np.asarray(picture)[None], step=epoch
                )

    def _strip(self, found: Any, index: int) -> Image.Image:
        height, width = found.image_size
        factor = self.side / max(height, width)
        tall, wide = max(1, round(height * factor)), max(1, round(width * factor))
        strip = Image.new(
            "RGB", (self.columns * (wide + _GAP) - _GAP, tall), drawing.PAPER
        )
        for column, top in enumerate(found.filters[index].top):
            tile = drawing.display_image(self._images[top.index]).resize((wide, tall))
            tile = outlined(tile, top.finding.cells, found.map_size, found.beta)
            strip.paste(tile, (column * (wide + _GAP), 0))
        return strip
