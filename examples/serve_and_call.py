"""From an explainer to a server of explanations, and back.

    python serve_and_call.py                              # exports, says what next
    python serve_and_call.py --address http://localhost:8501   # asks a server

The first step writes `served/models/creatures/1` and `served/serving`, and prints the
command that starts TensorFlow Serving. The second draws images, sends them to that
server, and compares its answers with those of the explainer in this process. Any
address of a TensorFlow Serving will do: `localhost:8500` asks it by gRPC.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras_explainer as kx
from keras_explainer.datasets.creatures import Creatures
from keras_explainer.serving import Client, ServedModel, serve_config


def export(out: Path) -> None:
    """The shipped explainer as a version of a model, and the server's files."""
    model = out / "models" / "creatures"
    if not (model / "1").exists():
        folder = kx.export.saved_model(kx.zoo.load("creatures"), model, version=1)
        print(f"Exported: {folder}")
    if not (out / "serving").exists():
        serve_config([ServedModel(path=model, labels={"stable": 1})], out / "serving")
    print(f"Start a server: cd {out / 'serving'} && docker compose up --wait")
    print("Then: python serve_and_call.py --address http://localhost:8501")


def ask(address: str, count: int) -> None:
    """Images to the server; its answers beside those of this process."""
    drawn = Creatures(96, ["griffin"], seed=7).generate(count)
    here = kx.zoo.load("creatures").explain(drawn.images, verbose=0)
    with Client(address, "creatures", label="stable") as client:
        print(f"Versions: {', '.join(str(one) for one in client.status())}")
        found = client.explain(drawn.images)
    print(found.table())
    print()
    print(found[0].table(parts=5))
    same = sum(
        [part.filter for part in mine.present[:3]]
        == [part.filter for part in theirs.present[:3]]
        for mine, theirs in zip(here, found, strict=True)
    )
    print(f"\nThe first three parts are those of this process in {same} of {count}.")


def main() -> None:
    """Exports, or asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("served"))
    parser.add_argument("--address", help="of a TensorFlow Serving with the export")
    parser.add_argument("--images", type=int, default=8)
    options = parser.parse_args()
    if options.address is None:
        export(options.out)
    else:
        ask(options.address, options.images)


if __name__ == "__main__":
    main()
