"""What a client needs to know of a served explainer, as one JSON text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from keras_explainer.explanation.class_choice import no_answer, no_contributions
from keras_explainer.explanation.path_gradients import PathGradients
from keras_explainer.results.reading import SCHEMA_VERSION
from keras_explainer.version import __version__

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer
    from keras_explainer.results import PartNames


def description(
    explainer: Explainer,
    part_count: int,
    names: PartNames | None,
    precision: str = "float32",
    with_teacher: bool = True,
) -> str:
    """JSON: an object with the facts that `Explanation`s hold beside an image's own.

    Args:
        explainer: With its teacher.
        part_count: Parts an image.
        names: Of the filters, or None.
        precision: Of the kernels.
        with_teacher: Whether images are taken, or features of the tap.
    """
    teacher, mask = explainer.teacher, explainer.encoder.conv_2.part_mask
    why = no_contributions(explainer)
    answered = no_answer(teacher) is None
    facts: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "package_version": __version__,
        "teacher": teacher.name,
        "tap": teacher.tap,
        "fingerprint": teacher.fingerprint,
        "output": teacher.output,
        "image_size": list(teacher.input_shape[:2]),
        "channels": teacher.input_shape[2],
        "labels": None if teacher.labels is None else [str(x) for x in teacher.labels],
        "activation": teacher.logits_activation if answered else None,
        "input": "images" if with_teacher else "features",
        "precision": precision,
        "filters": explainer.part_count,
        "tap_shape": list(teacher.tap_shape),
        "map_size": list(teacher.tap_shape[:2]),
        "beta": explainer.encoder.conv_2.beta,
        "peaks": mask.peaks,
        "part_count": part_count,
        "part_names": None if names is None else names.to_dict(),
        "share": explainer.share,
        "presence_calibrated": explainer.presence.is_calibrated,
        "contributions": (
            {
                "method": "integrated_gradients",
                "steps": PathGradients.of(explainer).steps,
            }
            if why is None
            else None
        ),
        "no_contributions": why,
    }
    return json.dumps(facts, ensure_ascii=False, allow_nan=False)
