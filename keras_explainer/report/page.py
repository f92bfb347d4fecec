"""The page: template, style and script put together, and what it may load: nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from keras_explainer.errors import ReportError
from keras_explainer.report import figures
from keras_explainer.report.content import Content
from keras_explainer.report.learning_curves import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    learning_curves,
)
from keras_explainer.report.page_data import page_data

TEMPLATES = Path(__file__).with_name("templates")


def page(content: Content, title: str, made: str | None) -> str:
    """The whole HTML file.

    Every text is escaped: by the template's autoescape, or as JSON in which no tag can
    begin. The content security policy allows this very style and script, and pictures
    that are part of the file; no connection at all.

    Args:
        content: what is shown.
        title: of the page.
        made: when, as text.

    Raises:
        ReportError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise ReportError(
            "Reports need jinja2: pip install 'keras-explainer[report]'."
        ) from error
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figures.number
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    summary, metrics = content.summary, content.metrics
    chosen = {number: at for at, number in enumerate(content.numbers)}
    return environment.get_template("report.html").render(
        title=title,
        made=made,
        style=style,
        script=script,
        policy=policy(style, script),
        data=script_json(page_data(content)),
        summary=summary,
        metrics=metrics,
        headlines=figures.headlines(metrics),
        warnings=figures.warnings(metrics),
        part_rows=figures.part_rows(metrics),
        fidelity_rows=figures.fidelity_rows(metrics),
        charts=learning_curves(content.history),
        chart={
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "right": WIDTH - RIGHT,
            "top": TOP,
            "bottom": HEIGHT - BOTTOM,
        },
        answers=content.answers.to_dict(),
        disagreements=[
            {
                "title": _name(content, one.index),
                "place": chosen.get(one.index),
                "one": one,
            }
            for one in content.answers.disagreements
        ],
        shown=len(content.numbers),
        pictures=content.gallery is not None,
        left_out=0 if content.gallery is None else content.gallery.left_out,
        dead=sum(one.dead for one in summary.filters),
        notes=content.notes,
    )


def _name(content: Content, number: int) -> str:
    for explained, item in zip(
        content.numbers, content.explanations or (), strict=True
    ):
        if explained == number and content.named and item.image is not None:
            return item.image
    return f"image {number}"


def policy(style: str, script: str) -> str:
    """A content security policy: this style, this script, pictures in the file."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def script_json(value: Any) -> Any:
    """JSON for a `script` element: no text in it can end the element or begin another.

    Returns:
        Markup, which the template does not escape again.
    """
    from markupsafe import Markup

    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)
