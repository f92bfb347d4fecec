"""`PresenceLevels`: from which strength on a filter's part is said to be there."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainer.registration import registered


@registered
class PresenceLevels(keras.layers.Layer):
    """A level for each filter, kept as weights that are not trained.

    Args:
        filters: of the explainer.

    Weights, float32:
        `levels` `(filters,)`: the part is present where the filter's map is above 0 and
            reaches it; 0 before calibration.
        `calibrated`: 1 once `set_levels` was called.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.levels, self.calibrated = (
            self.add_weight(
                shape=shape,
                initializer="zeros",
                trainable=False,
                dtype="float32",
                autocast=False,
                aggregation="only_first_replica",
                name=name,
            )
            for name, shape in (("levels", (filters,)), ("calibrated", ()))
        )
        self.built = True

    @property
    def is_calibrated(self) -> bool:
        """Whether levels have been calibrated."""
        return float(ops.convert_to_numpy(self.calibrated)) > 0

    def set_levels(self, levels: np.ndarray) -> None:
        """Takes calibrated levels, `(filters,)`."""
        self.levels.assign(np.asarray(levels, "float32"))
        self.calibrated.assign(1.0)

    def present(self, strength: np.ndarray) -> np.ndarray:
        """Which parts are present, `(n, filters)` bool, by the maps' maxima.

        Before calibration: those whose filter fires at all.
        """
        return (strength > 0) & (strength >= ops.convert_to_numpy(self.levels))

    def call(self, inputs: Any) -> Any:
        return inputs

    def load_own_variables(self, store: Any) -> None:
        # A file from before there were levels: they are not calibrated.
        if len(store.keys()):
            super().load_own_variables(store)
        else:
            self.levels.assign(np.zeros(self.filters, "float32"))
            self.calibrated.assign(0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}
