"""A worker process without TensorFlow, whose model does what ODD_WORKER says.

right       explains all images but the bad ones
slow        the same, half a second a batch
once FILE   dies at the first image while FILE is not there, and makes it
poison      dies at every image that says so
unready     dies before it is ready
"""

from __future__ import annotations

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


if __name__ == "__main__":
    local_worker.SavedModelProgram = OddProgram  # type: ignore[misc,assignment]
    local_worker.main(*sys.argv[1:])
