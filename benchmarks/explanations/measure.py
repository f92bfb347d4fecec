"""All figures of one case."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import keras_explainer as kx
from benchmarks.explanations.cases import Case
from benchmarks.explanations.deletion import deletion
from keras_explainer.errors import DataError
from keras_explainer.explanation import filter_groups, name_parts
from keras_explainer.explanation.coalitions import coalition_logits
from keras_explainer.explanation.name_parts import read_positions
from keras_explainer.explanation.path_gradients import TRACKS, PathGradients
from keras_explainer.explanation.readout import Readout
from keras_explainer.explanation.shapley import shapley
from keras_explainer.metrics import Positions, part_presence, r2
from keras_explainer.metrics.part_tracking import THRESHOLD
from keras_explainer.results import Explanations

STEPS = (2, 4, 8, 16, 32, 64)
COMPARED = 16
ORDERS = 2
"""Pairs of orders of each half of the Shapley values."""


def measure(case: Case, seed: int, all_figures: bool = True) -> dict[str, Any]:
    """JSON-able figures of a case; what cannot be had is None.

    Args:
        case: an explainer and its images.
        seed: of what is drawn.
        all_figures: False leaves out names and presence, which take long.
    """
    explainer, images = case.explainer, case.images
    found = explainer.explain(images, verbose=0)
    of_filters, _ = read_positions(explainer, images)
    changes = [item.contributions for item in found]
    moved = [abs(c.change) for c in changes]
    by_steps = {
        str(steps): explainer.explain(images[:32], steps=steps, verbose=0)
        for steps in STEPS
    }
    return {
        "test_images": len(images),
        "teacher_accuracy": case.teacher_accuracy,
        "p": explainer.share,
        "completeness": {
            "default": errors(found),
            **{steps: errors(item) for steps, item in by_steps.items()},
        },
        "away_from_64": {
            steps: distance(item, by_steps["64"])
            for steps, item in by_steps.items()
            if steps != "64"
        },
        "filters_share": float(
            np.median([c.filters / c.change for c in changes if c.change])
        ),
        "filters_absolute": float(
            np.median(
                [
                    sum(abs(part.contribution) for part in item.parts) / change
                    for item, change in zip(found, moved, strict=True)
                ]
            )
        ),
        "logit_gap": float(np.median([abs(item.logit_gap) for item in found])),
        "logit_change": float(np.median(moved)),
        "warned": float(np.mean([bool(item.warnings) for item in found])),
        "rank_agreement": rank_agreement(explainer, images[:COMPARED]),
        **{
            f"deletion_of_{name}": deletion(
                explainer.teacher, images, found, groups, seed
            )
            for name, groups in (
                ("filters", ()),
                ("groups", filter_groups(of_filters)),
            )
        },
        "deletion_of_areas": deletion(
            explainer.teacher, images, found, (), seed, by="area_contribution"
        ),
        "names_from_ten_images": (
            names_from_ten(case, of_filters, seed) if all_figures else None
        ),
        "presence": presence(case, of_filters) if all_figures else None,
        "cost": cost(explainer, images[:32]),
    }


def errors(found: Explanations) -> dict[str, float]:
    """Median, 90 % quantile and maximum of the relative completeness error."""
    relative = [item.contributions.relative_error for item in found]
    values = np.array([value for value in relative if value is not None])
    return {
        "median": float(np.median(values)),
        "p90": float(np.quantile(values, 0.9)),
        "max": float(values.max()),
        "steps": float(np.mean([item.contributions.steps for item in found])),
    }


def distance(found: Explanations, exact: Explanations) -> dict[str, float]:
    """How far the furthest share is from that of many steps, of the largest share.

    Returns:
        Over the images: "median" and "max".
    """
    shares, limits = (by_filter(one, "contribution") for one in (found, exact))
    away = np.abs(shares - limits).max(1) / np.maximum(np.abs(limits).max(1), 1e-9)
    return {"median": float(np.median(away)), "max": float(away.max())}


def by_filter(found: Explanations, field: str) -> np.ndarray:
    """(N, F) of a field of the findings."""
    return np.array(
        [[getattr(item.part(f), field) for f in range(found.filters)] for item in found]
    )


def rank_agreement(explainer: kx.Explainer, images: np.ndarray) -> dict[str, float]:
    """Spearman's correlations over parts, median over images.

    Of the contributions ("default", "64 steps") and, as a control, of the parts'
    relative strengths ("strength") with ablation: what the logit loses where one part
    alone is at its mean. Then of the default ones with "shapley": the same, mean over
    which of the other parts are there; with "both ends" of that: the mean of ablation
    and of "insertion", where one part alone is not at its mean. "ends": ablation with
    insertion; "ablation": with Shapley values; "orders": these from one half of the
    orders with those from the other half, what sampling leaves of 1.
    """
    integrated = explainer.explain(images, steps=64, verbose=0)
    default = explainer.explain(images, verbose=0)
    of_default = by_filter(default, "contribution")
    classes = np.array([item.explained.class_index for item in default])
    values, ends = removals(explainer, images, classes)
    ablated, inserted = ends
    halves = values[: len(values) // 2], values[len(values) // 2 :]
    shapley_values = np.mean(values, axis=0)
    pairs = {
        "default": (of_default, ablated),
        "64 steps": (by_filter(integrated, "contribution"), ablated),
        "strength": (by_filter(default, "relative_strength"), ablated),
        "shapley": (of_default, shapley_values),
        "both ends": (of_default, (ablated + inserted) / 2),
        "ends": (ablated, inserted),
        "ablation": (ablated, shapley_values),
        "orders": (np.mean(halves[0], axis=0), np.mean(halves[1], axis=0)),
    }
    return {
        name: float(
            np.nanmedian(
                [spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)]
            )
        )
        for name, (one, other) in pairs.items()
    }


def removals(
    explainer: kx.Explainer, images: np.ndarray, classes: np.ndarray
) -> tuple[list[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """What removing parts does to the logits.

    Returns:
        Shapley values (n, P), from some orders each; and, each (n, P), what is lost
        without one part and what one part alone adds.
    """
    programs = PathGradients.of(explainer)
    tap, targets = explainer.teacher.extract(images)
    tracks, _, _ = Readout.of(explainer).read(tap, targets, len(images))
    tracks = {name: tracks[name] for name in TRACKS}
    values = [
        shapley(programs, tracks, classes, pairs=ORDERS, seed=seed).shares[:, :-1]
        for seed in range(2)
    ]
    players = programs.part_count + 1
    one = np.eye(players, dtype=bool)[:-1]
    kept = np.concatenate(
        [np.ones((1, players), bool), ~one, np.zeros((1, players), bool), one]
    )
    logits = coalition_logits(programs, tracks, classes, kept, 32)
    whole, without, nothing, alone = np.split(logits, [1, players, players + 1], axis=1)
    return values, (whole - without, alone - nothing)


def names_from_ten(case: Case, found: Positions, seed: int) -> dict[str, float | None]:
    """Names from ten images, checked on the others, mean over ten draws of ten.

    A name is right if the filter's R² with that part is at least 0.3 there. `named`:
    share of the filters with a name of confidence 0.8 or more; `right`: share of those
    names that are right; `right_of_less_sure`: the same of the other names;
    `confidence`: mean of all names, beside `right_of_all`.
    """
    random = np.random.default_rng(seed)
    shown = np.flatnonzero(~np.isnan(case.centres[..., 0]).all(1))
    sure: list[bool] = []
    less: list[bool] = []
    confidence: list[float] = []
    for _ in range(10):
        ten = random.choice(shown, 10, replace=False)
        rest = np.setdiff1d(np.arange(len(case.centres)), ten)
        try:
            names = name_parts(
                case.explainer, case.images[ten], case.centres[ten], case.part_names
            )
        except DataError:  # of ten images, no eight show the same part
            continue
        score = r2(found, case.centres, rest)
        for entry in names.names:
            right = score[entry.filter, case.part_names.index(entry.name)] >= THRESHOLD
            (sure if (entry.confidence or 0) >= 0.8 else less).append(bool(right))
            confidence.append(entry.confidence or 0)
    count = found.cell.shape[1] * 10
    return {
        "named": len(sure) / count,
        "right": float(np.mean(sure)) if sure else None,
        "right_of_less_sure": float(np.mean(less)) if less else None,
        "right_of_all": float(np.mean(sure + less)) if sure + less else None,
        "confidence": float(np.mean(confidence)) if confidence else None,
    }


def presence(case: Case, found: Positions) -> dict[str, Any]:
    """Precision and recall of presence over the filters that track a part.

    `calibrated`: as explanations say it; `fires`: the filter is not silent; `chosen`:
    levels chosen with the annotations of half of the images, an upper figure.
    """
    levels = np.asarray(case.explainer.presence.levels)
    figures = {
        "calibrated": part_presence(found, case.centres, level=levels),
        "fires": part_presence(found, case.centres, level=0.0),
        "chosen": part_presence(found, case.centres),
    }
    return {
        "absence": case.annotated,
        **{name: figure._asdict() for name, figure in figures.items()},
    }


def cost(explainer: kx.Explainer, images: np.ndarray) -> dict[str, float]:
    """Seconds of an explanation of 32 images, the best of seven."""

    kinds = {"without": None, "with": "integrated_gradients"}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(8):
        # In turns, so that both have the same share of a busy machine.
        for name, kind in kinds.items():
            start = time.perf_counter()
            explainer.explain(images, contributions=kind, verbose=0)
            seconds[name].append(time.perf_counter() - start)
    best = {name: min(times[1:]) for name, times in seconds.items()}
    return {**best, "ratio": best["with"] / best["without"]}
