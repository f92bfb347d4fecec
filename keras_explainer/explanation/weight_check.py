"""Damaged weights are refused before anything is computed; random ones are told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from keras_explainer.errors import DataError

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

logger = logging.getLogger(__name__)


def check_weights(explainer: Explainer) -> None:
    """Refuses an explainer whose weights are not finite; warns of random ones.

    Not seen in the maps: TensorFlow's fused ReLU makes 0 of NaN on some machines.

    Raises:
        DataError: The first variable with NaN or infinity.
    """
    if float(ops.convert_to_numpy(explainer.statistics.started)) == 0:
        logger.warning(
            "This explainer has not learned yet: its filters are random. Call fit."
        )
    layers = explainer.encoder, explainer.decoder
    for variable in [one for layer in layers for one in layer.weights]:
        values = ops.convert_to_numpy(ops.cast(variable, "float32"))
        if not np.isfinite(values).all():
            raise DataError(
                f"The explainer's weights {variable.path} hold NaN or infinity: it "
                "is damaged. Learn again, or load a good file."
            )
