"""`PartTable`: from maps to the first parts by rank, inside a TensorFlow graph.

The same as `explanation.findings` and `explanation.ranking`, which compute with NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from keras import ops

from keras_explainer.explanation.geometry import AREA_LEVEL
from keras_explainer.explanation.ranking import mean_activations, scales

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer
    from keras_explainer.results import PartNames

NOWHERE = -1.0
"""Of positions and boxes of silent filters: JSON has no NaN."""


class PartTable:
    """Reads parts off maps.

    Levels, scales and names are constants, as they are when it is made.

    Args:
        explainer: With its teacher.
        count: Parts an image; all filters if there are fewer.
        names: Of the filters, or None.
    """

    def __init__(
        self, explainer: Explainer, count: int, names: PartNames | None
    ) -> None:
        filters = explainer.part_count
        self.count = min(count, filters)
        height, width = explainer.teacher.input_shape[:2]
        self.image_size = np.array([height, width], "float64")
        self.scales = scales(mean_activations(explainer))
        self.levels = ops.convert_to_numpy(explainer.presence.levels)
        self.mask = explainer.encoder.conv_2.part_mask
        self.beta = explainer.encoder.conv_2.beta
        named = [None if names is None else names.of(f) for f in range(filters)]
        self.names = ["" if one is None else one.name for one in named]

    def __call__(self, maps: Any, contributions: Any = None) -> dict[str, Any]:
        """The first `count` parts by rank.

        Args:
            maps: (n, H, W, F) before the mask, float32.
            contributions: (n, F) by which parts are ranked; None: by relative strength.

        Returns:
            `part_filters` int32, `part_names` text, `part_present` bool,
            `part_strengths`, `part_relative_strengths`, each (n, count);
            `part_positions` (n, count, 2), (y, x), and `part_boxes` (n, count, 4),
            (top, left, bottom, right), in pixels of the teacher's input, `NOWHERE`
            where the filter is silent; `part_contributions` (n, count) if they are
            given.
        """
        rows, columns, filters = maps.shape[1:]
        flat = tf.reshape(maps, (-1, rows * columns, filters))
        strength = tf.reduce_max(flat, axis=1)
        cell = tf.argmax(flat, axis=1)
        present = (strength > 0) & (strength >= self.levels)
        relative = tf.cast(strength, "float64") / self.scales
        # By score, then, stably, by presence: ties go to the lowest index.
        score = relative if contributions is None else contributions
        order = tf.argsort(score, direction="DESCENDING", stable=True)
        absent = 1 - tf.cast(tf.gather(present, order, batch_dims=1), "int32")
        order = tf.gather(order, tf.argsort(absent, stable=True), batch_dims=1)
        order = order[:, : self.count]

        stride = self.image_size / (rows, columns)
        peak = tf.stack([cell // columns, cell % columns], axis=-1)
        centre = (tf.cast(peak, "float64") + 0.5) * stride
        low, high = self._extent(maps, flat, peak)
        reach = (1 - AREA_LEVEL) * max(rows, columns) / self.beta * stride
        box = tf.concat(
            [
                tf.maximum((low + 0.5) * stride - reach, 0.0),
                tf.minimum((high + 0.5) * stride + reach, self.image_size),
            ],
            axis=-1,
        )
        silent = (strength <= 0)[..., None]
        everywhere = {
            "part_strengths": strength,
            "part_relative_strengths": tf.cast(relative, "float32"),
            "part_present": present,
            "part_positions": _where_not(silent, centre),
            "part_boxes": _where_not(silent, box),
        }
        if contributions is not None:
            everywhere["part_contributions"] = contributions
        return {
            "part_filters": tf.cast(order, "int32"),
            "part_names": tf.gather(tf.constant(self.names), order),
            **{
                name: tf.gather(value, order, batch_dims=1)
                for name, value in everywhere.items()
            },
        }

    def _extent(self, maps: Any, flat: Any, peak: Any) -> tuple[Any, Any]:
        """First and last (row, column) of the mask's peaks, (n, F, 2) float64."""
        first = tf.cast(peak, "float64")
        if self.mask.peaks == 1:
            return first, first
        rows, columns = maps.shape[1:3]
        peaks = (self.mask.mask(maps) == 1) & (maps > 0)
        low, high = [], []
        for axis, size in ((2, rows), (1, columns)):
            # (n, size, F): whether a peak lies in the row, in the column.
            there = tf.reduce_any(peaks, axis=axis)
            index = tf.range(size, dtype="float64")[None, :, None]
            low.append(tf.reduce_min(tf.where(there, index, np.inf), axis=1))
            high.append(tf.reduce_max(tf.where(there, index, -np.inf), axis=1))
        # The strongest cell is a peak, whatever rounding makes of the mask there.
        return (
            tf.minimum(tf.stack(low, axis=-1), first),
            tf.maximum(tf.stack(high, axis=-1), first),
        )


def _where_not(silent: Any, value: Any) -> Any:
    return tf.where(silent, np.float32(NOWHERE), tf.cast(value, "float32"))
