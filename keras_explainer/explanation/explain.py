"""`explain`: per image the filters, their positions in pixels and their strengths."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_explainer.errors import ConfigError, DataError
from keras_explainer.explainer.learning import progress_bar
from keras_explainer.explanation.answers import Answers
from keras_explainer.explanation.feature_input import FeatureInput, feature_input
from keras_explainer.explanation.geometry import part_box
from keras_explainer.explanation.ranking import mean_activations, rank, scales
from keras_explainer.explanation.readout import Readout
from keras_explainer.metrics import Positions, positions
from keras_explainer.results import Explanation, Explanations, PartFinding
from keras_explainer.teachers import Teacher

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

logger = logging.getLogger(__name__)


def explain(
    explainer: Explainer,
    images: Any,
    *,
    k: int | None = None,
    names: Iterable[str] | None = None,
    batch_size: int = 32,
    verbose: Any = "auto",
) -> Explanations:
    """Explains images: which filters fire, where, how strongly, for which answer.

    The teacher runs once per image; no more than a batch of features and maps is in
    memory. The result takes about 0.7 kB for each filter and image: with many images
    give `k`, or use `iter_explanations`.

    Args:
        explainer: With its teacher.
        images: `(n, H, W, C)` or one image `(H, W, C)` of the teacher's input size, RGB
            0..255; a list of images of one size; an `ImageSubset` or `ImageArray`; a
            dataset that gives batches of images; a `FeatureCache`.
        k: Keep the `k` strongest parts that are present; None keeps all filters.
        names: Of the images, one each; None takes the files of an image folder.
        batch_size: Images at a time.
        verbose: 0 for no progress bar, "auto" for one on a terminal.

    Returns:
        One `Explanation` an image, in the order of the images.

    Raises:
        TeacherError: The explainer has no teacher.
        DataError: No images, images that do not fit the teacher, features or maps that
            are not finite, another number of names than of images.
        ConfigError: `k` or `batch_size` is no whole number from 1.
    """
    job = _Job(explainer, images, k, names, batch_size)
    items = []
    with progress_bar("Explanations", verbose) as progress:
        for item in job.run():
            items.append(item)
            if progress and (len(items) % batch_size == 0 or len(items) == job.count):
                progress(len(items), job.count or 0)
    card = explainer.teacher_card or {}
    return Explanations(
        items=tuple(items),
        teacher=str(card["name"]),
        tap=str(card["tap"]),
        fingerprint=str(card["fingerprint"]),
        share=explainer.share,
        filters=explainer.filters,
    )


def iter_explanations(
    explainer: Explainer,
    images: Any,
    *,
    k: int | None = None,
    names: Iterable[str] | None = None,
    batch_size: int = 32,
) -> Iterator[Explanation]:
    """As `explain`, one explanation after the other, of which none is kept.

    Raises:
        TeacherError, DataError, ConfigError: As `explain`; for arguments at once, for
            an image when its turn comes.
    """
    return _Job(explainer, images, k, names, batch_size).run()


class _Job:
    """One call of `explain`: its checked arguments and what is read once."""

    def __init__(
        self,
        explainer: Explainer,
        images: Any,
        k: int | None,
        names: Iterable[str] | None,
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
        self.k = k
        self.input: FeatureInput = feature_input(explainer, images, batch_size)
        self.count = self.input.count
        self.names = self._checked_names(names)
        if float(ops.convert_to_numpy(explainer.statistics.started)) == 0:
            logger.warning(
                "This explainer has not learned yet: its filters are random. Call fit."
            )
        self._check_weights()
        self.scales = scales(mean_activations(explainer))
        self.share = explainer.share
        self.image_size = self.teacher.input_shape[:2]
        self.map_size = self.teacher.tap_shape[:2]
        self.batch_size = int(batch_size)
        self.readout = Readout.of(explainer)
        self.part_mask = explainer.encoder.conv_2.part_mask

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

    def _check_weights(self) -> None:
        # Not seen in the maps: TensorFlow's fused ReLU makes 0 of NaN on some machines.
        layers = self.explainer.encoder, self.explainer.decoder
        for variable in [one for layer in layers for one in layer.weights]:
            values = ops.convert_to_numpy(ops.cast(variable, "float32"))
            if not np.isfinite(values).all():
                raise DataError(
                    f"The explainer's weights {variable.path} hold NaN or infinity: it "
                    "is damaged. Learn again, or load a good file."
                )

    def run(self) -> Iterator[Explanation]:
        """The explanations, batch by batch."""
        index = 0
        for tap, targets in self.input.batches():
            yield from self._batch(index, tap, targets)
            index += len(tap)
        if not index:
            raise DataError("There are no images: the dataset is empty.")
        if self.names is not None and len(self.names) != index:
            raise DataError(f"There are {index} images but {len(self.names)} names.")

    def _batch(
        self, index: int, tap: np.ndarray, targets: dict[str, np.ndarray]
    ) -> Iterator[Explanation]:
        read, given, again = self.readout.read(tap, targets, self.batch_size)
        self._check(index, "The teacher gives", tap, given)
        self._check(index, "The explainer gives", read["maps"], again)
        found = positions(read["maps"], self.image_size)
        others = _other_peaks(read["maps"], read.get("masks"), found)
        for row in range(len(tap)):
            yield self._explanation(index + row, row, found, others, given, again)

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

    def _explanation(
        self,
        index: int,
        row: int,
        found: Positions,
        others: np.ndarray | None,
        given: Answers | None,
        again: Answers | None,
    ) -> Explanation:
        strength = found.strength[row]
        present = ~found.silent[row]
        relative = strength / self.scales
        order = rank(relative, present)
        if self.k is not None:
            order = order[: min(self.k, int(present.sum()))]
        if self.names is not None and index >= len(self.names):
            raise DataError(f"There are more images than the {len(self.names)} names.")
        answer = reconstruction = own = None
        if given is not None and again is not None:
            top = given.top(row)
            answer, reconstruction = given.score(row, top), again.score(row, top)
            own = again.score(row, again.top(row))
        return Explanation(
            index=index,
            image=None if self.names is None else self.names[index],
            image_size=(int(self.image_size[0]), int(self.image_size[1])),
            answer=answer,
            reconstruction=reconstruction,
            reconstruction_answer=own,
            share=self.share,
            filters=self.explainer.filters,
            map_size=(int(self.map_size[0]), int(self.map_size[1])),
            beta=self.part_mask.beta,
            parts=tuple(
                self._part(
                    int(at),
                    float(strength[at]),
                    float(relative[at]),
                    int(found.cell[row, at]),
                    None if others is None else others[row, :, :, at],
                )
                for at in order
            ),
        )

    def _part(
        self,
        filter: int,
        strength: float,
        relative: float,
        flat_cell: int,
        others: np.ndarray | None,
    ) -> PartFinding:
        silent = strength <= 0
        cell = divmod(flat_cell, self.map_size[1])
        further = () if others is None or silent else tuple(_pairs(others))
        return PartFinding(
            filter=filter,
            present=not silent,
            strength=strength,
            relative_strength=relative,
            cell=None if silent else cell,
            position=None if silent else self.teacher.geometry.cell_centre(*cell),
            box=(
                None
                if silent
                else part_box(
                    (cell, *further),
                    self.image_size,
                    self.map_size,
                    self.part_mask.beta,
                )
            ),
            other_cells=further,
        )


def _other_peaks(
    maps: np.ndarray, masks: np.ndarray | None, found: Positions
) -> np.ndarray | None:
    """(n, H, W, F) true at the peaks that the mask kept beside the strongest.

    The mask is 1 at its peaks only. Where a map is 0 outside of the masks before, the
    layer puts a further one on silent cells: these are no peaks.
    """
    if masks is None:
        return None
    peaks = (masks == 1) & (maps > 0)
    flat = peaks.reshape(len(peaks), -1, peaks.shape[-1])
    np.put_along_axis(flat, found.cell[:, None], False, axis=1)
    return flat.reshape(peaks.shape)


def _pairs(cells: np.ndarray) -> Iterator[tuple[int, int]]:
    for row, column in np.argwhere(cells):
        yield int(row), int(column)
