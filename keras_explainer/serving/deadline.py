"""`Deadline`: the time by which a call is over, its retries included."""

from __future__ import annotations

import sys
import time

from keras_explainer.errors import ConfigError, DeadlineError


class Deadline:
    """A moment, from now.

    Args:
        seconds: Above 0, finite.

    Raises:
        ConfigError: It is something else.
    """

    def __init__(self, seconds: float) -> None:
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not number or not 0 < seconds <= sys.float_info.max:
            raise ConfigError(
                f"timeout is a number of seconds above 0, got {seconds!r}."
            )
        self.seconds = float(seconds)
        self._end = time.monotonic() + self.seconds

    def left(self) -> float:
        """Seconds that are left, above 0.

        Raises:
            DeadlineError: None are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.missed()
        return left

    @property
    def is_over(self) -> bool:
        """Whether it has passed, or does within a moment."""
        return self._end - time.monotonic() < 0.05

    def missed(self) -> DeadlineError:
        """The error to raise when it has passed."""
        return DeadlineError(
            f"The server did not answer within {self.seconds:g} s (timeout=); retries "
            "and all batches count."
        )
