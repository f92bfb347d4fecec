"""How faithfully an explainer rebuilds what its teacher computes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import ops

from keras_explainer.explainer import Explainer
from keras_explainer.metrics import (
    ConstantAgreement,
    ExplainedVariance,
    TeacherKL,
    Top1Agreement,
)
from keras_explainer.teachers.frozen_model import FrozenModel

LOGITS = "logits"
WHOLE, WITHOUT_ORDINARY, WITHOUT_INTERPRETABLE = (
    "whole",
    "without_ordinary",
    "without_interpretable",
)


class Fidelity:
    """Streaming fidelity figures, whole and with one track taken away.

    The answer is the teacher's own head on top of the last target's reconstruction. A
    track is taken away by putting its mean over the train images (per cell and
    channel) in place of its normalised output.

    Args:
        explainer: with its teacher.
        labels: whether `update` is given the images' classes.
    """

    def __init__(self, explainer: Explainer, labels: bool = False) -> None:
        self.explainer = explainer
        self.teacher = explainer.teacher
        activation = self.teacher.logits_activation
        self._has_logits = self.teacher.has_head and activation is not None
        decides = self._has_logits and activation in ("softmax", "sigmoid")
        variants = [WHOLE]
        if explainer.statistics.is_measured:
            variants += [WITHOUT_ORDINARY, WITHOUT_INTERPRETABLE]
        shapes: dict[str, tuple[int, ...]] = dict(explainer.target_shapes)
        if self._has_logits:
            shapes[LOGITS] = (self.teacher.num_outputs,)
        self._variance = {
            variant: {name: ExplainedVariance(shape) for name, shape in shapes.items()}
            for variant in variants
        }
        self._agreement = {
            variant: Top1Agreement() if decides else None for variant in variants
        }
        self._constant = ConstantAgreement() if decides else None
        single = self.teacher.num_outputs > 1 and activation == "softmax"
        self._kl = TeacherKL() if decides and single else None
        self._labels = labels and decides
        self._program = FrozenModel(self._read, self._variables, name="fidelity")
        self._images = 0
        self._right = {"teacher": 0, "explainer": 0}

    def update(
        self,
        tap: np.ndarray,
        targets: dict[str, np.ndarray],
        classes: np.ndarray | None = None,
        batch_size: int = 32,
    ) -> np.ndarray:
        """Adds a batch.

        Args:
            tap: `(n, H, W, C)` features.
            targets: `{target: (n, ...)}` of the teacher.
            classes: `(n,)` index of each image's class among the teacher's outputs.
            batch_size: of the compiled program; smaller batches are filled up.

        Returns:
            The maps before the mask, `(n, H, W, F)` float32, from the same pass.
        """
        last = list(targets)[-1]
        read = self._program.run({"tap": tap, "target": targets[last]}, batch_size)
        self._images += len(tap)
        logits = read.get(LOGITS)
        for variant, metrics in self._variance.items():
            for name, features in targets.items():
                if name != LOGITS or not self._has_logits:
                    metrics[name].update_state(features, read[f"{variant} {name}"])
            if logits is None:
                continue
            answer = read[f"{variant} {LOGITS}"]
            metrics[LOGITS].update_state(logits, answer)
            agreement = self._agreement[variant]
            if agreement is not None:
                agreement.update_state(logits, answer)
            if variant == WHOLE:
                self._answers(logits, answer, classes)
        return read["maps"]

    def _read(self, given: dict[str, Any]) -> dict[str, Any]:
        """Maps, and reconstructions and logits of each variant, by `variant name`."""
        encoded = self.explainer.encoder(given["tap"], training=False)
        found = {"maps": encoded["maps"]}
        last = self.teacher.targets[-1]
        if self._has_logits:
            found[LOGITS] = self._logits(given["target"])
        for variant in self._variance:
            rebuilt = self.explainer.decode(self._encoding(variant, encoded))
            found |= {f"{variant} {name}": value for name, value in rebuilt.items()}
            if self._has_logits:
                found[f"{variant} {LOGITS}"] = self._logits(rebuilt[last])
        return {name: ops.cast(value, "float32") for name, value in found.items()}

    def _variables(self) -> list[Any]:
        explainer = self.explainer
        layers = explainer.encoder, explainer.decoder, explainer.statistics
        own = [variable for layer in layers for variable in layer.variables]
        return own + list(self.teacher.graph.variables)

    def _answers(self, logits: Any, answer: Any, classes: np.ndarray | None) -> None:
        if self._kl is not None:
            self._kl.update_state(logits, answer)
        if self._constant is not None:
            self._constant.update_state(logits)
        if self._labels and classes is not None:
            for who, values in (("teacher", logits), ("explainer", answer)):
                given = _classes(values)
                self._right[who] += int((given == classes).sum())

    def _logits(self, target: Any) -> Any:
        return self.teacher.head(ops.cast(target, "float32"))[LOGITS]

    def _encoding(self, variant: str, encoded: dict[str, Any]) -> Any:
        if variant == WHOLE:
            return encoded["encoding"]
        tracks = {name: encoded[name] for name in ("interpretable", "ordinary")}
        gone = "ordinary" if variant == WITHOUT_ORDINARY else "interpretable"
        mean = getattr(self.explainer.statistics, f"{gone}_mean")
        mean = ops.cast(ops.convert_to_tensor(mean), tracks[gone].dtype)
        tracks[gone] = ops.broadcast_to(mean[None], ops.shape(tracks[gone]))
        return self.explainer.encoder.gate(
            [tracks["interpretable"], tracks["ordinary"]]
        )

    def result(self) -> dict[str, Any]:
        """The figures of all images seen, None for what cannot be had.

        Returns:
            `explained_variance` `{target: ..., "logits": ...}`, `kl`,
            `top1_agreement`, `top1_constant`, `without_ordinary` and
            `without_interpretable` (each `explained_variance`, `top1_agreement`),
            `accuracy`, and `teacher_accuracy`.
        """
        without = {
            variant: self._track(variant) if variant in self._variance else None
            for variant in (WITHOUT_ORDINARY, WITHOUT_INTERPRETABLE)
        }
        return {
            **self._track(WHOLE),
            "kl": _figure(self._kl),
            "top1_constant": _figure(self._constant),
            **without,
            "accuracy": self._accuracy("explainer"),
            "teacher_accuracy": self._accuracy("teacher"),
        }

    def _track(self, variant: str) -> dict[str, Any]:
        variance = {n: _figure(m) for n, m in self._variance[variant].items()}
        variance.setdefault(LOGITS, None)
        return {
            "explained_variance": variance,
            "top1_agreement": _figure(self._agreement[variant]),
        }

    def _accuracy(self, who: str) -> float | None:
        if not self._labels or not self._images:
            return None
        return self._right[who] / self._images


def _figure(metric: Any) -> float | None:
    """A metric's result, None where there is none or it has no meaning."""
    if metric is None:
        return None
    value = float(ops.convert_to_numpy(metric.result()))
    return value if math.isfinite(value) else None


def _classes(logits: np.ndarray) -> np.ndarray:
    if logits.shape[-1] == 1:
        return (logits[..., 0] > 0).astype(int)
    return logits.argmax(-1)
