"""Which class is explained, and whether its logit can be shared out at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_explainer.errors import ConfigError, did_you_mean, nearest
from keras_explainer.teachers import Teacher

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer


def chosen_class(teacher: Teacher, given: Any) -> int | None:
    """The index of the class that a user asks for; None for the teacher's own.

    Raises:
        ConfigError: No such class, or a teacher whose classes cannot be reached.
    """
    if given is None:
        return None
    why = no_answer(teacher)
    if why is not None:
        raise ConfigError(f"There is no class to explain: {why}.")
    if isinstance(given, str):
        return _of_label(teacher, given)
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise ConfigError(
            "class_index is the index of one class or its label, got "
            f"{type(given).__name__} {given!r}."
        )
    if not 0 <= given < teacher.num_outputs:
        raise ConfigError(
            f"class_index {given} is out of range: the classes of teacher "
            f"'{teacher.name}' are 0 to {teacher.num_outputs - 1}."
        )
    return int(given)


def _of_label(teacher: Teacher, label: str) -> int:
    if teacher.labels is None:
        raise ConfigError(
            f"Teacher '{teacher.name}' has no labels, so class {label!r} is not known: "
            "give its index, or labels= to the teacher."
        )
    found = [at for at, name in enumerate(teacher.labels) if name == label]
    if len(found) != 1:
        fault = "no class" if not found else f"{len(found)} classes"
        close = nearest(label, teacher.labels, 1)
        raise ConfigError(
            f"Teacher '{teacher.name}' has {fault} with the label {label!r}. "
            + (did_you_mean(label, teacher.labels) if close else "Give its index.")
        )
    return found[0]


def no_answer(teacher: Teacher) -> str | None:
    """Why the teacher's answer cannot be read off its last target; None if it can."""
    shape = teacher.answer_shape
    if not teacher.has_head:
        return (
            f"teacher '{teacher.name}' has no head on its last target "
            f"'{teacher.targets[-1]}'"
        )
    if not shape or any(size != 1 for size in shape[:-1]):
        return f"the teacher's answer has shape {shape}, one list of classes is needed"
    return None


def no_contributions(explainer: Explainer) -> str | None:
    """Why no logit can be shared out; None if it can."""
    teacher = explainer.teacher
    why = no_answer(teacher)
    if why is not None:
        return why
    if teacher.logits_activation is None:
        return (
            "the teacher's answer has no logits: its last activation is none of "
            "softmax, sigmoid and linear"
        )
    if not explainer.statistics.is_measured:
        return (
            "the baseline is not known: the tracks' means are measured at the end of "
            "fit, or by explainer.measure_tracks(images)"
        )
    return None
