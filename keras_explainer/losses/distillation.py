"""Distillation: the squared error of reconstructed features, in units of variance."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_explainer import global_batch


def relative_squared_error(
    features: Any, reconstruction: Any, total_variance: Any
) -> Any:
    """`mean over images of ‖x - x*‖² / V`: about one minus the explained variance.

    The paper's distillation loss (arXiv 1805.07468, equation 1), divided by a constant
    so that targets of any size and scale have one unit.

    Args:
        features, reconstruction: `(N, ...)`.
        total_variance: `V = Σ_features Var(x)` over the data, a scalar above 0.

    Returns:
        A float32 scalar ≥ 0.
    """
    difference = ops.cast(features, "float32") - ops.cast(reconstruction, "float32")
    axes = tuple(range(1, len(difference.shape)))
    errors = ops.sum(ops.square(difference), axis=axes)
    return global_batch.image_mean(errors) / ops.maximum(total_variance, 1e-12)


def share_loss(share_logit: Any) -> Any:
    """`-log p` of the gate's share `p = sigmoid(w)`, from `w`: never infinite."""
    return ops.softplus(-ops.cast(share_logit, "float32"))
