"""The data that the page's own script draws from, as small as it can be."""

from __future__ import annotations

from typing import Any

from keras_explainer.explanation.geometry import AREA_LEVEL
from keras_explainer.report.content import Content
from keras_explainer.results import (
    ClassScore,
    Explanation,
    FilterSummary,
    PartFinding,
    TopImage,
)

PARTS = 8
"""Parts shown of an image, the first by rank."""


def page_data(content: Content) -> dict[str, Any]:
    """JSON-able; positions are (x, y) in shares of the image's width and height."""
    summary = content.summary
    height, width = summary.image_size
    rows, columns = summary.map_size
    reach = (1 - AREA_LEVEL) * max(rows, columns) / summary.beta
    return {
        "aspect": width / height,
        "reach": [_short(reach / columns), _short(reach / rows)],
        "map": [columns, rows],
        "pictures": [] if content.gallery is None else content.gallery.pictures,
        "shown_pictures": [] if content.pictures is None else content.pictures.pictures,
        "parts": list(summary.part_names),
        "counted": summary.contributions is not None,
        "groups": [list(group) for group in summary.groups],
        "filters": [_filter(content, one) for one in summary.filters],
        "shown": [
            _explained(content, number, one)
            for number, one in zip(
                content.numbers, content.explanations or (), strict=True
            )
        ],
    }


def _filter(content: Content, one: FilterSummary) -> dict[str, Any]:
    height, width = content.summary.image_size
    place = one.mean_position
    return {
        "id": one.filter,
        "name": one.name,
        "sure": _short(one.name_confidence),
        "dead": one.dead,
        "use": _short(one.use, 5),
        "adds": _short(one.contribution),
        "present": _short(one.present_share),
        "part": one.tracked_part,
        "tracking": _short(one.tracking_share),
        "r2": _short(one.tracking_r2),
        "mi": _short(one.information),
        "instability": _short(one.location_instability),
        "activation": _short(one.activation_share, 5),
        "at": None
        if place is None
        else [_short(place[1] / width), _short(place[0] / height)],
        "spread": _short(one.position_spread),
        "group": one.group,
        "alike": [[other, _short(share, 2)] for other, share in one.look_alikes],
        "top": [_top(content, image) for image in one.top],
    }


def _top(content: Content, image: TopImage) -> list[Any]:
    found = image.finding
    return [
        None if content.gallery is None else content.gallery.place(image.index),
        _title(content, image.index, image.image),
        [[column, row] for row, column in found.cells],
        _short(found.strength),
        _short(found.contribution),
    ]


def _title(content: Content, number: int, name: str | None) -> str:
    return name if content.named and name is not None else f"image {number}"


def _explained(content: Content, number: int, one: Explanation) -> dict[str, Any]:
    shared = one.contributions
    return {
        "number": number,
        "title": _title(content, number, one.image),
        "picture": None if content.pictures is None else content.pictures.place(number),
        "answer": _score(one.answer),
        "explained": _score(one.explained),
        "reconstruction": _score(one.reconstruction),
        "own": _score(one.reconstruction_answer),
        "agrees": one.answer is None
        or one.reconstruction_answer is None
        or one.answer.class_index == one.reconstruction_answer.class_index,
        "warnings": list(one.warnings),
        "why_not": one.no_contributions,
        "logit": None
        if shared is None
        else {
            "change": _short(shared.change),
            "filters": _short(shared.filters),
            "ordinary": _short(shared.ordinary),
            "error": _short(shared.completeness_error),
        },
        "present": len(one.present),
        "parts": [_part(part) for part in one.present[:PARTS]],
    }


def _part(part: PartFinding) -> dict[str, Any]:
    return {
        "filter": part.filter,
        "name": part.name,
        "adds": _short(part.contribution),
        "relative": _short(part.relative_strength, 2),
        "cells": [[column, row] for row, column in part.cells],
    }


def _score(score: ClassScore | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {"title": score.title, "score": _short(score.score)}


def _short(value: float | None, digits: int = 4) -> float | None:
    """Few digits: they are figures for readers, and there are many."""
    return None if value is None else round(value, digits)
