"""`compare`: what the filters of two explainers have in common, on the same images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from keras_explainer.errors import DataError
from keras_explainer.explanation.explain import iter_explanations
from keras_explainer.explanation.matching import best_matching
from keras_explainer.explanation.part_naming import resolve_part_names
from keras_explainer.metrics.co_moments import CoMoments
from keras_explainer.results import (
    Comparison,
    FilterPair,
    FilterUse,
    PartNames,
    mask_cells,
)

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

LEAST_SIMILARITY = 0.3


def compare(
    explainer_a: Explainer,
    explainer_b: Explainer,
    images: Any,
    class_index: Any = None,
    *,
    part_names_a: Any = None,
    part_names_b: Any = None,
    seed: int = 0,
    batch_size: int = 32,
) -> Comparison:
    """Which filters of two explainers correspond, and which count in one model alone.

    The maps, cut to their masks, of the same images are brought to one grid; filters
    are as similar as their maps are correlated over all images and cells. The matching
    with the highest sum of similarities pairs them one to one. Objects stand in the
    middle of photographs, so any two filters are alike to some degree: the same is done
    with the images of B in another order, and only what is more similar than the most
    similar pair there (and than 0.3) corresponds.

    A filter counts if it has at least an equal share, 1 / F, of the absolute
    contributions; without contributions, if its part is present in some image. It
    counts in A alone if it counts and no filter of B that counts is as similar.

    Args:
        explainer_a, explainer_b: With their teachers, which may be different.
        images: `(n, H, W, C)`, RGB 0..255, or a set of images with `load()`; resized
            for a teacher that takes another size. At least 2.
        class_index: Explained in both, see `explain`; None: each teacher's own class.
        part_names_a, part_names_b: See `explain`.
        seed: Of the other order.
        batch_size: Images at a time.

    Raises:
        TeacherError: An explainer has no teacher.
        DataError: Fewer than 2 images, or images that do not fit.
        ConfigError: As `explain`.
    """
    pixels = _pixels(images)
    explainers = (explainer_a, explainer_b)
    names = [
        resolve_part_names(one, given)
        for one, given in zip(explainers, (part_names_a, part_names_b), strict=True)
    ]
    grid = tuple(
        max(one.teacher.tap_shape[axis] for one in explainers) for axis in (0, 1)
    )
    maps, uses, counts = [], [], []
    for one in explainers:
        found, use, count = _read(one, pixels, class_index, grid, batch_size)
        maps.append(found)
        uses.append(use)
        counts.append(count)
    similarity = _correlation(*maps)
    order = _derangement(len(pixels), seed)
    at_random = _correlation(maps[0], maps[1][order])
    chance = float(at_random[best_matching(at_random)].max())
    threshold = max(LEAST_SIMILARITY, chance)
    rows, columns = best_matching(similarity)
    pairs = [
        FilterPair(
            filter_a=a,
            filter_b=b,
            similarity=float(similarity[a, b]),
            corresponds=bool(similarity[a, b] > threshold),
            use_a=_use(uses[0], a),
            use_b=_use(uses[1], b),
            name_a=_name(names[0], a),
            name_b=_name(names[1], b),
        )
        for a, b in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    pairs.sort(key=lambda pair: -pair.similarity)
    alike = similarity > threshold
    return Comparison(
        name_a=f"{explainer_a.teacher.name} at {explainer_a.teacher.tap}",
        name_b=f"{explainer_b.teacher.name} at {explainer_b.teacher.tap}",
        images=len(pixels),
        threshold=threshold,
        chance=chance,
        pairs=tuple(pairs),
        only_a=_alone(alike, counts, uses[0], names[0]),
        only_b=_alone(alike.T, counts[::-1], uses[1], names[1]),
    )


def _pixels(images: Any) -> np.ndarray:
    load = getattr(images, "load", None)
    if callable(load):
        pixels = np.asarray(load())
    elif hasattr(images, "images") and not callable(images.images):
        pixels = np.asarray(images.images)
    else:
        pixels = np.asarray(images)
    if pixels.ndim != 4 or len(pixels) < 2:
        raise DataError(
            "Two explainers are compared on at least 2 images (n, height, width, "
            f"channels); got shape {pixels.shape}."
        )
    return pixels


def _resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if pixels.shape[1:3] == size:
        return pixels
    if pixels.dtype != np.uint8 or pixels.shape[3] != 3:
        raise DataError(
            f"The images are {pixels.shape[1]} x {pixels.shape[2]}, a teacher takes "
            f"{size[0]} x {size[1]}: only uint8 RGB images are resized."
        )
    how = Image.Resampling.BILINEAR
    return np.stack(
        [
            np.asarray(Image.fromarray(one).resize((size[1], size[0]), how))
            for one in pixels
        ]
    )


def _read(
    explainer: Explainer,
    pixels: np.ndarray,
    class_index: Any,
    grid: tuple[int, ...],
    batch_size: int,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Maps on the grid `(n, H, W, F)`, use `(F,)`, and which filters count `(F,)`."""
    height, width = explainer.teacher.input_shape[:2]
    found = iter_explanations(
        explainer,
        _resized(pixels, (height, width)),
        class_index,
        batch_size=batch_size,
    )
    filters = explainer.part_count
    maps = np.zeros((len(pixels), *grid, filters), "float32")
    total: np.ndarray | None = np.zeros(filters)
    present = np.zeros(filters, bool)
    for item in found:
        rows = (np.arange(grid[0]) * item.map_size[0]) // grid[0]
        columns = (np.arange(grid[1]) * item.map_size[1]) // grid[1]
        for part in item.parts:
            if part.present:
                mask = mask_cells(part.cells, item.map_size, item.beta)
                maps[item.index, :, :, part.filter] = (
                    part.strength * mask[np.ix_(rows, columns)]
                )
                present[part.filter] = True
            if part.contribution is None:
                total = None
            elif total is not None:
                total[part.filter] += abs(part.contribution)
    if total is None or not total.sum():
        return maps, None, present
    use = total / total.sum()
    return maps, use, use >= 1 / filters


def _correlation(maps_a: np.ndarray, maps_b: np.ndarray) -> np.ndarray:
    """(F_a, F_b) Pearson correlation over images and cells; 0 for a constant."""
    filters = maps_a.shape[-1]
    moments = CoMoments(filters + maps_b.shape[-1])
    for one, two in zip(maps_a, maps_b, strict=True):
        both = np.concatenate([one, two], axis=-1)
        moments.update(both.reshape(-1, both.shape[-1]).astype("float64"))
    spread = np.sqrt(np.diag(moments.products))
    scale = np.outer(spread[:filters], spread[filters:])
    products = moments.products[:filters, filters:]
    return np.divide(products, scale, out=np.zeros_like(scale), where=scale > 0)


def _derangement(count: int, seed: int) -> np.ndarray:
    """An order in which no image keeps its place."""
    order = np.random.default_rng(seed).permutation(count)
    shifted = np.empty(count, int)
    shifted[order] = np.roll(order, 1)
    return shifted


def _alone(
    alike: np.ndarray,
    counts: list[np.ndarray],
    use: np.ndarray | None,
    names: PartNames | None,
) -> tuple[FilterUse, ...]:
    mine, theirs = counts
    alone = np.flatnonzero(mine & ~(alike & theirs).any(1))
    found = [
        FilterUse(filter=f, use=_use(use, f), name=_name(names, f))
        for f in alone.tolist()
    ]
    return tuple(sorted(found, key=lambda one: (-(one.use or 0.0), one.filter)))


def _use(use: np.ndarray | None, filter: int) -> float | None:
    return None if use is None else float(use[filter])


def _name(names: PartNames | None, filter: int) -> str | None:
    entry = None if names is None else names.of(filter)
    return None if entry is None else entry.name
