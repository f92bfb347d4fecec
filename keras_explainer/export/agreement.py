"""`Agreement`: how far an export's answers are from Keras'.

Continuous outputs: the largest difference over the largest expected value. Discrete
ones (present or not, cells, ranks) must be the same wherever the numbers that decide
about them differ by more than a margin; else it is a tie, which rounding decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_explainer.export.reference import (
    ROUNDINGS,
    Reference,
    gap,
    shared_scale,
)

SHARED_TOLERANCE = 1e-4
"""Of contributions, relative to the largest; or four times what rounding does to Keras'
own, if that is more (`Reference.shared_rounding`)."""
MOST = 1e-2
"""Of continuous outputs: where rounding does more, nothing can be told."""
PIXELS = 1e-3
"""Positions and boxes of the same cell differ by no more."""


class Agreement:
    """Compares the answers of an export with a reference.

    Args:
        reference: What Keras says.
        margin: Of decisions, relative to the largest of the numbers that decide.
        tolerance: Of continuous outputs; contributions that differ by no more of what
            is shared out tie too. Where rounding alone does more to Keras' own answers
            (`Reference.rounding`), `ROUNDINGS` times that is accepted, `MOST` at most,
            and the margin grows with it.

    Attributes:
        differences: {signature: {output: largest difference over largest value}}.
        decisions: {signature: {kind: {"compared": count, "ties": share, "wrong": count
            of those that are no ties}}}.
        faults: What can be no rounding, as sentences.
    """

    def __init__(self, reference: Reference, margin: float, tolerance: float) -> None:
        self.reference = reference
        rounding = min(MOST, ROUNDINGS * reference.rounding)
        self.tolerance = max(tolerance, rounding)
        self.margin = margin * self.tolerance / tolerance
        self.shared_tolerance = max(SHARED_TOLERANCE, 4 * reference.shared_rounding)
        self.differences: dict[str, dict[str, float]] = {}
        self.decisions: dict[str, dict[str, dict[str, float]]] = {}
        self.faults: list[str] = []
        maps, clear = reference.maps, reference.clear
        strength = maps.max((1, 2))
        self._clear_cell, self._clear_mask = (
            ((gap(given) > self.margin) | (given.max((1, 2)) <= 0))[clear]
            for given in (maps, reference.filter_maps)
        )
        near = np.maximum(reference.levels, strength.max(0))
        self._clear_presence = (
            (np.abs(strength - reference.levels) > self.margin * near)
            & (strength > self.margin * strength.max(0))
        )[clear] | (strength <= 0)[clear]

    def compare(self, signature: str, found: dict[str, np.ndarray]) -> None:
        """Takes the answers of one signature into account."""
        kind = signature.removesuffix("_jpeg").replace("serving_default", "explain")
        if kind == "describe":
            return
        found = dict(found)
        self.differences[signature] = {}
        wrong = [text for text in found.pop("status", []) if text]
        if wrong:
            self.faults.append(
                f"{signature} refuses a good image: {wrong[0].decode(errors='replace')}"
            )
            return
        if kind == "classify":
            self._classes(signature, found)
            return
        for name, expected in self.reference.values[kind].items():
            given = found.pop(name, None)
            if given is None or np.shape(given) != np.shape(expected):
                self.differences[signature][name] = np.inf
                continue
            clear, largest = self.reference.clear[: len(given)], _largest(expected)
            given, expected = given[clear], np.asarray(expected)[clear]
            if kind == "part_maps":
                # A mask that may lie elsewhere is no small difference.
                there = self._clear_mask[:, None, None, :]
                given, expected = given * there, expected * there
            self._continuous(signature, name, given, expected, largest)
        if kind in self.reference.parts:
            every = self.reference.parts[kind]
            count = len(every["order"])
            if any(len(value) != count for value in found.values()):
                self.faults.append(f"{signature} gives another number of rows.")
                return
            clear = self.reference.clear[:count]
            self._parts(
                signature,
                {name: value[clear] for name, value in found.items()},
                {name: value[clear] for name, value in every.items()},
                {
                    name: _largest(every[name])
                    for name in ("part_strengths", "part_relative_strengths")
                },
            )
        elif found:
            self.faults.append(f"{signature} gives {', '.join(sorted(found))} besides.")

    def largest(self) -> tuple[float, str, float]:
        """The largest difference, its output, and what is accepted of it.

        The largest as a share of what is accepted.
        """
        every = [
            (value, f"{signature}: {name}", self._accepted(name))
            for signature, outputs in self.differences.items()
            for name, value in outputs.items()
        ]
        return max(every, key=lambda one: one[0] / one[2])

    @property
    def contributions_differ(self) -> bool:
        """Whether some contribution differs by more than is accepted."""
        return any(
            value > self._accepted(name)
            for outputs in self.differences.values()
            for name, value in outputs.items()
            if _is_shared(name)
        )

    def _accepted(self, output: str) -> float:
        return self.shared_tolerance if _is_shared(output) else self.tolerance

    def wrong(self) -> str | None:
        """The first kind of decision that differs and is no tie."""
        for signature, kinds in self.decisions.items():
            for kind, figures in kinds.items():
                if figures["wrong"]:
                    return (
                        f"{signature} differs in {figures['wrong']:.0f} of "
                        f"{figures['compared']:.0f} {kind}"
                    )
        return None

    def _continuous(
        self,
        signature: str,
        name: str,
        found: Any,
        expected: np.ndarray,
        scale: float,
    ) -> None:
        expected = np.asarray(expected, "float64")
        value = float("inf")
        if not expected.size:
            value = 0.0
        elif np.shape(found) == expected.shape:
            away = np.abs(np.asarray(found, "float64") - expected)
            value = float(away.max()) / (scale or 1.0)
        # NaN is no small difference.
        self.differences[signature][name] = value if np.isfinite(value) else np.inf

    def _parts(
        self,
        signature: str,
        found: dict[str, Any],
        expected: dict[str, np.ndarray],
        largest: dict[str, float],
    ) -> None:
        filters = found.pop("part_filters")
        if not ((filters >= 0) & (filters < self.reference.filters)).all():
            self.faults.append(f"{signature} gives filters that there are not.")
            return
        count = filters.shape[1]

        def of_served(values: np.ndarray) -> np.ndarray:
            return np.take_along_axis(
                values,
                filters.reshape(*filters.shape, *[1] * (values.ndim - 2)),
                axis=1,
            )

        told = np.char.decode(found.pop("part_names").astype("S"), "utf-8")
        told = told.reshape(filters.shape)  # NumPy 1 forgets the shape of no names
        if not (told == self.reference.names[filters]).all():
            self.faults.append(f"{signature} gives other names of parts.")
        shares = expected["part_contributions"]
        shared = "ordinary_contribution" in expected
        scale = 0.0
        if shared:
            kept = of_served(shares).sum(1)
            expected = {
                **expected,
                "other_parts_contribution": shares.sum(1) - kept,
            }
            if shares.size:
                scale = shared_scale(expected)
            if not (found["class_index"] == expected["class_index"]).all():
                self.faults.append(f"{signature} explains other classes.")
        for name, value in found.items():
            if name in largest:
                self._continuous(
                    signature, name, value, of_served(expected[name]), largest[name]
                )
            elif name == "part_contributions":
                self._continuous(
                    signature, name, value, of_served(expected[name]), scale
                )
            elif name == "logit_change":
                # A difference of two logits: rounding is as large as they are.
                logits = self.reference.values["explain_contributions"][
                    "reconstruction_logits"
                ]
                size = max(scale, float(np.abs(logits).max()))
                self._continuous(signature, name, value, expected[name], size)
            elif name.endswith(("_contribution", "_error")):
                self._continuous(signature, name, value, expected[name], scale)

        rows = slice(len(filters))
        clear_presence = self._clear_presence[rows]
        present = of_served(clear_presence)
        decided = self.decisions.setdefault(signature, {})
        decided["presence"] = _counted(
            present, found["part_present"] == of_served(expected["part_present"])
        )
        same = np.ones(filters.shape, bool)
        for name in ("part_positions", "part_boxes"):
            away = np.abs(found[name] - of_served(expected[name])).max(-1)
            # Boxes of several peaks have further cells, which are not looked at.
            if name == "part_positions" or self._one_peak:
                same &= away <= PIXELS
        clear_cell = of_served(self._clear_cell[rows]) & present
        decided["positions"] = _counted(clear_cell, same)
        score = shares if shared else expected["part_relative_strengths"]
        least = self.margin * np.abs(score).max(1, keepdims=True)
        least = np.maximum(least, self.shared_tolerance * scale)
        clear = _clear_ranks(expected, score, least) & clear_presence.all(
            1, keepdims=True
        )
        decided["ranks"] = _counted(
            clear[:, :count], filters == expected["order"][:, :count]
        )

    @property
    def _one_peak(self) -> bool:
        return self.reference.explainer.encoder.conv_2.part_mask.peaks == 1

    def _classes(self, signature: str, found: dict[str, np.ndarray]) -> None:
        scores = self.reference.values["explain"]["scores"]
        order = np.argsort(-scores, axis=1, kind="stable")
        ranked = np.take_along_axis(scores, order, axis=1)
        count = found["scores"].shape[1]
        self._continuous(
            signature, "scores", found["scores"], ranked[:, :count], _largest(scores)
        )
        labels = np.array(list(map(str, self.reference.explainer.teacher.labels or ())))
        told = np.char.decode(found["classes"].astype("S"), "utf-8")
        clear = _between(-np.diff(ranked, axis=1) > self.margin * ranked[:, :1])
        self.decisions[signature] = {
            "ranks": _counted(clear[:, :count], told == labels[order][:, :count])
        }


def _is_shared(output: str) -> bool:
    return "contribution" in output or output == "completeness_error"


def _largest(values: np.ndarray) -> float:
    """Of all images, also those that are not compared: it is what rounds."""
    return float(np.abs(values).max(initial=0.0))


def _clear_ranks(
    expected: dict[str, np.ndarray], score: np.ndarray, least: np.ndarray
) -> np.ndarray:
    """(n, F): whether the filter at a rank is in no tie with its neighbours."""
    order = expected["order"]
    ranked = np.take_along_axis(score, order, axis=1)
    present = np.take_along_axis(expected["part_present"], order, axis=1)
    apart = np.abs(np.diff(ranked, axis=1)) > least
    return _between(apart | (present[:, 1:] != present[:, :-1]))


def _between(apart: np.ndarray) -> np.ndarray:
    """(n, k) from (n, k - 1): apart from the neighbour on either side."""
    edge = np.ones((len(apart), 1), bool)
    return np.hstack([edge, apart]) & np.hstack([apart, edge])


def _counted(clear: np.ndarray, same: np.ndarray) -> dict[str, float]:
    return {
        "compared": int(clear.sum()),
        "ties": float(1 - clear.mean()) if clear.size else 1.0,
        "wrong": int((clear & ~same).sum()),
    }
