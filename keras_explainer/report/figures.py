"""The figures of a `metrics.json`, each beside its control, and what they warn of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PARTS = (
    (
        "part_tracking_share",
        "Part tracking share\u00a0↑",
        "Filters whose position moves with an annotated part, of all filters. Each is "
        "proved on images that did not choose its part.",
    ),
    (
        "location_instability",
        "Location instability\u00a0↓",
        "Spread of the distance to a part. The published metric; a filter that always "
        "fires at one place has it low too.",
    ),
    (
        "landmark_error",
        "Landmark error\u00a0↓",
        "How far parts are from where all positions together tell they are. Control: "
        "the mean place of each part.",
    ),
    (
        "distinct_positions",
        "Distinct positions\u00a0↑",
        "Different places in an image; copies of one filter have 1.",
    ),
    (
        "concentration",
        "Concentration\u00a0↑",
        "Share of a map around its peak.",
    ),
    (
        "filter_correlation",
        "Filter correlation\u00a0↓",
        "Likeness of the filters' maps.",
    ),
    ("dead_filters", "Dead filters\u00a0↓", "Filters that never fire."),
)
_HEADLINES = 4


def number(value: Any, digits: int = 3) -> str:
    """A figure for a reader; a dash for what cannot be had."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.{digits}f}"
    if value and not float(text):
        text = f"{value:.1e}"
    return text.replace("-", "−")


def percent(value: float) -> str:
    """A share for a reader."""
    return f"{100 * value:.0f}\u00a0%"


def part_rows(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of the table of parts: figure, explainer, teacher's channels, control."""
    explainer, teacher = metrics["explainer"], metrics["teacher"]
    constant = metrics["baselines"]["constant_position"]
    rows = []
    for name, title, meaning in _PARTS:
        control = constant.get(name)
        if name == "landmark_error":
            control = explainer.get("landmark_mean_predictor")
        values = [explainer.get(name), teacher.get(name), control]
        shown = [number(value) for value in values]
        if name == "dead_filters":
            shown = [
                f"{who['dead_filters']} of {who['filters']}"
                for who in (explainer, teacher)
            ] + [""]
        rows.append(
            {
                "title": title,
                "explainer": shown[0],
                "teacher": shown[1],
                "control": shown[2],
                "meaning": meaning,
            }
        )
    return rows


def fidelity_rows(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of the table of fidelity: figure, whole, without each track, control."""
    explainer = metrics["explainer"]
    without = [
        explainer.get(f"without_{track}") or {}
        for track in ("ordinary", "interpretable")
    ]
    rows = []
    for target, value in explainer["explained_variance"].items():
        if value is None and target == "logits":
            continue
        of = "the logits" if target == "logits" else target
        rows.append(
            {
                "title": f"Explained variance of {of}\u00a0↑",
                "explainer": number(value),
                "ordinary": number(_inside(without[0], target)),
                "interpretable": number(_inside(without[1], target)),
                "control": "0",
                "meaning": "1: rebuilt exactly. Control: their mean over the images.",
            }
        )
    for name, title, control, meaning in (
        (
            "top1_agreement",
            "Agreement with the teacher's answers\u00a0↑",
            explainer.get("top1_constant"),
            "Control: always the teacher's most frequent answer.",
        ),
        ("kl", "KL divergence, nats\u00a0↓", None, "Of the class probabilities."),
        (
            "accuracy",
            "Right answers\u00a0↑",
            metrics["teacher"].get("accuracy"),
            "Control: the teacher's own.",
        ),
    ):
        if explainer.get(name) is None:
            continue
        rows.append(
            {
                "title": title,
                "explainer": number(explainer[name]),
                "ordinary": number(without[0].get(name)) if name in without[0] else "",
                "interpretable": number(without[1].get(name))
                if name in without[1]
                else "",
                "control": "" if control is None else number(control),
                "meaning": meaning,
            }
        )
    return rows


def _inside(track: Mapping[str, Any], target: str) -> Any:
    return (track.get("explained_variance") or {}).get(target)


def headlines(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """The figures to see first, each with its control."""
    explainer, teacher = metrics["explainer"], metrics["teacher"]
    constant = metrics["baselines"]["constant_position"]
    found = []

    def two(value: float) -> str:
        return number(value, 2)

    def add(title: str, show: Any, value: Any, *controls: tuple[str, Any]) -> None:
        if value is not None:
            known = [(text, show(it)) for text, it in controls if it is not None]
            found.append(
                {
                    "title": title,
                    "value": show(value),
                    "controls": " · ".join(f"{text} {it}" for text, it in known),
                }
            )

    add(
        "of the filters follow a part",
        percent,
        explainer.get("part_tracking_share"),
        ("teacher's channels", teacher.get("part_tracking_share")),
        ("fixed position", 0.0),
    )
    add(
        "explained variance of the logits",
        two,
        explainer["explained_variance"].get("logits"),
        ("without the ordinary track", _inside_without(explainer, "ordinary")),
        ("without the filters", _inside_without(explainer, "interpretable")),
    )
    add(
        "of the teacher's answers are kept",
        percent,
        explainer.get("top1_agreement"),
        ("a constant answer", explainer.get("top1_constant")),
    )
    add(
        "location instability",
        number,
        explainer.get("location_instability"),
        ("teacher's channels", teacher.get("location_instability")),
        ("fixed position", constant.get("location_instability")),
    )
    return found[:_HEADLINES]


def _inside_without(explainer: Mapping[str, Any], track: str) -> Any:
    return _inside(explainer.get(f"without_{track}") or {}, "logits")


def warnings(metrics: Mapping[str, Any]) -> list[str]:
    """What a reader must know before the figures."""
    explainer = metrics["explainer"]
    constant = metrics["baselines"]["constant_position"]
    found = []
    alone = _inside_without(explainer, "ordinary")
    gone = _inside_without(explainer, "interpretable")
    if alone is not None and alone < 0.5:
        found.append(
            "The filters show where parts are, but the ordinary track carries the "
            "answer. Explained variance of the logits without it: "
            f"{number(alone, 2)}"
            + ("" if gone is None else f"; without the filters: {number(gone, 2)}")
            + f". Do not read p = {number(explainer.get('p'), 3)} or a contribution as "
            "how much parts count in the teacher."
        )
    if explainer.get("part_tracking_share") is None:
        found.append(
            "There are no part centres, so it was not measured whether filters follow "
            "parts. Look at the pictures, or annotate some images."
        )
    else:
        mine, fixed = (who.get("location_instability") for who in (explainer, constant))
        if mine is not None and fixed is not None and mine > 0.9 * fixed:
            found.append(
                f"Location instability {number(mine)} is no better than that of a "
                f"filter that ignores the image ({number(fixed)}). Trust tracking "
                "instead."
            )
        if explainer["part_tracking_share"] < 0.3:
            found.append("Fewer than a third of the filters follow an annotated part.")
    agreement, usual = explainer.get("top1_agreement"), explainer.get("top1_constant")
    if agreement is not None and usual is not None and agreement - usual < 0.05:
        found.append(
            f"Agreement on {percent(agreement)} of the answers says little here: "
            f"always giving the teacher's most frequent one has {percent(usual)}."
        )
    if explainer["explained_variance"].get("logits") is None:
        found.append(
            "The teacher's answer cannot be reached from its last target: there are no "
            "contributions, and fidelity is that of features alone."
        )
    images = metrics["data"]["images"]
    if images < 100:
        found.append(f"Only {images} images were measured on: figures are rough.")
    return found
