"""`ExplanationJob`: one call of `explain`, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_explainer.errors import ConfigError, DataError, did_you_mean, whole_number
from keras_explainer.explanation.ablation import ablation
from keras_explainer.explanation.answers import Answers
from keras_explainer.explanation.class_choice import chosen_class, no_contributions
from keras_explainer.explanation.feature_input import FeatureInput, feature_input
from keras_explainer.explanation.findings import Findings
from keras_explainer.explanation.integrated_gradients import (
    Attribution,
    integrated_gradients,
)
from keras_explainer.explanation.part_naming import resolve_part_names
from keras_explainer.explanation.path_gradients import PathGradients, Tracks
from keras_explainer.explanation.ranking import mean_activations, scales
from keras_explainer.explanation.read_batch import ReadBatch
from keras_explainer.explanation.readout import Readout
from keras_explainer.explanation.shapley import shapley
from keras_explainer.explanation.weight_check import check_weights
from keras_explainer.results import Contributions, Explanation
from keras_explainer.results.contributions import METHODS
from keras_explainer.teachers import Teacher

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

_SLOWER = {"ablation": ablation, "shapley": shapley}


class ExplanationJob:
    """The checked arguments of `explain`, and what is read once for all images.

    Args:
        explainer, images, class_index, k, contributions, steps, tolerance, names,
            part_names, batch_size: see `explain`, and what it raises.

    Attributes:
        count: Number of images, None where it is not known before.
    """

    def __init__(
        self,
        explainer: Explainer,
        images: Any,
        class_index: Any,
        *,
        k: Any,
        contributions: str | None,
        steps: int | None,
        tolerance: float | None,
        names: Iterable[str] | None,
        part_names: Any,
        batch_size: int,
    ) -> None:
        self.explainer = explainer
        self.teacher: Teacher = explainer.teacher
        if k is not None and (
            isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1
        ):
            raise ConfigError(
                f"k is a whole number from 1, or None for all filters; got {k!r}."
            )
        if contributions is not None and contributions not in METHODS:
            raise ConfigError(
                f"contributions is {', '.join(map(repr, METHODS))} or None, got "
                f"{contributions!r}. {did_you_mean(str(contributions), METHODS)}"
            )
        self.k = None if k is None else int(k)
        self.class_index = chosen_class(self.teacher, class_index)
        self.steps = None if steps is None else whole_number("steps", steps)
        if tolerance is not None and not (
            isinstance(tolerance, int | float) and tolerance > 0
        ):
            raise ConfigError(
                f"tolerance is a number above 0, or None; got {tolerance!r}."
            )
        self.tolerance = tolerance
        self.input: FeatureInput = feature_input(explainer, images, batch_size)
        self.count = self.input.count
        self.names = self._checked_names(names)
        self.part_names = resolve_part_names(explainer, part_names)
        check_weights(explainer)
        self.method = contributions
        self.why_not = "they were not asked for"
        if contributions is not None:
            why = no_contributions(explainer)
            if why is not None:
                self.method, self.why_not = None, why
        if self.method is not None:
            self.programs = PathGradients.of(explainer)
            self.baseline = self.programs.baseline()
        self.scales = scales(mean_activations(explainer))
        self.share = explainer.share
        self.batch_size = int(batch_size)
        self.readout = Readout.of(explainer)

    def _checked_names(self, names: Iterable[str] | None) -> list[str] | None:
        if names is None:
            return self.input.names
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            if not isinstance(name, str):
                raise DataError(f"names are texts, got {type(name).__name__}.")
        if self.count is not None and len(names) != self.count:
            raise DataError(f"There are {self.count} images but {len(names)} names.")
        return names

    def run(self) -> Iterator[Explanation]:
        """The explanations, batch by batch."""
        for batch in self.batches():
            for row in range(len(batch)):
                yield self.explanation(batch, row)

    def batches(self) -> Iterator[ReadBatch]:
        """What is read of the images, batch by batch.

        Raises:
            DataError: There are no images, another number of names, a teacher or an
                explainer that gives NaN or infinity.
        """
        index = 0
        for tap, targets in self.input.batches():
            yield self._read(index, tap, targets)
            index += len(tap)
        if not index:
            raise DataError("There are no images: the dataset is empty.")
        if self.names is not None and len(self.names) != index:
            raise DataError(f"There are {index} images but {len(self.names)} names.")

    def _read(
        self, index: int, tap: np.ndarray, targets: dict[str, np.ndarray]
    ) -> ReadBatch:
        read, given, again = self.readout.read(tap, targets, self.batch_size)
        self._check(index, "The teacher gives", tap, given)
        self._check(index, "The explainer gives", read["maps"], again)
        classes = np.zeros(len(tap), int)
        if given is not None:
            classes = given.outputs.argmax(1)
            if self.class_index is not None:
                classes[:] = self.class_index
        tracks = {name: read[name] for name in ("interpretable", "ordinary")}
        return ReadBatch(
            index=index,
            maps=read["maps"],
            classes=classes,
            findings=Findings(self.explainer, read["maps"], read.get("masks")),
            given=given,
            again=again,
            shared=self._attribution(index, tracks, classes, again),
        )

    def _attribution(
        self, index: int, tracks: Tracks, classes: np.ndarray, again: Answers | None
    ) -> Attribution | None:
        if self.method is None or again is None or again.logits is None:
            return None
        if self.method in _SLOWER:
            slower = _SLOWER[self.method]
            found = slower(self.programs, tracks, classes, batch_size=self.batch_size)
        else:
            rows = np.arange(len(classes))
            found = integrated_gradients(
                self.programs,
                tracks,
                classes,
                again.logits[rows, classes] - self.baseline[classes],
                steps=self.steps,
                tolerance=self.tolerance,
                batch_size=self.batch_size,
            )
        good = np.isfinite(found.shares).all(1)
        if not good.all():
            raise DataError(
                "The gradients are NaN or infinity for image "
                f"{index + int(good.argmin())}: the explainer's weights are at fault."
            )
        return found

    def _check(
        self, index: int, who: str, maps: np.ndarray, answer: Answers | None
    ) -> None:
        good = np.isfinite(maps).all((1, 2, 3))
        if answer is not None:
            good &= np.isfinite(answer.outputs).all(1)
            if answer.logits is not None:
                good &= np.isfinite(answer.logits).all(1)
        if not good.all():
            raise DataError(
                f"{who} NaN or infinity for image {index + int(good.argmin())}: its "
                "weights or the image are at fault."
            )

    def explanation(self, batch: ReadBatch, row: int) -> Explanation:
        """The explanation of an image of a batch."""
        index, class_index = batch.index + row, int(batch.classes[row])
        findings, shared = batch.findings, batch.shared
        given, again = batch.given, batch.again
        if self.names is not None and index >= len(self.names):
            raise DataError(f"There are more images than the {len(self.names)} names.")
        answer = explained = reconstruction = own = None
        if given is not None and again is not None:
            answer = given.score(row, given.top(row))
            explained = given.score(row, class_index)
            reconstruction = again.score(row, class_index)
            own = again.score(row, again.top(row))
        return Explanation(
            index=index,
            image=None if self.names is None else self.names[index],
            image_size=findings.image_size,
            answer=answer,
            explained=explained,
            reconstruction=reconstruction,
            reconstruction_answer=own,
            activation=self.teacher.logits_activation if answer else None,
            share=self.share,
            filters=self.explainer.part_count,
            map_size=findings.map_size,
            beta=findings.beta,
            parts=findings.parts(
                row,
                self.scales,
                None if shared is None else shared.shares[row, :-1],
                self.part_names,
                self.k,
                None if shared is None or shared.cells is None else shared.cells[row],
            ),
            contributions=self._contributions(row, class_index, again, shared),
            no_contributions=self.why_not if shared is None else None,
            presence_calibrated=findings.calibrated,
        )

    def _contributions(
        self,
        row: int,
        class_index: int,
        again: Answers | None,
        shared: Attribution | None,
    ) -> Contributions | None:
        if shared is None or again is None or again.logits is None:
            return None
        baseline = float(self.baseline[class_index])
        return Contributions(
            method=str(self.method),
            filters=float(shared.shares[row, :-1].sum()),
            ordinary=float(shared.shares[row, -1]),
            baseline=baseline,
            change=float(again.logits[row, class_index]) - baseline,
            steps=int(shared.steps[row]),
        )
