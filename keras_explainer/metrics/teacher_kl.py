"""Divergence of the reconstruction's class probabilities from the teacher's."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from keras import ops

from keras_explainer.metrics.image_mean import ImageMean
from keras_explainer.registration import registered


@registered
class TeacherKL(ImageMean):
    """Mean over images of KL(teacher || reconstruction), in nats.

    From logits it is exact, by log-softmax. From probabilities, a class that the
    reconstruction gives 0 counts with the smallest normal number of the dtype, so that
    the figure stays finite. One output is taken as a binary sigmoid teacher; several
    independent sigmoids are not covered.

    Merge rule: `total` and `count` are sums; replicas merge by addition.

    Args:
        from_logits: the outputs are logits; `False` for probabilities.
        name: of the metric in logs.
        dtype: as of `keras.metrics.Metric`; sums are float32 at least.
    """

    direction: ClassVar[str] = "down"

    def __init__(
        self, from_logits: bool = True, name: str = "kl", dtype: Any = None
    ) -> None:
        super().__init__(from_logits=from_logits, name=name, dtype=dtype)

    def image_values(self, y_true: Any, y_pred: Any) -> Any:
        """KL divergence over the last axis."""
        log_p, log_q = self._log(y_true), self._log(y_pred)
        p = ops.exp(log_p)
        # A class that the teacher excludes adds nothing, whatever q is.
        seen = p > 0
        difference = ops.where(seen, log_p, 0.0) - ops.where(seen, log_q, 0.0)
        return ops.sum(p * difference, axis=-1)

    def _log(self, outputs: Any) -> Any:
        """Log-probabilities (..., classes), two classes for one output."""
        binary = outputs.shape[-1] == 1
        if self.from_logits:
            if binary:
                outputs = ops.concatenate([ops.zeros_like(outputs), outputs], axis=-1)
            return ops.log_softmax(outputs, axis=-1)
        if binary:
            outputs = ops.concatenate([1 - outputs, outputs], axis=-1)
        tiny = float(np.finfo(self.state_dtype).tiny)
        return ops.log(ops.maximum(outputs, tiny))
