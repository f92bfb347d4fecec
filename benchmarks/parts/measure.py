"""The figures of a method on a category's test images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from benchmarks.parts.dictionaries import Dictionary
from benchmarks.parts.features import Category
from keras_explainer import Explainer
from keras_explainer.layers import PartMask
from keras_explainer.metrics import ExplainedVariance, PartMapFigures
from keras_explainer.runs import Fidelity

BATCH = 32
MASK_BETA = 4.0
FIGURES = (
    "part_tracking_share",
    "tracking_by_part",
    "distinct_positions",
    "concentration",
    "location_instability",
    "landmark_error",
    "landmark_mean_predictor",
    "filter_correlation",
    "dead_filters",
    "filters",
)


def map_figures(category: Category, maps: np.ndarray) -> dict[str, Any]:
    """Map-based figures of maps (N, H, W, F) of the test images."""
    figures = PartMapFigures()
    for start in range(0, len(maps), BATCH):
        figures.update(maps[start : start + BATCH])
    found = figures.result(category.centres, category.teacher.input_shape[:2])
    return {name: found[name] for name in FIGURES}


def dictionary_figures(category: Category, method: Dictionary) -> dict[str, Any]:
    """Figures of a dictionary: of its maps, and of what they carry.

    `ev_logits`: explained variance of the logits from its own inverse, or by ridge from
    maps to the tap's features where it has none. `ev_parts`: from the maps cut to the
    masks around their maxima, by ridge: what the parts alone carry. Ridge is fitted on
    the train images, its penalty is 1 % of the mean variance of the maps.
    """
    train, test = category.train.tap[:, 0], category.test.tap[:, 0]
    maps_train, maps_test = method.maps(train), method.maps(test)
    inverse = method.inverse or ridge(maps_train, train)
    cut_train, cut_test = masked(maps_train), masked(maps_test)
    return {
        **map_figures(category, maps_test),
        "ev_logits": logits_variance(category, inverse(maps_test)),
        "ev_parts": logits_variance(category, ridge(cut_train, train)(cut_test)),
        "p": None,
    }


def explainer_figures(category: Category, explainer: Explainer) -> dict[str, Any]:
    """Figures of an explainer; `*_parts` are without the ordinary track."""
    fidelity = Fidelity(explainer)
    parts = []
    for start in range(0, len(category.test), BATCH):
        rows = slice(start, start + BATCH)
        targets = {name: a[rows, 0] for name, a in category.test.targets.items()}
        tap = category.test.tap[rows, 0]
        parts.append(fidelity.update(tap, targets, batch_size=BATCH))
    found = fidelity.result()
    return {
        **map_figures(category, np.concatenate(parts)),
        "ev_logits": found["explained_variance"]["logits"],
        "ev_parts": found["without_ordinary"]["explained_variance"]["logits"],
        "agreement": found["top1_agreement"],
        "agreement_parts": found["without_ordinary"]["top1_agreement"],
        "agreement_constant": found["top1_constant"],
        "p": explainer.share,
    }


def masked(maps: np.ndarray) -> np.ndarray:
    """Maps cut to the paper's mask around each one's maximum (beta 4)."""
    cut = PartMask(MASK_BETA)
    return np.concatenate(
        [
            ops.convert_to_numpy(cut(ops.convert_to_tensor(maps[at : at + BATCH])))
            for at in range(0, len(maps), BATCH)
        ]
    )


def ridge(
    inputs: np.ndarray, outputs: np.ndarray, share: float = 0.01
) -> Callable[[np.ndarray], np.ndarray]:
    """Ridge regression with intercept, cell by cell."""
    x = inputs.reshape(-1, inputs.shape[-1]).astype("float64")
    y = outputs.reshape(-1, outputs.shape[-1]).astype("float64")
    mean_x, mean_y = x.mean(0), y.mean(0)
    gram = (x - mean_x).T @ (x - mean_x)
    penalty = max(share * np.trace(gram) / len(gram), 1e-9)
    weights = np.linalg.solve(
        gram + penalty * np.eye(len(gram)), (x - mean_x).T @ (y - mean_y)
    )
    return lambda z: ((z - mean_x) @ weights + mean_y).astype("float32")


def logits_variance(category: Category, rebuilt: np.ndarray) -> float:
    """Explained variance of the logits from rebuilt features of the tap."""
    teacher = category.teacher
    last = teacher.targets[-1]
    metric = ExplainedVariance((teacher.num_outputs,))
    for start in range(0, len(rebuilt), BATCH):
        rows = slice(start, start + BATCH)
        truth = teacher.head(category.test.targets[last][rows, 0])["logits"]
        upper = teacher.upper(ops.convert_to_tensor(rebuilt[rows]))
        metric.update_state(truth, teacher.head(upper[last])["logits"])
    return float(ops.convert_to_numpy(metric.result()))
