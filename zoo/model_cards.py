"""A model card in Markdown, from the records of a teacher and its explainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .zoo_record import UNVERIFIED

_FIGURES = (
    ("part_tracking_share", "part tracking share ↑"),
    ("location_instability", "location instability ↓"),
    ("landmark_error", "landmark error ↓"),
    ("distinct_positions", "distinct positions ↑"),
    ("concentration", "concentration ↑"),
    ("filter_correlation", "filter correlation"),
    ("dead_filters", "dead filters ↓"),
)


def model_card(teacher: Mapping[str, Any], explainer: Mapping[str, Any]) -> str:
    """The card of an explainer: what it is, data, figures with controls, limits.

    Args:
        teacher, explainer: their records (`teacher.json`, `explainer.json`). A figure
            that a record lacks reads 'unverified'.
    """
    metrics = explainer.get("metrics") or {}
    data = metrics.get("data") or {}
    lines = [
        f"# {explainer['name']}",
        "",
        f"Version {explainer['version']}. An explainer of a frozen CNN: "
        f"{explainer.get('filters', UNVERIFIED)} filters that are meant to follow one "
        "object part each, learned without annotations (arXiv 1805.07468).",
        "",
        "## Teacher",
        "",
        f"* network: {teacher.get('network', UNVERIFIED)}, "
        f"{teacher.get('params', UNVERIFIED)} parameters",
        f"* cut at `{teacher['tap']}`, reconstructs "
        f"{', '.join(f'`{name}`' for name in teacher['targets'])}",
        f"* images: {_shape(teacher.get('input_shape'))}, RGB 0..255, preprocessing "
        f"'{teacher['preprocessing']}'",
        f"* accuracy: {_number((teacher.get('figures') or {}).get('accuracy'))}",
        f"* sha256: `{teacher['sha256']}`",
        "",
        "## Data",
        "",
        *_bullets(explainer.get("data") or {}),
        f"* measured on {data.get('images', UNVERIFIED)} images that were not learned "
        f"from, {data.get('annotated_images', UNVERIFIED)} of them annotated "
        f"({', '.join(data.get('parts') or []) or 'no parts'})",
        "",
        "## Figures",
        "",
        *_figures(metrics),
        "",
        "## Limits",
        "",
        *_limits(metrics),
        "",
        "## Licence",
        "",
        f"* explainer: {explainer.get('licence', UNVERIFIED)}",
        f"* teacher: {teacher.get('licence', UNVERIFIED)}",
        "",
    ]
    return "\n".join(lines)


def _figures(metrics: Mapping[str, Any]) -> list[str]:
    if not metrics:
        return [f"All figures: {UNVERIFIED}; the run was not evaluated."]
    mine, theirs = metrics["explainer"], metrics["teacher"]
    constant = metrics["baselines"]["constant_position"]
    lines = [
        "| figure | explainer | teacher's channels | constant position |",
        "| --- | --- | --- | --- |",
    ]
    for key, text in _FIGURES:
        cells = (_number(part.get(key)) for part in (mine, theirs, constant))
        lines.append(f"| {text} | {' | '.join(cells)} |")
    mean = _number(mine.get("landmark_mean_predictor"))
    without = {
        track: (mine.get(f"without_{track}") or {}).get("explained_variance") or {}
        for track in ("ordinary", "interpretable")
    }
    lines += [
        "",
        f"The mean predictor's landmark error is {mean}.",
        "",
        "| explained variance of | whole | without the ordinary track | without the "
        "interpretable track |",
        "| --- | --- | --- | --- |",
    ]
    for name, value in (mine.get("explained_variance") or {}).items():
        lines.append(
            f"| `{name}` | {_number(value)} | {_number(without['ordinary'].get(name))} "
            f"| {_number(without['interpretable'].get(name))} |"
        )
    lines += [
        "",
        f"Agreement with the teacher's answers {_number(mine.get('top1_agreement'))} "
        f"(always the same answer: {_number(mine.get('top1_constant'))}); KL "
        f"{_number(mine.get('kl'))} nats; p {_number(mine.get('p'))}, of the variance "
        f"{_number(mine.get('p_variance_share'))}.",
    ]
    return lines


def _limits(metrics: Mapping[str, Any]) -> list[str]:
    """What these figures do not show, and what they show against the explainer."""
    lines = [
        "* It knows images like those that it was learned from; others were not tried.",
        "* `p` is no measure of how much parts count: see the controls above.",
    ]
    if not metrics:
        return [*lines, "* Nothing was measured: whether filters follow parts is open."]
    mine = metrics["explainer"]
    without = (mine.get("without_ordinary") or {}).get("explained_variance") or {}
    carried = without.get("logits")
    if carried is not None and carried <= 0:
        lines.append(
            "* The filters show where parts are, but do not carry the teacher's "
            "answer: without the ordinary track the logits' explained variance is "
            f"{_number(carried)}."
        )
    share = mine.get("part_tracking_share")
    if share is None:
        lines.append("* The images have no annotations: tracking is unverified.")
    elif share < 0.5:
        lines.append(f"* Only {share:.0%} of the filters follow an annotated part.")
    return lines


def _bullets(data: Mapping[str, Any]) -> list[str]:
    return [f"* {key.replace('_', ' ')}: {value}" for key, value in data.items()]


def _shape(shape: Any) -> str:
    return UNVERIFIED if not shape else " × ".join(str(side) for side in shape)


def _number(value: Any) -> str:
    if value is None:
        return UNVERIFIED
    return f"{value:.3f}" if isinstance(value, float) else str(value)
