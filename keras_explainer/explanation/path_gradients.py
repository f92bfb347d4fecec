"""`PathGradients`: logits and gradients along the path from the baseline."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_explainer.explanation.affine_pieces import AffinePieces
from keras_explainer.explanation.affine_start import AffineStart
from keras_explainer.gradients import input_gradient
from keras_explainer.teachers.frozen_layer import run_frozen
from keras_explainer.teachers.frozen_model import FrozenModel

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

_PROGRAMS: weakref.WeakKeyDictionary[Explainer, PathGradients] = (
    weakref.WeakKeyDictionary()
)
Tracks = dict[str, np.ndarray]
TRACKS = ("interpretable", "ordinary")
SECANTS = 4
"""Intervals of a path by default, where each has the slope of its secant."""
MIDDLES = 14
"""And where it has the gradient at its middle."""


class PathGradients:
    """Gate, decoder and the teacher's head as functions of both normalised tracks.

    A point of an image's path is `z(t) = m + t (z - m)`, `z` the image's two normalised
    tracks and `m` their means over the train images, per cell and channel: `t = 0` is
    the baseline, `t = 1` the image. The points of a path follow each other in a loop of
    the program, so that memory is bounded by the images of a batch, however many points
    there are. The gate and the beginning of a decoder are affine: the path is straight
    behind them too, where gradients are cheaper; these go back to the tracks once.

    `PathGradients.of` keeps the compiled programs for as long as the explainer lives;
    weights and means are read anew at each call.

    Args:
        explainer: With its teacher, which has logits; its tracks have been measured.
    """

    def __init__(self, explainer: Explainer) -> None:
        # Weakly, so that what is kept for an explainer does not keep it alive.
        self._reference = weakref.ref(explainer)
        self._start = AffineStart(explainer.decoder, explainer.teacher.targets[-1])
        self._pieces = AffinePieces(self._start, explainer.teacher)
        self._functions = {
            "logits": self._of_logits,
            "ends": self._of_ends,
            "slopes": self._of_slopes,
            "shares": self._of_shares,
        }
        self._logits, self._ends, self._slopes, self._shares = (
            FrozenModel(function, self._variables, name=f"path_{name}")
            for name, function in self._functions.items()
        )

    @classmethod
    def of(cls, explainer: Explainer) -> PathGradients:
        """The programs of an explainer, the same at each call."""
        if explainer not in _PROGRAMS:
            _PROGRAMS[explainer] = cls(explainer)
        return _PROGRAMS[explainer]

    @property
    def part_count(self) -> int:
        """Parts `P` of the explainer."""
        return self._explainer.part_count

    @property
    def steps(self) -> int:
        """Intervals of a path by default."""
        return SECANTS if self._pieces.known else MIDDLES

    def ends(self, tracks: Tracks, batch_size: int) -> np.ndarray:
        """Where the paths end, behind the affine beginning: (n, ...) float32."""
        return self._ends.run(tracks, batch_size)["end"]

    def slopes(
        self, ends: np.ndarray, steps: int, classes: np.ndarray, batch_size: int
    ) -> np.ndarray:
        """The mean gradient of a class' logit over the path.

        Each of `steps` equal intervals has the slope of its secant, where the network
        can be taken apart (`AffinePieces`): the sum over a path is the logit's change
        then, whatever the number of intervals. Else it has the gradient at its middle.

        Args:
            ends: (n, ...), see `ends`.
            steps: Intervals; each number has its own compiled program.
            classes: (n,) class of each row.
            batch_size: Rows of the compiled program.

        Returns:
            float32 of the shape of `ends`.
        """
        bounds = np.broadcast_to(self.bounds(steps), (len(ends), steps + 1))
        given = {"end": ends, "bounds": bounds, "class": classes}
        return self._slopes.run(given, batch_size)["slope"]

    @staticmethod
    def bounds(steps: int) -> np.ndarray:
        """Where equal intervals of a path begin and end: float32 (steps + 1,)."""
        return np.linspace(0, 1, steps + 1, dtype="float32")

    def shares(
        self, tracks: Tracks, slopes: np.ndarray, batch_size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """`(z - m) · slope` by part and by cell, the slope taken back to the tracks.

        Args:
            tracks: `interpretable` and `ordinary`, each (n, H, W, F).
            slopes: (n, ...), see `slopes`.
            batch_size: Rows of the compiled program.

        Returns:
            float64 (n, P + 1), a sum over cells and filters for each part of the
            interpretable track, last the sum over the whole ordinary track; and
            float64 (n, H, W), the sums over both tracks in each cell.
        """
        found = self._shares.run({**tracks, "slope": slopes}, batch_size)
        both = np.concatenate([found["parts"], found["ordinary"][:, None]], axis=1)
        return both.astype("float64"), found["cells"].astype("float64")

    def logits(self, tracks: Tracks, kept: np.ndarray, batch_size: int) -> np.ndarray:
        """The logits of the reconstruction where some parts are at their mean.

        Args:
            tracks: `interpretable` and `ordinary`, each (n, H, W, F).
            kept: (n, P + 1), 1 for a part that is as in the image, 0 for one that is at
                its mean; last the ordinary track.
            batch_size: Rows of the compiled program.

        Returns:
            float64 (n, classes).
        """
        given = {**tracks, "kept": kept}
        return self._logits.run(given, batch_size)["logits"].astype("float64")

    def baseline(self) -> np.ndarray:
        """The logits at the baseline, float64 (classes,)."""
        mean = ops.convert_to_numpy(self._explainer.statistics.interpretable_mean)
        tracks = {name: np.asarray(mean)[None] for name in TRACKS}
        return self.logits(tracks, np.zeros((1, self.part_count + 1)), 1)[0]

    def tensors(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """One of the programs on tensors, to be traced into a larger one.

        Args:
            name: "ends" (tracks to `end`), "slopes" (`end`, `bounds` (n, k + 1),
                `class` (n,) to `slope`), "shares" (tracks and `slope` to `parts`
                (n, P), `ordinary` (n,) and `cells` (n, H, W)), or "logits"; see their
                methods.
            given: Tensors (n, ...), any n.
        """
        return run_frozen(self._functions[name], self._variables(), given)

    # What is compiled

    @property
    def _explainer(self) -> Explainer:
        explainer = self._reference()
        if explainer is None:
            raise ReferenceError("The explainer of these programs is gone.")
        return explainer

    def _means(self) -> list[Any]:
        statistics = self._explainer.statistics
        return [
            ops.convert_to_tensor(getattr(statistics, f"{name}_mean"))[None]
            for name in TRACKS
        ]

    def _adapted(self, tracks: list[Any]) -> Any:
        """The affine beginning: the gate, and that of the decoder."""
        return self._start.before(self._explainer.encoder.gate(tracks))

    def _answer(self, adapted: Any) -> Any:
        """The logits, (n, classes), of what `_adapted` gives."""
        teacher = self._explainer.teacher
        logits = teacher.head(self._start.after(adapted))["logits"]
        return ops.reshape(logits, (-1, teacher.num_outputs))

    def _of_ends(self, tracks: dict[str, Any]) -> dict[str, Any]:
        return {"end": self._adapted([tracks[name] for name in TRACKS])}

    def _of_slopes(self, given: dict[str, Any]) -> dict[str, Any]:
        start, end = self._adapted(self._means()), given["end"]
        bounds, way, pieces = given["bounds"], end - start, self._pieces
        steps, nothing = ops.shape(bounds)[1] - 1, ops.zeros_like(end)
        outputs = self._explainer.teacher.num_outputs
        chosen = ops.one_hot(ops.cast(given["class"], "int32"), outputs)

        def point(at: Any) -> Any:
            return start + ops.reshape(at, (-1, *[1] * (len(start.shape) - 1))) * way

        def gradient(answer: Any, where: Any) -> Any:
            def logit(features: Any) -> Any:
                return ops.sum(ops.reshape(answer(features), (-1, outputs)) * chosen)

            return ops.cast(input_gradient(logit, where), "float32")

        def middle(number: Any, total: Any) -> Any:
            begins, ends = (ops.take(bounds, number + k, axis=1) for k in (0, 1))
            return total + gradient(self._answer, point(0.5 * (begins + ends)))

        def secant(number: Any, state: Any) -> Any:
            total, low = state
            where = point(ops.take(bounds, number + 1, axis=1))
            high = pieces.inputs(where)
            slopes = pieces.secants(low, high)
            # Of a linear map: it is the same at any point.
            slope = gradient(lambda x: pieces.linear(x, slopes), where)
            return total + slope, high

        # A loop of the program: no step's features are kept, or leave the device.
        if pieces.known:
            begin = pieces.inputs(start + nothing)
            total, _ = ops.fori_loop(0, steps, secant, (nothing, begin))
        else:
            total = ops.fori_loop(0, steps, middle, nothing)
        return {"slope": total / ops.cast(steps, "float32")}

    def _of_shares(self, given: dict[str, Any]) -> dict[str, Any]:
        shares, cells = [], []
        tracks = [given[name] for name in TRACKS]
        for number, mean in enumerate(self._means()):

            def pulled(track: Any, number: int = number) -> Any:
                both = list(tracks)
                both[number] = track
                return ops.sum(self._adapted(both) * given["slope"])

            slope = input_gradient(pulled, tracks[number])
            way = ops.cast(slope, "float32") * (tracks[number] - mean)
            shares.append(ops.sum(way, axis=(1, 2)))
            cells.append(ops.sum(way, axis=-1))
        return {
            "cells": cells[0] + cells[1],
            "parts": self._explainer.encoder.sums_by_part(shares[0]),
            "ordinary": ops.sum(shares[1], axis=-1),
        }

    def _of_logits(self, given: dict[str, Any]) -> dict[str, Any]:
        group = self._explainer.encoder.group_size
        kept = given["kept"][:, None, None, :]
        by_track = (ops.repeat(kept[..., :-1], group, axis=-1), kept[..., -1:])
        points = [
            mean + keep * (given[name] - mean)
            for name, mean, keep in zip(TRACKS, self._means(), by_track, strict=True)
        ]
        return {"logits": self._answer(self._adapted(points))}

    def _variables(self) -> list[Any]:
        explainer = self._explainer
        layers = explainer.encoder.gate, explainer.decoder, explainer.statistics
        own = [variable for layer in layers for variable in layer.variables]
        return own + list(explainer.teacher.graph.variables)
