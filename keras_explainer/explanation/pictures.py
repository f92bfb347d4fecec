"""Pictures of explanations: parts outlined on the image, with a legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from keras_explainer.errors import ConfigError, DataError
from keras_explainer.explanation import drawing
from keras_explainer.explanation.drawing import GREY, INK, LINE, PAPER
from keras_explainer.results import ClassScore, Explanation, PartFinding
from keras_explainer.results.plain_text import decimal, signed

IMAGE_SIDE = 640
_PANEL, _MARGIN, _GAP = 380, 24, 28
_ROW = 62


def explanation_picture(
    image: Any, explanation: Explanation, *, parts: int = 6
) -> Image.Image:
    """The image with its first parts outlined, beside a legend.

    The bar beside a part is what it is ranked by: its contribution, as an outline where
    it speaks against the class, or its relative strength where there are none.

    An outline is where a part's mask is at least 0.5; a numbered marker stands at the
    part's position, or beside it where others stand there. Numbers and colours are
    those of the legend. Parts with the same area share an outline of dashes.

    Args:
        image: The image, see `drawing.display_image`; of any size, if it shows the same
            as the one that was explained.
        explanation: Of that image.
        parts: How many parts, by rank, of those that are present.

    Returns:
        An RGB picture; the image's longer side is `IMAGE_SIDE` pixels.

    Raises:
        DataError: What is no image.
        ConfigError: `parts` is no whole number from 1.
    """
    if isinstance(parts, bool) or not isinstance(parts, int) or parts < 1:
        raise ConfigError(f"parts is a whole number from 1, got {parts!r}.")
    photo = drawing.scaled(drawing.display_image(image), IMAGE_SIDE)
    shown = explanation.present[:parts]
    coloured = [(part, drawing.colour_of(at)) for at, part in enumerate(shown)]
    drawing.draw_outlines(photo, explanation, coloured[::-1], width=3.5)
    _draw_markers(photo, explanation, shown)
    legend = _legend(explanation, shown)
    height = max(photo.height, legend.height) + 2 * _MARGIN
    width = photo.width + legend.width + 2 * _MARGIN + _GAP
    picture = Image.new("RGB", (width, height), PAPER)
    picture.paste(photo, (_MARGIN, _MARGIN))
    picture.paste(legend, (_MARGIN + photo.width + _GAP, _MARGIN))
    return picture


def _draw_markers(
    photo: Image.Image, explanation: Explanation, shown: Sequence[PartFinding]
) -> None:
    """Numbers at the positions, moved aside where they would cover each other."""
    radius = 14.0
    scale = np.array([photo.width, photo.height]) / explanation.image_size[::-1]
    points = [np.array((p.position or (0.0, 0.0))[::-1]) * scale for p in shown]
    places: list[np.ndarray] = []
    for point in points:
        places.append(_free_place(point, places, radius, photo.size))
    draw = ImageDraw.Draw(photo)
    for at, (point, place) in reversed(
        list(enumerate(zip(points, places, strict=True)))
    ):
        if np.hypot(*(place - point)) > 2.5 * radius:
            for colour, width in ((INK, 6), (drawing.colour_of(at), 3)):
                draw.line([*point, *place], fill=colour, width=width)
    for point in points:
        drawing.draw_disc(photo, (point[0], point[1]), 4, INK)
    for at, place in reversed(list(enumerate(places))):
        drawing.draw_disc(
            photo, (place[0], place[1]), radius, drawing.colour_of(at), str(at + 1)
        )


def _free_place(
    point: np.ndarray, taken: list[np.ndarray], radius: float, size: tuple[int, int]
) -> np.ndarray:
    """The place nearest to `point` where a disc covers no other, inside the image."""
    low, high = np.full(2, radius), np.maximum(np.array(size) - radius, radius)
    for ring in np.arange(0, max(size), radius / 2):
        for angle in np.arange(24) * (np.pi / 12) - np.pi / 2:
            place = point + ring * np.array([np.cos(angle), np.sin(angle)])
            place = np.clip(place, low, high)
            if all(np.hypot(*(place - other)) >= 2 * radius for other in taken):
                return place
    return np.clip(point, low, high)


def _legend(explanation: Explanation, shown: Sequence[PartFinding]) -> Image.Image:
    lines = _heading(explanation)
    rows = max(1, len(shown))
    height = 34 + 24 * len(lines) + 18 + _ROW * rows + 50
    panel = Image.new("RGB", (_PANEL, height), PAPER)
    draw = ImageDraw.Draw(panel)

    def write(
        x: float, y: float, text: str, size: int, colour: Any = INK, **cut: bool
    ) -> None:
        fit = drawing.fitted(text, size, _PANEL - x, **cut)
        draw.text((x, y), fit, fill=colour, font=drawing.font(size), anchor="ls")

    y = 18
    write(0, y, explanation.title, 20, keep_end=True)
    for name, value in lines:
        y += 24
        write(0, y, name, 15, GREY)
        write(120, y, value, 15)
    y += 16
    draw.line([0, y, _PANEL, y], fill=LINE, width=1)
    if not shown:
        write(0, y + 36, "No filter finds its part in this image.", 16)
    largest = max((abs(_counted(part)) for part in shown), default=0.0)
    for at, part in enumerate(shown):
        _legend_row(panel, y + at * _ROW, at, part, largest, write)
    if not shown:
        return panel
    y += _ROW * rows + 22
    write(0, y, "Outline: where a part's mask is at least half.", 13, GREY)
    rank = "Rank: relative strength, by the filter's own scale."
    if explanation.contributions is not None:
        rank = "Rank: what a part adds to the class' logit."
    write(0, y + 19, rank, 13, GREY)
    return panel


def _legend_row(
    panel: Image.Image,
    top: int,
    at: int,
    part: PartFinding,
    largest: float,
    write: Any,
) -> None:
    colour = drawing.colour_of(at)
    drawing.draw_disc(panel, (15, top + 31), 14, colour, str(at + 1))
    write(42, top + 28, part.title, 17)
    place = part.position or (0.0, 0.0)
    text = (
        f"strength {decimal(part.strength, 2)}, relative "
        f"{decimal(part.relative_strength, 1)}"
        if part.contribution is None
        else f"adds {signed(part.contribution, 2)}, strength "
        f"{decimal(part.strength, 2)}"
    )
    write(42, top + 48, f"{text};  y {place[0]:.0f}, x {place[1]:.0f}", 14, GREY)
    if largest > 0:
        # Beside the title, so that ranks can be compared at a glance.
        left, right = 222, _PANEL
        end = left + (right - left) * abs(_counted(part)) / largest
        draw = ImageDraw.Draw(panel)
        draw.rectangle([left, top + 18, right, top + 26], fill=LINE)
        # What speaks against the class is an outline.
        against = _counted(part) < 0
        draw.rectangle(
            [left, top + 18, end, top + 26],
            fill=None if against else colour,
            outline=colour,
        )


def _counted(part: PartFinding) -> float:
    """What parts are ranked by."""
    given = part.contribution
    return part.relative_strength if given is None else given


def _heading(explanation: Explanation) -> list[tuple[str, str]]:
    lines = []
    if explanation.answer is not None:
        lines.append(("teacher", _score(explanation.answer)))
    other = explanation.explained
    if other is not None and other != explanation.answer:
        lines.append(("explained", _score(other)))
    if explanation.reconstruction is not None:
        lines.append(("reconstruction", _score(explanation.reconstruction)))
        own = explanation.reconstruction_answer
        if own and own.class_index != explanation.reconstruction.class_index:
            lines.append(("its own answer", _score(own)))
    shared = explanation.contributions
    if shared is None:
        lines.append(("share of parts", f"p = {decimal(explanation.share, 2)}"))
    else:
        lines.append(
            (
                "logit",
                f"{shared.change:+.1f}: filters {shared.filters:+.1f}, rest "
                f"{shared.ordinary:+.1f}",
            )
        )
    lines += [("warning", warning) for warning in explanation.warnings]
    return lines


def _score(score: ClassScore) -> str:
    return f"{decimal(score.score, 3)}  {score.title}"


def part_grid(
    images: Any,
    explanations: Sequence[Explanation],
    filters: Sequence[int],
    *,
    columns: int = 8,
    side: int = 128,
    strongest: bool = False,
) -> Image.Image:
    """A row of images for each of some filters, the filter's part outlined in each.

    Args:
        images: Those that were explained, in their order: an array `(n, H, W, C)`, a
            list of images, or an image set such as `ImageSubset`.
        explanations: Of all of them, made without `k`.
        filters: Indices of filters, a row each.
        columns: Images in a row, at most.
        side: Of an image's longer side, in pixels.
        strongest: Whether each row shows the images on which its filter is strongest;
            else all rows show the first images. An image without the part is paler.

    Returns:
        An RGB picture.

    Raises:
        DataError: No images, other numbers of images and explanations, a filter that
            the explanations do not have, what is no image.
        ConfigError: `columns` or `side` is no whole number from 1 (`side`: from 32).
    """
    for name, value, least in (("columns", columns, 1), ("side", side, 32)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(f"{name} is a whole number from {least}, got {value!r}.")
    if not len(explanations) or not len(filters):
        raise DataError("A grid needs at least one explanation and one filter.")
    if len(images) != len(explanations):
        raise DataError(
            f"There are {len(images)} images but {len(explanations)} explanations."
        )
    height, width = explanations[0].image_size
    factor = side / max(height, width)
    tall, wide = max(1, round(height * factor)), max(1, round(width * factor))
    columns = min(columns, len(explanations))
    head, gap = 132, 6
    picture = Image.new(
        "RGB",
        (
            head + columns * (wide + gap) + 2 * gap,
            len(filters) * (tall + gap) + 2 * gap,
        ),
        PAPER,
    )
    draw = ImageDraw.Draw(picture)
    for row, filter in enumerate(filters):
        found = [explanation.part(int(filter)) for explanation in explanations]
        chosen = np.arange(columns)
        if strongest:
            order = np.argsort([-part.strength for part in found], kind="stable")
            chosen = order[:columns]
        top = gap + row * (tall + gap)
        here = sum(part.present for part in found)
        title = drawing.fitted(found[0].title, 16, head - 2 * gap)
        middle = top + tall / 2
        draw.text(
            (2 * gap, middle - 4), title, fill=INK, font=drawing.font(16), anchor="ls"
        )
        draw.text(
            (2 * gap, middle + 15),
            f"in {here} of {len(found)}",
            fill=GREY,
            font=drawing.font(13),
            anchor="ls",
        )
        for column, at in enumerate(chosen):
            tile = _tile(_image(images, int(at)), (wide, tall))
            _outline_tile(tile, explanations[int(at)], found[int(at)])
            picture.paste(tile, (head + gap + column * (wide + gap), top))
    return picture


def _image(images: Any, index: int) -> Any:
    read = getattr(images, "images", None)
    return read([index])[0] if callable(read) else images[index]


def _tile(image: Any, size: tuple[int, int]) -> Image.Image:
    shown = drawing.display_image(image)
    few = size[0] >= 6 * shown.width
    how = Image.Resampling.NEAREST if few else Image.Resampling.LANCZOS
    return shown.resize(size, how)


def _outline_tile(
    tile: Image.Image, explanation: Explanation, part: PartFinding
) -> None:
    if not part.present or part.position is None:
        pale = Image.new("RGB", tile.size, PAPER)
        tile.paste(Image.blend(tile, pale, 0.6))
        return
    colour = drawing.colour_of(2)
    width = max(1.5, max(tile.size) / 55)
    drawing.draw_outlines(tile, explanation, [(part, colour)], width)
    scale = np.array(tile.size) / explanation.image_size[::-1]
    x, y = np.array(part.position[::-1]) * scale
    drawing.draw_disc(tile, (x, y), width * 1.6, colour)
