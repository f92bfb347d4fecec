"""What the output of a job holds, and should hold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from keras_explainer.batch_inference import read_results


def ids(output: Path) -> Counter[str]:
    """How often each image has a row."""
    return Counter(row.image_id for row in read_results(output))


def expected(folder: Path) -> Counter[str]:
    """The images of a folder, once each."""
    return Counter(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in (".png", ".jpg")
    )


def leftovers(output: Path) -> list[str]:
    """Files that were never finished."""
    return [path.name for path in output.rglob(".tmp-*")]
