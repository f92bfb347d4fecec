"""When an explanation is not to be trusted, and why."""

from __future__ import annotations

from keras_explainer.results.class_score import ClassScore
from keras_explainer.results.contributions import Contributions

GAP_LIMIT = 0.5
"""A larger gap between the logits, as a share of the teacher's logit over that of the
baseline, is a poor reconstruction."""
COMPLETENESS_LIMIT = 0.05
"""A larger relative completeness error is a poor sum."""


def faithfulness_warnings(
    explained: ClassScore | None,
    reconstruction: ClassScore | None,
    answer: ClassScore | None,
    reconstruction_answer: ClassScore | None,
    activation: str | None,
    contributions: Contributions | None,
) -> tuple[str, ...]:
    """What a reader must know before anything else.

    The parts explain the reconstruction; they explain the teacher as far as both agree.
    The reconstruction is poor if

    * it decides otherwise: after a softmax its own class is not the teacher's; after a
      sigmoid the explained class is on the other side of 1/2;
    * its logit of the explained class is off by more than `GAP_LIMIT` of the teacher's
      logit over the baseline.

    The contributions are poor if their sum misses the logit's change by more than
    `COMPLETENESS_LIMIT` of it.

    Args:
        explained, reconstruction: The explained class, scored by the teacher and on
            the reconstruction.
        answer, reconstruction_answer: The class with the highest score of both.
        activation: The teacher's last.
        contributions: Of the explained class.
    """
    if explained is None or reconstruction is None:
        return ()
    found = []
    if activation == "softmax" and answer and reconstruction_answer:
        if answer.class_index != reconstruction_answer.class_index:
            found.append(
                f"poor reconstruction: its own answer is {reconstruction_answer.title},"
                f" the teacher's {answer.title}"
            )
    elif activation == "sigmoid" and (explained.score > 0.5) != (
        reconstruction.score > 0.5
    ):
        found.append(
            f"poor reconstruction: it gives {explained.title} "
            f"{reconstruction.score:.2f}, the teacher {explained.score:.2f}"
        )
    if contributions is None or explained.logit is None or reconstruction.logit is None:
        return tuple(found)
    gap = abs(reconstruction.logit - explained.logit)
    height = abs(explained.logit - contributions.baseline)
    if gap > GAP_LIMIT * height:
        found.append(
            f"poor reconstruction: its logit is {reconstruction.logit:.2f}, the "
            f"teacher's {explained.logit:.2f} ({contributions.baseline:.2f} at the "
            "baseline)"
        )
    error = contributions.relative_error
    if (
        contributions.method == "integrated_gradients"
        and error is not None
        and error > COMPLETENESS_LIMIT
    ):
        found.append(
            f"the contributions miss the logit's change by {100 * error:.0f} %: take "
            "more steps"
        )
    return tuple(found)
