"""Drawing with Pillow: images for display, outlines of parts, markers, text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_explainer.errors import DataError
from keras_explainer.explanation.geometry import AREA_LEVEL, unclipped_mask
from keras_explainer.results import Explanation, PartFinding
from keras_explainer.results.plain_text import one_line

Colour = tuple[int, int, int]

# Okabe and Ito's palette (2008), which the colour-blind can tell apart; the order keeps
# neighbours far from each other. A number beside each colour says the same.
PALETTE: tuple[Colour, ...] = (
    (213, 94, 0),
    (86, 180, 233),
    (240, 228, 66),
    (0, 158, 115),
    (204, 121, 167),
    (0, 114, 178),
    (230, 159, 0),
)
INK: Colour = (31, 35, 40)
GREY: Colour = (89, 99, 110)
LINE: Colour = (216, 222, 228)
PAPER: Colour = (255, 255, 255)

_FINE = 2  # Outlines are drawn this much larger, then averaged.


def colour_of(rank: int) -> Colour:
    """The colour of the part at a rank, from 0; they repeat after seven."""
    return PALETTE[rank % len(PALETTE)]


@lru_cache(maxsize=32)
def font(size: int) -> Any:
    """Pillow's own TrueType font."""
    return ImageFont.load_default(size=size)


def fitted(text: str, size: int, width: float, *, keep_end: bool = False) -> str:
    """`text` on one line, cut where it is wider than `width` pixels.

    Args:
        text: Any text.
        size: Of the font.
        width: In pixels.
        keep_end: Cut off the start, as of a path, instead of the end.
    """
    text = one_line(text)
    if font(size).getlength(text) <= width:
        return text

    def cut(count: int) -> str:
        kept = text[len(text) - count :] if keep_end else text[:count]
        return "…" + kept.lstrip() if keep_end else kept.rstrip() + "…"

    low, high = 0, len(text)
    while low < high:  # the most characters that fit
        middle = (low + high + 1) // 2
        if font(size).getlength(cut(middle)) <= width:
            low = middle
        else:
            high = middle - 1
    return cut(low)


def display_image(image: Any) -> Image.Image:
    """An image as RGB.

    Args:
        image: A Pillow image, or an array `(H, W, C)` or `(H, W)` of 0..255. One
            channel is grey, of more than three the first three are shown, two are
            averaged. Other values than 0..255 are shown from their lowest, black, to
            their highest, white.

    Raises:
        DataError: Another shape or type, NaN or infinite values.
    """
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or 0 in array.shape or array.dtype.kind not in "uif":
        raise DataError(
            "A picture is made of one image, an array (height, width, channels) of "
            f"numbers; got {array.dtype} with shape {np.shape(image)}."
        )
    if array.shape[2] == 2:
        array = array.mean(2, keepdims=True)
    array = array[:, :, :3]
    if array.dtype != np.uint8:
        array = _to_bytes(array.astype("float64"))
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return Image.fromarray(np.ascontiguousarray(array))


def _to_bytes(array: np.ndarray) -> np.ndarray:
    if not np.isfinite(array).all():
        raise DataError("The image holds NaN or infinite values.")
    low, high = float(array.min()), float(array.max())
    if (low < 0 or high > 255) and high > low:
        array = (array - low) * (255 / (high - low))
    elif 0 < high <= 1 and not (array == np.floor(array)).all():
        array = array * 255
    return np.rint(array).clip(0, 255).astype("uint8")


def scaled(image: Image.Image, longest: int, least: int = 1) -> Image.Image:
    """The image with its longer side at `longest` pixels, its shape kept.

    Few pixels are enlarged as squares, so that no detail appears that is not there.
    """
    factor = longest / max(image.size)
    size = tuple(max(least, round(side * factor)) for side in image.size)
    how = Image.Resampling.NEAREST if factor >= 6 else Image.Resampling.LANCZOS
    return image.resize((size[0], size[1]), how)


def draw_outlines(
    canvas: Image.Image,
    explanation: Explanation,
    parts: Sequence[tuple[PartFinding, Colour]],
    width: float,
) -> None:
    """Draws onto an image where the parts' masks are at least `AREA_LEVEL`.

    Parts with the same area share its outline, each with dashes of its colour. The
    outline closes along the image's border.

    Args:
        canvas: The image, of any size; changed in place.
        explanation: Of the image.
        parts: Each with a colour; the last are drawn on top. Silent ones are left out.
        width: Of the lines, in pixels of the canvas.
    """
    groups: dict[frozenset[tuple[int, int]], list[Colour]] = {}
    for part, colour in parts:
        if part.cells:
            groups.setdefault(frozenset(part.cells), []).append(colour)
    for cells, colours in groups.items():
        _draw_area(
            canvas, cells, explanation.map_size, explanation.beta, colours, width
        )


def draw_area(
    canvas: Image.Image,
    cells: Iterable[tuple[int, int]],
    map_size: tuple[int, int],
    beta: float,
    colour: Colour,
    width: float,
) -> None:
    """Draws the outline of one part, see `draw_outlines`.

    Args:
        canvas: Changed in place.
        cells: (row, column) of the mask's peaks; none draws nothing.
        map_size: (rows, columns).
        beta: Slope of the mask.
        colour, width: Of the line, in pixels.
    """
    peaks = frozenset(cells)
    if peaks:
        _draw_area(canvas, peaks, map_size, beta, [colour], width)


def _draw_area(
    canvas: Image.Image,
    cells: frozenset[tuple[int, int]],
    map_size: tuple[int, int],
    beta: float,
    colours: Sequence[Colour],
    width: float,
) -> None:
    size = (canvas.height * _FINE, canvas.width * _FINE)
    mask = unclipped_mask(sorted(cells), size, map_size, beta)
    slope = _slope(size, map_size, beta)
    # An edge of the opposite brightness, so that a line shows on any photograph.
    casing = _band(mask, slope, _FINE * width * 1.9)
    paste(canvas, _readable_on(colours[0]), casing, 0.75)
    band = _band(mask, slope, _FINE * width)
    sector = _sectors(mask, len(colours)) if len(colours) > 1 else None
    for at, colour in enumerate(colours):
        paste(canvas, colour, band if sector is None else band & (sector == at))


def _slope(size: tuple[int, int], map_size: tuple[int, int], beta: float) -> float:
    """By how much a mask falls over a pixel, straight towards its outline."""
    rows, columns = map_size
    per_cell = beta / max(rows, columns)
    return per_cell * float(np.hypot(rows / size[0], columns / size[1]))


def _band(mask: np.ndarray, slope: float, width: float) -> np.ndarray:
    """The pixels within `width / 2` of the area's outline, inside the image."""
    reach = slope * width / 2
    band = np.abs(mask - AREA_LEVEL) <= reach
    edge = max(1, round(width / 2))
    border = np.ones(mask.shape, bool)
    border[edge:-edge, edge:-edge] = False
    return band | (border & (mask >= AREA_LEVEL))


def _sectors(mask: np.ndarray, colours: int) -> np.ndarray:
    """Which of several colours a pixel of a shared outline has: by its direction."""
    area = np.argwhere(mask >= AREA_LEVEL)
    top, left = area.min(0) if len(area) else (0, 0)
    bottom, right = area.max(0) if len(area) else mask.shape
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    angle = np.arctan2(rows - (top + bottom) / 2, columns - (left + right) / 2)
    dashes = colours * max(2, 16 // colours)
    return np.floor((angle / (2 * np.pi) + 0.5) * dashes).astype(int) % colours


def paste(
    canvas: Image.Image, colour: Colour, where: np.ndarray, opacity: float = 1.0
) -> None:
    """Paints `where`, an array of bool `_FINE` times as large as the canvas."""
    cover = Image.fromarray((where * np.uint8(round(255 * opacity))).astype("uint8"))
    canvas.paste(colour, (0, 0), cover.reduce(_FINE))


def draw_disc(
    canvas: Image.Image,
    centre: tuple[float, float],
    radius: float,
    colour: Colour,
    text: str = "",
) -> None:
    """Draws a disc with a white ring, and a text in black or white on it.

    Args:
        canvas: Changed in place.
        centre: (x, y) in pixels of the canvas.
        radius: With the ring.
        colour: Of the disc.
        text: A number, say.
    """
    side, fine = int(np.ceil(2 * radius)) + 2, 4
    tile = Image.new("L", (side * fine, side * fine))
    corner = (round(centre[0] - side / 2), round(centre[1] - side / 2))
    middle = [(c - a) * fine for c, a in zip(centre, corner, strict=True)]
    for shade, reach in ((PAPER, radius), (colour, radius * 0.84)):
        ImageDraw.Draw(tile).rectangle((0, 0, *tile.size), fill=0)
        box = [m + s * reach * fine for s in (-1, 1) for m in middle]
        ImageDraw.Draw(tile).ellipse(box, fill=255)
        canvas.paste(shade, corner, tile.reduce(fine))
    if text:
        size = round(
            radius * (1.2 if len(text) < 2 else 1.0 if len(text) < 3 else 0.75)
        )
        ImageDraw.Draw(canvas).text(
            centre, text, fill=_readable_on(colour), font=font(size), anchor="mm"
        )


def _readable_on(colour: Colour) -> Colour:
    """Black or white, whichever has the higher contrast (WCAG 2 luminance)."""
    linear = [(c / 255) ** 2.2 for c in colour]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if (luminance + 0.05) ** 2 > 0.05 * 1.05 else (255, 255, 255)
