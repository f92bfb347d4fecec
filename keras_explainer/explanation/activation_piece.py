"""`ActivationPiece`: an elementwise activation between two points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

NARROW = 1e-4
"""Half an interval, below which a secant is taken over a wider one."""


class ActivationPiece:
    """An elementwise activation, and the linear map that joins two of its points.

    Args:
        function: of a tensor, elementwise.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.call = function

    def secant(self, low: Any, high: Any) -> Any:
        """The slope from one value of each element to another; any at no distance.

        (The rescale rule of DeepLIFT, Shrikumar et al. 2017.)
        """
        middle = 0.5 * (low + high)
        half = ops.maximum(0.5 * ops.abs(high - low), NARROW)
        return (self.call(middle + half) - self.call(middle - half)) / (2 * half)

    def linear(self, value: Any, secant: Any) -> Any:
        """The value by the slope."""
        return value * ops.cast(secant, value.dtype)
