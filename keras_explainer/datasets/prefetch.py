"""Items made on a background thread, a few ahead of who takes them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")

_WAIT_S = 0.1


def prefetched(
    make: Callable[[Any], Item], keys: Sequence[Any], ahead: int = 2
) -> Iterator[Item]:
    """Yields `make(key)` for each key in order, made on one background thread.

    At most `ahead` finished items wait; with the one being made and the one in use
    there are `ahead + 2` at a time. An error of `make` is raised where its item was
    due. The thread ends when the iterator is exhausted, closed or collected.
    """
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=ahead)
    stop = threading.Event()

    def put(entry: tuple[bool, Any]) -> None:
        while not stop.is_set():
            try:
                ready.put(entry, timeout=_WAIT_S)
                return
            except queue.Full:
                continue

    def run() -> None:
        for key in keys:
            if stop.is_set():
                return
            try:
                item = make(key)
            except BaseException as error:  # it is raised again by the consumer
                put((False, error))
                return
            put((True, item))
            del item  # else one more would live while the next one is made

    thread = threading.Thread(target=run, name="image-prefetch", daemon=True)
    thread.start()
    try:
        for _ in range(len(keys)):
            good, item = ready.get()
            if not good:
                raise item
            yield item
            del item
    finally:
        stop.set()
        thread.join()
