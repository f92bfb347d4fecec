"""A worker process without TensorFlow, whose model does what ODD_WORKER says.

right       explains all images but the bad ones
slow        the same, half a second a batch
once FILE   dies at the first image while FILE is not there, and makes it
poison      dies at every image that says so
unready     dies before it is ready
full FILE   the first worker there makes FILE, and has no room for its part once another
            is in the middle of its own, which it never ends
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_explainer.batch_inference import local_worker
from keras_explainer.results import Explanation, PartFinding

PNG = b"\x89PNG"
FAULT, _, ARGUMENT = os.environ.get("ODD_WORKER", "right").partition(" ")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def explanation(image: bytes) -> Explanation:
    """Made by hand; the strength is the number of bytes."""
    part = PartFinding(
        filter=1,
        present=True,
        strength=float(len(image)),
        relative_strength=0.5,
        cell=(1, 2),
        position=(3.0, 4.0),
        box=(0.0, 1.0, 5.0, 6.0),
    )
    return Explanation(
        index=0,
        image=None,
        image_size=(24, 32),
        answer=None,
        reconstruction=None,
        reconstruction_answer=None,
        share=0.5,
        filters=4,
        map_size=(6, 8),
        beta=4.0,
        parts=(part,),
    )


class OddProgram:
    """In place of `SavedModelProgram`."""

    def __init__(self, *arguments: Any) -> None:
        if FAULT == "unready":
            print("out of memory, or so", file=sys.stderr, flush=True)
            die()

    def explain(self, images: Sequence[bytes]) -> list[Explanation | str]:
        if FAULT == "slow":
            time.sleep(0.5)
        if FAULT == "once" and not Path(ARGUMENT).exists():
            Path(ARGUMENT).touch()
            die()
        if FAULT == "poison" and b"poison" in images:
            die()
        return [
            explanation(image) if image.startswith(PNG) else "It is no image."
            for image in images
        ]


def write_part_on_a_full_disk(path: Path, *arguments: Any) -> None:
    """In place of `write_part`."""
    half = path.with_name(".tmp-half.parquet")
    try:
        Path(ARGUMENT).touch(exist_ok=False)
    except FileExistsError:
        half.write_bytes(b"PAR1")
        time.sleep(600)
    while not half.exists():
        time.sleep(0.01)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


if __name__ == "__main__":
    local_worker.SavedModelProgram = OddProgram  # type: ignore[misc,assignment]
    if FAULT == "full":
        local_worker.write_part = write_part_on_a_full_disk  # type: ignore[assignment]
    local_worker.main(*sys.argv[1:])
