"""Slow versions of the figures that need true masks, written from their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
from reference import score


def halvings(maps, centres, size, threshold, splits):
    """(half A, half B, {filter: part} of the filters that track) of each halving."""
    scene = score.Scene(maps, centres, size)
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(scene.images)
        half_a, half_b = order[: scene.images // 2], order[scene.images // 2 :]
        tracked = {}
        for c in scene.live:
            on_a = [score.r2(scene, c, p, half_a) for p in range(scene.parts)]
            part = int(np.argmax(on_a))
            if score.r2(scene, c, part, half_b) >= threshold:
                tracked[c] = part
        yield half_a, half_b, tracked


def filter_area(cell, image_size, map_shape, beta, level):
    """bool (height, width): pixels where the filter's mask is at least `level`."""
    row, column = divmod(int(cell), map_shape[1])
    area = np.zeros(image_size, bool)
    for y in range(image_size[0]):
        for x in range(image_size[1]):
            down = abs((y + 0.5) * map_shape[0] / image_size[0] - 0.5 - row)
            across = abs((x + 0.5) * map_shape[1] / image_size[1] - 0.5 - column)
            value = 1 - beta * (down + across) / max(map_shape)
            area[y, x] = value >= level - 1e-9
    return area


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def mask_iou(maps, masks, centres, size, beta=4.0, level=0.5, threshold=0.3, splits=10):
    """(iou, chance, by part), None for what cannot be had."""
    shape = maps.shape[1:3]
    areas = [
        filter_area(cell, masks.shape[2:], shape, beta, level)
        for cell in range(shape[0] * shape[1])
    ]
    flat = maps.reshape(len(maps), -1, maps.shape[-1])
    cells, strengths = flat.argmax(1), flat.max(1)
    own, other, by_part = [], [], [[] for _ in range(masks.shape[1])]
    for _, half_b, tracked in halvings(maps, centres, size, threshold, splits):
        for c, part in tracked.items():
            use = [n for n in half_b if strengths[n, c] > 0 and masks[n, part].any()]
            if len(use) < 2:
                continue
            own.append(np.mean([iou(areas[cells[n, c]], masks[n, part]) for n in use]))
            by_part[part].append(own[-1])
            pairs = itertools.permutations(use, 2)
            other.append(
                np.mean([iou(areas[cells[n, c]], masks[m, part]) for n, m in pairs])
            )
    mean = [float(np.mean(x)) if x else None for x in (own, other, *by_part)]
    return mean[0], mean[1], mean[2:]


def part_presence(maps, centres, size, level=None, threshold=0.3, splits=10):
    """(precision, recall, prevalence, auc)."""
    strengths = maps.reshape(len(maps), -1, maps.shape[-1]).max(1)
    shown = ~np.isnan(centres[..., 0])
    rows = []
    for half_a, half_b, tracked in halvings(maps, centres, size, threshold, splits):
        for c, part in tracked.items():
            least = level
            if least is None:
                least = best_level(strengths[half_a, c], shown[half_a, part])
            fires = [strengths[n, c] > 0 and strengths[n, c] >= least for n in half_b]
            truth = [shown[n, part] for n in half_b]
            hits = sum(f and t for f, t in zip(fires, truth, strict=True))
            rows.append(
                (
                    hits / sum(fires) if any(fires) else 0.0,
                    hits / sum(truth),
                    sum(truth) / len(truth),
                    area_under_curve(strengths[half_b, c], shown[half_b, part]),
                )
            )
    if not rows:
        return (None,) * 4
    precision, recall, prevalence, _ = np.mean(rows, axis=0)
    areas = [row[3] for row in rows if not math.isnan(row[3])]
    return precision, recall, prevalence, float(np.mean(areas)) if areas else None


def best_level(strength, shown):
    best, found = -1.0, 0.0
    for level in sorted({s for s in strength if s > 0}):
        fires = strength >= level
        f1 = 2 * (fires & shown).sum() / (fires.sum() + shown.sum())
        if f1 > best:
            best, found = f1, level
    return found


def area_under_curve(strength, shown):
    strength = np.maximum(strength, 0)
    pairs = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a in strength[shown]
        for b in strength[~shown]
    ]
    return float(np.mean(pairs)) if pairs else math.nan


def on_distractor(maps, masks, size):
    """bool (N, N, C): position of filter c in image i, in the masks of image j."""
    images, height, width, filters = maps.shape
    result = np.zeros((images, images, filters), bool)
    for c in range(filters):
        for i in range(images):
            row, column = divmod(int(maps[i, :, :, c].argmax()), width)
            y = math.floor((row + 0.5) * size[0] / height)
            x = math.floor((column + 0.5) * size[1] / width)
            for j in range(images):
                result[i, j, c] = masks[j, :, y, x].any()
    return result
