"""`explanation`: an image with its parts and what each adds, as a figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_explainer.errors import whole_number
from keras_explainer.explanation import drawing
from keras_explainer.plot.new_figure import new_figure, show_image
from keras_explainer.results import Explanation

_SIDE = 480


def explanation(explanation: Explanation, image: Any, *, parts: int = 6) -> Any:
    """The image with its first parts outlined, and bars of what each adds.

    Bars are contributions to the explained class' logit, with the sum of all filters
    and what the ordinary track adds; relative strengths where there are none.

    Args:
        explanation: Of the image.
        image: See `explanation_picture`.
        parts: How many parts, by rank, of those that are present.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ConfigError: matplotlib is not installed; `parts` is no whole number from 1.
        DataError: What is no image.
    """
    parts = whole_number("parts", parts)
    shown = explanation.present[:parts]
    coloured = [(part, drawing.colour_of(at)) for at, part in enumerate(shown)]
    photo = drawing.scaled(drawing.display_image(image), _SIDE)
    figure = new_figure(9, 4.4)
    drawing.draw_outlines(photo, explanation, coloured[::-1], width=3)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.1])
    show_image(left, photo)
    scale = np.array([photo.width, photo.height]) / explanation.image_size[::-1]
    for at, (part, colour) in enumerate(coloured):
        y, x = part.position or (0.0, 0.0)
        left.text(
            x * scale[0],
            y * scale[1],
            str(at + 1),
            ha="center",
            va="center",
            fontsize=9,
            weight="bold",
            bbox={"boxstyle": "circle,pad=0.2", "fc": _css(colour), "ec": "white"},
        )
    left.set_title(_plain(explanation.title), loc="left", fontsize=10)
    _bars(right, explanation, coloured)
    return figure


def _bars(axes: Any, explanation: Explanation, coloured: list[Any]) -> None:
    counted = explanation.contributions is not None
    rows = [
        (
            f"{at + 1}: {_plain(part.title)}",
            part.contribution if counted else part.relative_strength,
            _css(colour),
        )
        for at, (part, colour) in enumerate(coloured)
    ]
    shared = explanation.contributions
    if shared is not None:
        rows.append(("all filters", shared.filters, "#8a939c"))
        rows.append(("ordinary track", shared.ordinary, "#c3cad1"))
    places = np.arange(len(rows))[::-1]
    values = [value or 0.0 for _, value, _ in rows]
    axes.barh(places, values, color=[colour for _, _, colour in rows])
    axes.set_yticks(places, [name for name, _, _ in rows], fontsize=9)
    axes.axvline(0, color="#59636e", linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    answer = explanation.explained or explanation.answer
    title = "relative strength"
    if counted and answer is not None:
        title = f"adds to the logit of “{_plain(answer.title)}”"
    axes.set_title(title, loc="left", fontsize=10)
    if not rows:
        axes.text(0.5, 0.5, "no part is present", ha="center", va="center")
    if explanation.warnings:
        axes.set_xlabel(
            _plain(explanation.warnings[0])[:90], fontsize=8, color="#b3400a"
        )


def _css(colour: drawing.Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _plain(text: str) -> str:
    """A text that matplotlib does not read as mathematics."""
    return text.replace("$", r"\$")
