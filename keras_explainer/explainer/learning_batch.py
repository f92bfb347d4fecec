"""Puts together what the losses and figures of one batch need."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from keras import ops

from keras_explainer import global_batch

if TYPE_CHECKING:
    from keras_explainer.explainer.explainer import Explainer


def learning_batch(explainer: Explainer, x: Any, y: Any, outputs: Any) -> Any:
    """The dict that `Objective` and `TrainingLog` read.

    Args:
        explainer: whose batch.
        x: `{"features": …, "boxes": (N, V, 5)}`.
        y: `{target: (N, V, ...)}`.
        outputs: of `Explainer.call` for `x`, `N · V` rows.
    """
    shapes = explainer.target_shapes
    targets = {
        name: ops.reshape(y[name], (-1, *shape)) for name, shape in shapes.items()
    }
    logits = reconstructed = parts = None
    alone = outputs.get("parts_reconstructions")
    if explainer.has_teacher and explainer.teacher.has_head:
        last = list(targets)[-1]
        head = partial(global_batch.also_of_no_row, explainer.teacher.head)
        logits = head(targets[last])["logits"]
        reconstructed = head(outputs["reconstructions"][last])["logits"]
        if alone is not None:
            parts = head(alone[last])["logits"]
    statistics = explainer.statistics
    return {
        "outputs": outputs,
        "targets": targets,
        "target_variance": [statistics.target_variance[i] for i in range(len(targets))],
        "logits": logits,
        "reconstructed_logits": reconstructed,
        "parts_logits": parts,
        "logits_variance": ops.convert_to_tensor(statistics.logits_variance),
        "share_logit": explainer.encoder.gate.logit,
        "boxes": x.get("boxes"),
    }
