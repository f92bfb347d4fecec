"""Random numbers that depend on a key alone, the same on every platform.

NumPy's generators may change their streams between versions; these are splitmix64
(Steele, Lea and Flood 2014) of key and counter, in whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_BLOCK = 96
_COUNTERS = np.arange(1, _BLOCK + 1, dtype=np.uint64) * np.uint64(_STEP)

T = TypeVar("T")


class Draws:
    """A stream of random numbers for one purpose.

    Args:
        key: whole numbers that name the stream, such as (seed, purpose, image).
    """

    __slots__ = ("_key", "_values")

    def __init__(self, *key: int) -> None:
        self._key = hashed(*key)
        self._values: list[float] = []

    @classmethod
    def several(cls, *keys: tuple[int, ...]) -> list[Draws]:
        """One stream per key; faster than one after the other."""
        streams = [cls(*key) for key in keys]
        first = np.array([[stream._key] for stream in streams], np.uint64)
        for stream, values in zip(streams, _units(_COUNTERS + first), strict=True):
            stream._restart(values)
        return streams

    def _restart(self, values: np.ndarray) -> None:
        self._values = values[::-1].tolist()
        self._key = hashed(self._key, 1)

    def unit(self) -> float:
        """A number in [0, 1)."""
        if not self._values:
            self._restart(units(self._key, _BLOCK))
        return self._values.pop()

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        if not self._values:
            self._restart(units(self._key, _BLOCK))
        return low + (high - low) * self._values.pop()

    def whole(self, count: int) -> int:
        """A whole number in 0 .. count - 1."""
        return int(self.unit() * count)

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self.unit() < share

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.whole(len(choices))]


def hashed(*key: int) -> int:
    """64 bits that depend on all of `key`, and on its order."""
    state = 0
    for part in key:
        state = (state + _STEP + part) & _MASK
        state = ((state ^ (state >> 30)) * _MIX[0]) & _MASK
        state = ((state ^ (state >> 27)) * _MIX[1]) & _MASK
        state ^= state >> 31
    return state


def units(key: int, count: int) -> np.ndarray:
    """The first `count` numbers of a key's sequence: float64 (count,), [0, 1)."""
    counters = _COUNTERS[:count]
    if count > _BLOCK:
        counters = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_STEP)
    return _units(counters + np.uint64(key))


def _units(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(_MIX[0])
    state = (state ^ (state >> np.uint64(27))) * np.uint64(_MIX[1])
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def direction(turns: float) -> tuple[float, float]:
    """(cosine, sine) of an angle in turns, to 1e-9.

    By a series of its own: libraries differ in the last bit.
    """
    quarters = math.floor(turns * 4 + 0.5)
    angle = (turns - quarters / 4) * 6.283185307179586
    square = angle * angle
    sine = angle * (
        1
        - square
        / 6
        * (1 - square / 20 * (1 - square / 42 * (1 - square / 72 * (1 - square / 110))))
    )
    cosine = 1 - square / 2 * (
        1 - square / 12 * (1 - square / 30 * (1 - square / 56 * (1 - square / 90)))
    )
    quarter = quarters % 4
    if quarter == 0:
        return cosine, sine
    if quarter == 1:
        return -sine, cosine
    if quarter == 2:
        return -cosine, -sine
    return sine, -cosine
