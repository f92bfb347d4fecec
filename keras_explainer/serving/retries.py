"""`Retries`: a request that failed is tried again, after a growing pause."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from keras_explainer.errors import ConfigError, ServingError
from keras_explainer.serving.deadline import Deadline

T = TypeVar("T")


class Retries:
    """Tries again what may succeed a little later, and nothing else.

    The pause doubles from `first` to `longest` seconds; half of it is random, so that
    clients that failed together do not come back together.

    Args:
        count: Further tries after the first, from 0.
        first, longest: Pauses in seconds.
    """

    def __init__(self, count: int, first: float = 0.1, longest: float = 5.0) -> None:
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ConfigError(f"retries is a whole number from 0, got {count!r}.")
        self.count = count
        self.first = first
        self.longest = longest

    def run(self, attempt: Callable[[], T], deadline: Deadline) -> T:
        """What `attempt` gives.

        Raises:
            ServingError: What the last try raised; also where the deadline leaves no
                time for a further one.
        """
        for number in range(self.count + 1):
            try:
                return attempt()
            except ServingError as error:
                pause = self.pause(number)
                if not error.retryable or number == self.count:
                    raise
                if pause >= deadline.left():
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")

    def pause(self, number: int) -> float:
        """Seconds to wait after try `number`, from 0."""
        full = min(self.longest, self.first * 2.0**number)
        return full * random.uniform(0.5, 1.0)
