"""Textures of skins and grounds: tiles computed once, by hashing, from no file."""

from __future__ import annotations

from functools import cache

import numpy as np

from .draws import hashed, units

TILE = 128
"""Texels a side of a skin's tile, which repeats without a seam."""


def lattice_noise(
    key: int, height: int, width: int, rows: int, columns: int
) -> np.ndarray:
    """Smooth noise over a random lattice, without a seam.

    Args:
        key: of the random numbers.
        height, width: of the result.
        rows, columns: of the lattice.

    Returns:
        float32 (height, width), values in [0, 1].
    """
    values = units(hashed(key), rows * columns).reshape(rows, columns)
    values = values.astype(np.float32)
    low, high, part = _steps(height, rows)
    values = values[low] + (values[high] - values[low]) * part[:, None]
    low, high, part = _steps(width, columns)
    return values[:, low] + (values[:, high] - values[:, low]) * part


def _steps(pixels: int, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    at = np.arange(pixels, dtype=np.float32) * np.float32(cells / pixels)
    low = at.astype(np.int64)
    part = at - low.astype(np.float32)
    part = part * part * (3 - 2 * part)
    return low % cells, (low + 1) % cells, part


def fractal_noise(
    key: int, height: int, width: int, rows: int, columns: int, octaves: int
) -> np.ndarray:
    """Lattice noise of several scales, each half as strong as the one before.

    Returns:
        float32 (height, width), about [0, 1], mean near 1/2.
    """
    total = np.zeros((height, width), np.float32)
    weight, sum_of_weights = 1.0, 0.0
    for octave in range(octaves):
        scale = 1 << octave
        noise = lattice_noise(
            hashed(key, octave),
            height,
            width,
            min(rows * scale, height),
            min(columns * scale, width),
        )
        total += weight * noise
        sum_of_weights += weight
        weight /= 2
    return total * np.float32(1 / sum_of_weights)


def step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    part = np.clip((values - low) * (1 / (high - low)), 0, 1)
    return part * part * (3 - 2 * part)


def cells(key: int, across: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest and second nearest of jittered points of a tile.

    Returns:
        Two float32 (TILE, TILE), in units of the points' mean spacing.
    """
    jitter = units(hashed(key), 2 * across * across).astype(np.float32)
    row, column = np.divmod(np.arange(across * across), across)
    y = (row.astype(np.float32) + jitter[::2]) * np.float32(TILE / across)
    x = (column.astype(np.float32) + jitter[1::2]) * np.float32(TILE / across)
    at = np.arange(TILE, dtype=np.float32)
    dy = np.abs(at[:, None] - y)
    dx = np.abs(at[:, None] - x)
    dy, dx = np.minimum(dy, TILE - dy), np.minimum(dx, TILE - dx)
    squares = (dy * dy)[:, None] + (dx * dx)[None]
    nearest = np.sqrt(np.partition(squares, 1, axis=-1)[..., :2])
    nearest *= np.float32(across / TILE)
    return nearest[..., 0], nearest[..., 1]


@cache
def skin(name: str, detail: int = 1) -> np.ndarray:
    """A tile: how much of the second colour of a coat shows.

    Args:
        name: one of `SKINS`.
        detail: how many times finer, by interpolation.

    Returns:
        float32 ((TILE detail)²,), row-major, values in [0, 1]; not to be changed.
    """
    if detail > 1:
        tile = _finer(skin(name).reshape(TILE, TILE), detail)
        tile = np.ascontiguousarray(_finer(tile.T, detail).T)
    else:
        tile = np.clip(_SKINS[name]().astype(np.float32), 0, 1)
    tile = tile.reshape(-1)
    tile.setflags(write=False)
    return tile


def _finer(tile: np.ndarray, detail: int) -> np.ndarray:
    """Rows between the rows, the last one before the first."""
    low, high, part = _steps(len(tile) * detail, len(tile))
    return tile[low] + (tile[high] - tile[low]) * part[:, None]


def _fur() -> np.ndarray:
    streaks = fractal_noise(11, TILE, TILE, 32, 8, 2)
    return 0.75 * step(streaks, 0.25, 0.8) + 0.1


def _patches() -> np.ndarray:
    near, second = cells(21, 8)
    rough = fractal_noise(22, TILE, TILE, 32, 16, 2)
    return step(second - near, 0.08, 0.3) * 0.85 + 0.25 * (rough - 0.5)


def _spots() -> np.ndarray:
    near, _ = cells(31, 11)
    rough = fractal_noise(32, TILE, TILE, 32, 16, 2)
    return 1 - step(near + 0.3 * (rough - 0.5), 0.22, 0.42)


def _speckle() -> np.ndarray:
    near, _ = cells(41, 26)
    return 1 - step(near, 0.22, 0.5)


def _scales() -> np.ndarray:
    at = np.arange(TILE, dtype=np.float32)
    row = np.floor(at / 5.12)
    v = at / 5.12 - row
    shift = 0.5 * (row % 2)
    u = (at[None] / 6.4 + shift[:, None]) % 1 - 0.5
    edge = np.sqrt(u * u + (v * v)[:, None] * 0.8)
    return step(edge, 0.35, 0.75)


def _rings() -> np.ndarray:
    wobble = fractal_noise(51, TILE, TILE, 8, 16, 2) - 0.5
    at = np.arange(TILE, dtype=np.float32)[None] / 10.667 + 0.5 * wobble
    wave = np.abs((at % 1) * 2 - 1)
    return step(wave, 0.32, 0.62)


def _barbs() -> np.ndarray:
    at = np.arange(TILE, dtype=np.float32)
    fold = np.abs((at / 16) % 1 * 2 - 1)
    lines = np.abs((at[None] / 5.333 + fold[:, None] * 1.5) % 1 * 2 - 1)
    bars = lattice_noise(61, TILE, TILE, 4, 12)
    return 0.55 * step(lines, 0.25, 0.7) + 0.6 * step(bars, 0.45, 0.7)


def _bark() -> np.ndarray:
    return step(fractal_noise(71, TILE, TILE, 10, 40, 3), 0.25, 0.75)


def _mottle() -> np.ndarray:
    return step(fractal_noise(81, TILE, TILE, 16, 16, 3), 0.2, 0.8)


_SKINS = {
    "fur": _fur,
    "patches": _patches,
    "spots": _spots,
    "speckle": _speckle,
    "scales": _scales,
    "rings": _rings,
    "barbs": _barbs,
    "bark": _bark,
    "mottle": _mottle,
}
SKINS = tuple(_SKINS)
"""Names of the tiles."""
