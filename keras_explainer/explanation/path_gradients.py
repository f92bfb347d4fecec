"""`PathGradients`: logits and gradients along the path from the baseline."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

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


class PathGradients:
    """Gate, decoder and the teacher's head as functions of both normalised tracks.

    A point of an image's path is `z(t) = m + t (z - m)`, `z` the image's two normalised
    tracks and `m` their means over the train images, per cell and channel: `t = 0` is
    the baseline, `t = 1` the image. Rows of the programs are pairs of an image and a
    `t`, so that memory is bounded by the rows of a batch, however many points a path
    has. The gate and the beginning of a decoder are affine: the path is straight behind
    them too, where gradients are cheaper; these go back to the tracks once.

    `PathGradients.of` keeps the compiled programs for as long as the explainer lives;
    weights and means are read anew at each call.

    Args:
        explainer: With its teacher, which has logits; its tracks have been measured.
    """

    def __init__(self, explainer: Explainer) -> None:
        # Weakly, so that what is kept for an explainer does not keep it alive.
        self._reference = weakref.ref(explainer)
        self._start = AffineStart(explainer.decoder, explainer.teacher.targets[-1])
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

    def ends(self, tracks: Tracks, batch_size: int) -> np.ndarray:
        """Where the paths end, behind the affine beginning: (n, ...) float32."""
        return self._ends.run(tracks, batch_size)["end"]

    def slopes(
        self, ends: np.ndarray, at: np.ndarray, classes: np.ndarray, batch_size: int
    ) -> np.ndarray:
        """The gradients of a class' logit at points of the path, summed up.

        Args:
            ends: (n, ...), see `ends`.
            at: (k,) values of t; a number k has its own compiled program.
            classes: (n,) class of each row.
            batch_size: Rows of the compiled program.

        Returns:
            float32 of the shape of `ends`.
        """
        at = np.broadcast_to(at, (len(ends), len(at)))
        given = {"end": ends, "at": at, "class": classes}
        return self._slopes.run(given, batch_size)["slope"]

    def shares(self, tracks: Tracks, slopes: np.ndarray, batch_size: int) -> np.ndarray:
        """`(z - m) · slope` by part, the slope taken back to the tracks.

        Args:
            tracks: `interpretable` and `ordinary`, each (n, H, W, F).
            slopes: (n, ...), means of what `slopes` gives.
            batch_size: Rows of the compiled program.

        Returns:
            float64 (n, P + 1): a sum over cells and filters for each part of the
            interpretable track; last the sum over the whole ordinary track.
        """
        found = self._shares.run({**tracks, "slope": slopes}, batch_size)
        both = np.concatenate([found["parts"], found["ordinary"][:, None]], axis=1)
        return both.astype("float64")

    def logits(
        self, tracks: Tracks, at: np.ndarray, dropped: np.ndarray, batch_size: int
    ) -> np.ndarray:
        """The logits of the reconstruction at points of the path.

        Args:
            tracks: `interpretable` and `ordinary`, each (n, H, W, F).
            at: (n,) values of t.
            dropped: (n,) part that is put at its mean; P for the ordinary track, -1
                for nothing.
            batch_size: Rows of the compiled program.

        Returns:
            float64 (n, classes).
        """
        given = {**tracks, "at": at, "dropped": dropped}
        return self._logits.run(given, batch_size)["logits"].astype("float64")

    def baseline(self) -> np.ndarray:
        """The logits at the baseline, float64 (classes,)."""
        mean = ops.convert_to_numpy(self._explainer.statistics.interpretable_mean)
        tracks = {name: np.asarray(mean)[None] for name in TRACKS}
        return self.logits(tracks, np.zeros(1), np.full(1, -1), 1)[0]

    def tensors(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """One of the programs on tensors, to be traced into a larger one.

        Args:
            name: "ends" (tracks to `end`), "slopes" (`end`, `at` (n, k), `class` (n,)
                to `slope`), "shares" (tracks and `slope` to `parts` (n, P) and
                `ordinary` (n,)), or "logits"; see the methods of these names.
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
        chosen = ops.one_hot(
            ops.cast(given["class"], "int32"), self._explainer.teacher.num_outputs
        )

        def add_one(number: Any, total: Any) -> Any:
            at = ops.take(given["at"], number, axis=1)
            at = ops.reshape(at, (-1, *[1] * (len(start.shape) - 1)))
            point = start + at * (end - start)
            slope = input_gradient(lambda x: ops.sum(self._answer(x) * chosen), point)
            return total + ops.cast(slope, "float32")

        # A loop of the program: no step's features are kept, or leave the device.
        steps = ops.shape(given["at"])[1]
        return {"slope": ops.fori_loop(0, steps, add_one, ops.zeros_like(end))}

    def _of_shares(self, given: dict[str, Any]) -> dict[str, Any]:
        shares = []
        tracks = [given[name] for name in TRACKS]
        for number, mean in enumerate(self._means()):

            def pulled(track: Any, number: int = number) -> Any:
                both = list(tracks)
                both[number] = track
                return ops.sum(self._adapted(both) * given["slope"])

            slope = input_gradient(pulled, tracks[number])
            way = ops.cast(slope, "float32") * (tracks[number] - mean)
            shares.append(ops.sum(way, axis=(1, 2)))
        return {
            "parts": self._explainer.encoder.sums_by_part(shares[0]),
            "ordinary": ops.sum(shares[1], axis=-1),
        }

    def _of_logits(self, given: dict[str, Any]) -> dict[str, Any]:
        encoder = self._explainer.encoder
        parts = encoder.part_count
        at = given["at"][:, None, None, None]
        dropped = ops.cast(given["dropped"], "int32")[:, None]
        kept = (
            dropped != ops.repeat(ops.arange(parts), encoder.group_size)[None],
            dropped != parts,
        )
        points = [
            mean + at * ops.cast(keep, "float32")[:, None, None] * (given[name] - mean)
            for name, mean, keep in zip(TRACKS, self._means(), kept, strict=True)
        ]
        return {"logits": self._answer(self._adapted(points))}

    def _variables(self) -> list[Any]:
        explainer = self._explainer
        layers = explainer.encoder.gate, explainer.decoder, explainer.statistics
        own = [variable for layer in layers for variable in layer.variables]
        return own + list(explainer.teacher.graph.variables)
