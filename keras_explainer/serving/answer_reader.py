"""`AnswerReader`: from the arrays of an answer to explanations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_explainer.errors import BadAnswerError, ConfigError
from keras_explainer.results import (
    ClassScore,
    Contributions,
    Explanation,
    PartFinding,
)
from keras_explainer.serving.model_description import ModelDescription

_NOT_ASKED = "they were not asked for"
Arrays = Mapping[str, np.ndarray]


class AnswerReader:
    """Reads answers of `explain`, `explain_contributions` and their `_jpeg` forms.

    Args:
        description: Of the version that answers.
        class_index: The class that is explained; None for the teacher's own.
        contributions: Whether they were asked for.
        k: Keep the first parts that are present; None keeps all that are served.
    """

    def __init__(
        self,
        description: ModelDescription,
        class_index: int | None,
        contributions: bool,
        k: int | None,
    ) -> None:
        self.description = description
        self.class_index = class_index
        self.contributions = contributions
        self.k = k

    def explanation(
        self, found: Arrays, row: int, index: int, name: str | None
    ) -> Explanation:
        """The explanation of a row of the batch that is not bad.

        Raises:
            BadAnswerError: Values that no explanation has.
            ConfigError: `class_index` is not one of the teacher's classes.
        """
        about = self.description
        self._check(found, row)
        answer = explained = again = own = None
        if "scores" in found:
            scores, logits = found["scores"][row], _row(found, "logits", row)
            new = found["reconstruction_scores"][row]
            new_logits = _row(found, "reconstruction_logits", row)
            chosen = self._class(found, row, scores)
            answer = self._score(scores, logits, int(scores.argmax()))
            explained = self._score(scores, logits, chosen)
            again = self._score(new, new_logits, chosen)
            own = self._score(new, new_logits, int(new.argmax()))
        elif self.class_index is not None:
            raise ConfigError(
                "There is no class to explain: the model's answer has no scores."
            )
        shared = self._contributions(found, row, again)
        return Explanation(
            index=index,
            image=name,
            image_size=about.image_size,
            answer=answer,
            explained=explained,
            reconstruction=again,
            reconstruction_answer=own,
            activation=about.activation if answer else None,
            share=about.share,
            filters=about.filters,
            map_size=about.map_size,
            beta=about.beta,
            parts=self._parts(found, row),
            contributions=shared,
            no_contributions=self._why_not() if shared is None else None,
            presence_calibrated=about.presence_calibrated,
        )

    def _why_not(self) -> str:
        if not self.contributions:
            return _NOT_ASKED
        return self.description.no_contributions or "the model does not serve them"

    def _class(self, found: Arrays, row: int, scores: np.ndarray) -> int:
        chosen = self.class_index
        if chosen is not None and chosen >= len(scores):
            raise ConfigError(
                f"class_index {chosen} is out of range: the classes of teacher "
                f"'{self.description.teacher}' are 0 to {len(scores) - 1}."
            )
        own = int(scores.argmax()) if chosen is None else chosen
        if "class_index" not in found:
            return own
        served = int(found["class_index"][row])
        # On a tie the server's arithmetic may have chosen the other class.
        if served != own and (
            chosen is not None
            or not 0 <= served < len(scores)
            or scores[served] < scores[own]
        ):
            raise BadAnswerError(
                f"The server explains class {served} where {own} was asked for."
            )
        return served

    def _score(
        self, scores: np.ndarray, logits: np.ndarray | None, index: int
    ) -> ClassScore:
        labels = self.description.labels
        if labels is not None and len(labels) != len(scores):
            raise BadAnswerError(
                f"The server's answer has {len(scores)} scores, the model's "
                f"description {len(labels)} labels."
            )
        return ClassScore(
            class_index=index,
            label=None if labels is None else labels[index],
            score=float(scores[index]),
            logit=None if logits is None else float(logits[index]),
        )

    def _parts(self, found: Arrays, row: int) -> tuple[PartFinding, ...]:
        parts = [
            self._part(found, row, rank)
            for rank in range(found["part_filters"].shape[1])
        ]
        if self.k is not None:
            parts = [part for part in parts if part.present][: self.k]
        return tuple(parts)

    def _part(self, found: Arrays, row: int, rank: int) -> PartFinding:
        about = self.description

        def number(name: str) -> float:
            return float(found[name][row, rank])

        filter = int(found["part_filters"][row, rank])
        position, box = (
            found["part_positions"][row, rank],
            found["part_boxes"][row, rank],
        )
        silent = bool((position < 0).any())
        name = _text("part_names", found["part_names"][row, rank]) or None
        names = about.part_names
        named = None if name is None or names is None else names.of(filter)
        stride = np.divide(about.image_size, about.map_size)
        cell = tuple(int(at) for at in np.floor(position / stride))
        centre = tuple(float(at) for at in (np.asarray(cell) + 0.5) * stride)
        return PartFinding(
            filter=filter,
            present=bool(found["part_present"][row, rank]),
            strength=number("part_strengths"),
            relative_strength=number("part_relative_strengths"),
            cell=None if silent else (cell[0], cell[1]),
            # By the cell, in double precision, as in the process itself.
            position=None if silent else (centre[0], centre[1]),
            box=None if silent else tuple(float(side) for side in box),  # type: ignore[arg-type]
            name=name,
            name_confidence=None if named is None else named.confidence,
            contribution=(
                number("part_contributions") if "part_contributions" in found else None
            ),
        )

    def _contributions(
        self, found: Arrays, row: int, again: ClassScore | None
    ) -> Contributions | None:
        steps = self.description.steps
        if not self.contributions or "part_contributions" not in found:
            return None
        if again is None or again.logit is None or steps is None:
            raise BadAnswerError(
                "The server's answer has contributions, but no logits or no steps."
            )
        change = float(found["logit_change"][row])
        parts = found["part_contributions"][row].astype("float64")
        return Contributions(
            method="integrated_gradients",
            filters=float(parts.sum() + found["other_parts_contribution"][row]),
            ordinary=float(found["ordinary_contribution"][row]),
            baseline=again.logit - change,
            change=change,
            steps=steps,
        )

    def _check(self, found: Arrays, row: int) -> None:
        """Refuses what no explanation has; kinds and shapes are checked before."""
        about = self.description

        def wrong(what: str) -> BadAnswerError:
            return BadAnswerError(f"The server's answer is none: {what}.")

        for name, value in found.items():
            if value.dtype.kind == "f" and not np.isfinite(value[row]).all():
                raise wrong(f"{name} is NaN or infinite for an image that is right")
        filters = found["part_filters"][row]
        if len(set(filters.tolist())) != len(filters) or not (
            ((filters >= 0) & (filters < about.filters)).all()
        ):
            raise wrong(f"part_filters are {filters.tolist()} of {about.filters}")
        if (found["part_strengths"][row] < 0).any():
            raise wrong("part_strengths are below 0")
        height, width = about.image_size
        limits = np.array([height, width, height, width]) * (1 + 1e-6)
        for name, most in (("part_positions", limits[:2]), ("part_boxes", limits)):
            places = found[name][row]
            silent = (places == -1).all(-1)
            inside = ((places >= 0) & (places <= most)).all(-1)
            if not (silent | inside).all():
                raise wrong(f"{name} are outside of the image")
        if abs(float(found["p"][row]) - about.share) > 1e-3:
            raise wrong("p is not that of the model's description")


def bad_rows(found: Arrays) -> dict[int, str]:
    """{row of the batch: what is wrong with its image}, by the output `status`."""
    status = found.get("status")
    # A target layer may have the name.
    if status is None or status.dtype != object:
        return {}
    said = [_text("status", one) for one in status]
    return {row: text for row, text in enumerate(said) if text}


def _row(found: Arrays, name: str, row: int) -> np.ndarray | None:
    return found[name][row] if name in found else None


def _text(name: str, value: Any) -> str:
    try:
        return bytes(value).decode("utf-8")
    except (TypeError, UnicodeDecodeError) as error:
        raise BadAnswerError(f"The server's {name} are no text.") from error
