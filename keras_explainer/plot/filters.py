"""`filters`: the images in which filters fire most strongly, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from keras_explainer.errors import ConfigError, DataError, whole_number
from keras_explainer.explanation import drawing, summarize
from keras_explainer.explanation.outlines import outlined
from keras_explainer.plot.new_figure import new_figure, show_image
from keras_explainer.results import ExplainerSummary, FilterSummary

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

ROWS = 8
_SIDE = 160


def filters(
    explainer: Explainer | ExplainerSummary,
    images: Any,
    which: Sequence[int] | None = None,
    *,
    columns: int = 8,
    class_index: int | str | None = None,
    part_names: Any = None,
    batch_size: int = 32,
) -> Any:
    """A row for each of some filters: its strongest images, the part outlined.

    Args:
        explainer: With its teacher; or the summary of these images (`summarize`), which
            spares the reading.
        images: `(n, H, W, C)` or an `ImageSubset` or `ImageArray`, RGB 0..255, of the
            teacher's size.
        which: Indices of filters; None: the eight that count most (without
            contributions: that are present most often).
        columns: Images in a row.
        class_index, part_names, batch_size: See `summarize`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ConfigError: matplotlib is not installed; arguments that are not accepted.
        DataError: As `summarize`; a filter that there is not; other images than those
            of the summary.
    """
    columns = whole_number("columns", columns)
    new_figure(1, 1)  # matplotlib, before anything that takes time
    if isinstance(explainer, ExplainerSummary):
        summary = explainer
    else:
        summary = summarize(
            explainer,
            images,
            class_index,
            top=columns,
            part_names=part_names,
            batch_size=batch_size,
            verbose=0,
        )
    if which is None:
        chosen = summary.by_use[:ROWS]
    else:
        chosen = tuple(summary.filter(_index(index)) for index in which)
    if not chosen:
        raise DataError("A figure needs at least one filter.")
    wanted = sorted({top.index for one in chosen for top in one.top[:columns]})
    pictures = _pictures(images, wanted, summary.images)
    figure = new_figure(1.35 * columns + 1.6, 1.45 * len(chosen) + 0.3)
    grid = np.asarray(figure.subplots(len(chosen), columns, squeeze=False))
    for row, one in zip(grid, chosen, strict=True):
        _row(row, one, summary, pictures)
    return figure


def _row(
    row: np.ndarray,
    one: FilterSummary,
    summary: ExplainerSummary,
    pictures: dict[int, Any],
) -> None:
    for axes in row:
        axes.axis("off")
    for axes, top in zip(row, one.top, strict=False):
        axes.axis("on")
        tile = drawing.scaled(drawing.display_image(pictures[top.index]), _SIDE)
        picture = outlined(tile, top.finding.cells, summary.map_size, summary.beta)
        show_image(axes, picture)
        text = f"{top.finding.strength:.2f}"
        if top.finding.contribution is not None:
            text = f"adds {top.finding.contribution:+.2f}"
        axes.set_xlabel(text, fontsize=8, labelpad=2)
    first = row[0]
    if not one.top:
        first.axis("on")
        show_image(first, Image.new("RGB", (_SIDE, _SIDE), drawing.LINE))
    parts = [one.title.replace("$", r"\$")]
    if one.use is not None:
        parts.append(f"use {one.use:.1%}")
    if one.dead:
        parts.append("dead")
    elif one.tracked_part is not None:
        parts.append(f"follows {one.tracked_part}")
    first.set_ylabel(
        "\n".join(parts), rotation=0, ha="right", va="center", fontsize=9, labelpad=8
    )


def _index(index: Any) -> int:
    if isinstance(index, bool) or not isinstance(index, int | np.integer):
        raise ConfigError(f"which are whole numbers, got {index!r}.")
    return int(index)


def _pictures(images: Any, wanted: list[int], count: int) -> dict[int, Any]:
    if len(images) != count:
        raise DataError(
            f"The summary is of {count} images, these are {len(images)}: give the same."
        )
    read = getattr(images, "images", None)
    if callable(read):
        return dict(zip(wanted, read(wanted), strict=True)) if wanted else {}
    return {number: images[number] for number in wanted}
