"""All figures of one case."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import keras_explainer as kx
from benchmarks.explanations.cases import Case
from benchmarks.explanations.deletion import deletion
from keras_explainer.metrics import part_presence, positions
from keras_explainer.results import Explanations

STEPS = (4, 8, 16, 32, 64)
COMPARED = 32


def measure(case: Case, seed: int) -> dict[str, Any]:
    """JSON-able figures of a case; what cannot be had is None."""
    explainer, images = case.explainer, case.images
    found = explainer.explain(images, verbose=0)
    changes = [item.contributions for item in found]
    moved = [abs(c.change) for c in changes]
    return {
        "test_images": len(images),
        "teacher_accuracy": case.teacher_accuracy,
        "p": explainer.share,
        "completeness": {
            "default": errors(found),
            **{
                str(steps): errors(
                    explainer.explain(images[:64], steps=steps, verbose=0)
                )
                for steps in STEPS
            },
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
        "deletion": deletion(explainer.teacher, images, found, seed),
        "presence": presence(case),
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


def by_filter(found: Explanations, field: str) -> np.ndarray:
    """(N, F) of a field of the findings."""
    return np.array(
        [[getattr(item.part(f), field) for f in range(found.filters)] for item in found]
    )


def rank_agreement(explainer: kx.Explainer, images: np.ndarray) -> dict[str, float]:
    """Spearman's correlation with ablation over filters, median over images.

    `strength`: of the filters' relative strengths instead, as a control.
    """
    integrated = explainer.explain(images, steps=64, verbose=0)
    default = explainer.explain(images, verbose=0)
    ablated = explainer.explain(images, contributions="ablation", verbose=0)
    truth = by_filter(ablated, "contribution")
    ranked = {
        "default": by_filter(default, "contribution"),
        "64 steps": by_filter(integrated, "contribution"),
        "strength": by_filter(default, "relative_strength"),
    }
    return {
        name: float(
            np.nanmedian(
                [
                    spearmanr(one, two).statistic
                    for one, two in zip(values, truth, strict=True)
                ]
            )
        )
        for name, values in ranked.items()
    }


def presence(case: Case) -> dict[str, Any]:
    """Precision and recall of presence over the filters that track a part.

    `calibrated`: as explanations say it; `fires`: the filter is not silent; `chosen`:
    levels chosen with the annotations of half of the images, an upper figure.
    """
    explainer = case.explainer
    maps = explainer.predict(case.images, verbose=0, outputs=("maps",))["maps"]
    found = positions(maps, case.images.shape[1:3])
    levels = np.asarray(explainer.presence.levels)
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
    """Seconds of an explanation of 32 images, the best of five."""

    def best(run: Callable[[], Any]) -> float:
        run()
        times = []
        for _ in range(5):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        return min(times)

    without = best(lambda: explainer.explain(images, contributions=None, verbose=0))
    with_them = best(lambda: explainer.explain(images, verbose=0))
    return {"without": without, "with": with_them, "ratio": with_them / without}
