"""What the parts say alone, while learning: the ordinary track at its mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import ops

from keras_explainer import global_batch

if TYPE_CHECKING:
    from keras_explainer.explainer.explainer import Explainer


def parts_encoding(explainer: Explainer, outputs: dict[str, Any]) -> Any:
    """`x_enc` `(N, H, W, F)` with the mean over images in place of the ordinary track.

    The mean is a running one, kept in `TrackStatistics.ordinary_mean`, which this call
    updates; it has the gradient of the batch's mean. Without that the ordinary track
    would shift under what the parts say alone.

    Args:
        explainer: that learns.
        outputs: of its encoder, while training.
    """
    mean = explainer.statistics.ordinary_mean
    batch = global_batch.image_mean(ops.cast(outputs["ordinary"], "float32"))
    keep = explainer.recipe.norm_momentum
    mean.assign(keep * mean + (1.0 - keep) * ops.stop_gradient(batch))
    stand_in = ops.convert_to_tensor(mean) + batch - ops.stop_gradient(batch)
    parts = outputs["interpretable"]
    stand_in = ops.broadcast_to(ops.cast(stand_in, parts.dtype), ops.shape(parts))
    return explainer.encoder.gate([parts, stand_in])


def decoded_twice(explainer: Explainer, outputs: dict[str, Any]) -> dict[str, Any]:
    """`reconstructions`, and `parts_reconstructions` by the parts alone.

    In one pass: dense layers of a few rows take as long as of twice as many.

    Args:
        explainer: that learns.
        outputs: of its encoder, while training.
    """
    encodings = [outputs["encoding"], parts_encoding(explainer, outputs)]
    both = explainer.decoder(ops.concatenate(encodings, axis=0), training=True)
    halves = {name: ops.split(value, 2, axis=0) for name, value in both.items()}
    return {
        "reconstructions": {name: half[0] for name, half in halves.items()},
        "parts_reconstructions": {name: half[1] for name, half in halves.items()},
    }
