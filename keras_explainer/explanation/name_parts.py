"""`name_parts`: which part each filter follows, from a few annotated images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_explainer.errors import DataError, whole_number
from keras_explainer.explanation.feature_input import feature_input
from keras_explainer.explanation.filter_groups import filter_groups
from keras_explainer.explanation.readout import Readout
from keras_explainer.metrics import Positions
from keras_explainer.metrics.array_inputs import as_centres
from keras_explainer.metrics.part_tracking import THRESHOLD
from keras_explainer.metrics.positions import arg_max
from keras_explainer.metrics.r2 import MINIMUM_IMAGES, r2
from keras_explainer.results import PartName, PartNames

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

DRAWS = 200
LEAST_CONFIDENCE = 0.5


def name_parts(
    explainer: Explainer,
    images: Any,
    centres: Any = None,
    part_names: Sequence[str] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    batch_size: int = 32,
) -> PartNames:
    """Names filters by the annotated part that they follow, and says how surely.

    The images are drawn again with replacement (a bootstrap), `draws` times. In each
    draw a filter follows the part with the highest R² of its position, if that is at
    least 0.3. Its name is the part that it followed most often; the confidence is how
    often. A filter that follows nothing in half of the draws gets no name. Images that
    the explainer learned from will do: no annotation was learned from.

    Args:
        explainer: With its teacher.
        images: In any form that `explain` takes; ten that show a part are enough, at
            least 8.
        centres: (N, P, 2) part centres in pixels (y, x), NaN where a part is not
            shown; None takes those of an `ImageSubset`.
        part_names: P names; None takes those of an `ImageSubset`.
        draws: See above.
        seed: Of the draws.
        batch_size: Images at a time.

    Returns:
        Names with their confidence, and groups of filters whose positions lie together
        (`filter_groups`).

    Raises:
        DataError: No annotations, of another number of images, or fewer than 8
            images that show a part.
    """
    draws = whole_number("draws", draws)
    given_centres = getattr(images, "centres", None) if centres is None else centres
    given_names = (
        getattr(images, "part_names", None) if part_names is None else part_names
    )
    if given_centres is None or not given_names:
        raise DataError(
            "Parts are named from annotated images: give centres= and part_names=, or "
            "the test images of an ImageFolder with a parts.csv."
        )
    found, _ = read_positions(explainer, images, batch_size)
    marked = as_centres(given_centres, len(found.cell))
    names = [str(name) for name in given_names]
    if marked.shape[1] != len(names):
        raise DataError(
            f"There are centres of {marked.shape[1]} parts but {len(names)} names."
        )
    shown = (~np.isnan(marked[..., 0])).sum(0)
    if shown.max(initial=0) < MINIMUM_IMAGES:
        most = ", ".join(f"{n} {c}" for n, c in zip(names, shown, strict=True))
        raise DataError(
            f"At least {MINIMUM_IMAGES} images must show a part to name filters by it; "
            f"these show: {most}."
        )
    wins = _wins(found, marked, draws, seed)
    score = r2(found, marked)
    best = wins.argmax(1)
    entries = [
        PartName(
            filter=f,
            name=names[part],
            confidence=float(wins[f, part]),
            r2=float(score[f, part]) if np.isfinite(score[f, part]) else None,
            images=int(shown[part]),
        )
        for f, part in enumerate(best)
        if wins[f, part] >= LEAST_CONFIDENCE
    ]
    return PartNames(
        filters=explainer.part_count,
        fingerprint=explainer.filters_fingerprint,
        names=tuple(entries),
        groups=filter_groups(found),
    )


def _wins(found: Positions, centres: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(F, P) share of the draws in which a filter follows a part most closely."""
    random = np.random.default_rng(seed)
    images, filters = found.cell.shape
    wins = np.zeros((filters, centres.shape[1]))
    every = np.arange(filters)
    for _ in range(draws):
        again: np.ndarray = random.integers(0, images, size=(images,))
        score = r2(found, centres, again)
        best = score.argmax(1)
        wins[every, best] += score[every, best] >= THRESHOLD
    return wins / draws


def read_positions(
    explainer: Explainer, images: Any, batch_size: int = 32
) -> tuple[Positions, np.ndarray]:
    """Positions of the filters, and which parts are present.

    Args:
        explainer: With its teacher.
        images: In any form that `explain` takes.
        batch_size: Images at a time.

    Returns:
        Positions of F filters in N images, and (N, F) bool.

    Raises:
        DataError: As `explain`.
    """
    readout = Readout.of(explainer)
    cells, strengths = [], []
    for tap, targets in feature_input(explainer, images, batch_size).batches():
        maps = readout.read(tap, targets, batch_size)[0]["maps"]
        cell, strength = arg_max(maps.astype("float64"))
        cells.append(cell)
        strengths.append(strength)
    if not cells:
        raise DataError("There are no images: the dataset is empty.")
    teacher = explainer.teacher
    found = Positions(
        np.concatenate(cells),
        np.concatenate(strengths),
        teacher.tap_shape[:2],
        teacher.input_shape[:2],
    )
    return found, explainer.presence.present(found.strength)
