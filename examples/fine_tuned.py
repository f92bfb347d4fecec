"""A CNN of the zoo, fine-tuned on a folder of yours, and what it looks at.

    python examples/fine_tuned.py [DATA --category NAME] [--network MobileNet]

DATA holds a folder of images for each category. Without DATA, drawn creatures are
written and used, so that the example runs as it stands. `--weights` takes "public"
(downloaded), a file, or "none" for random ones, which need many more images. The same
on the command line: `keras-explainer teacher fit`, `train`, `report`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras_explainer as kx
from keras_explainer.datasets.creatures import Creatures
from keras_explainer.report import write_report


def main() -> None:
    """Fits a teacher, learns an explainer, writes a report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--category", help="that the explainer is learned for")
    parser.add_argument("--network", default="MobileNet")
    parser.add_argument("--weights", default=None)
    parser.add_argument("--size", type=int, default=96, help="of the images, pixels")
    parser.add_argument("--teacher-epochs", type=int, default=5)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--filters", type=int)
    parser.add_argument("--images", type=int, default=600, help="drawn without DATA")
    parser.add_argument("--out", type=Path, default=Path("mine"))
    arguments = parser.parse_args()

    data, category = arguments.data, arguments.category
    weights = arguments.weights or "public"
    if data is None:
        data, category = arguments.out / "images", category or "griffin"
        weights = arguments.weights or "none"
        if not data.exists():
            drawn = Creatures(arguments.size, ["griffin", "heron"], seed=3)
            drawn.write_folder(data, arguments.images, arguments.images // 4)

    teacher = kx.zoo.fit_teacher(
        arguments.network,
        data,
        arguments.out / "teacher",
        weights=None if weights == "none" else weights,
        input_shape=(arguments.size, arguments.size, 3),
        settings=kx.zoo.FitSettings(epochs=arguments.teacher_epochs),
        resume=True,
    )
    config = kx.runs.RunConfig(
        teacher=teacher.source,
        data=kx.runs.DataConfig(str(data.resolve()), category=category),
        explainer=kx.runs.ExplainerConfig(filters=arguments.filters),
        learning=kx.runs.LearningConfig(epochs=arguments.epochs),
    )
    run = kx.runs.train(arguments.out / "run", config, teacher=teacher, resume=True)
    print(f"Open {write_report(run, arguments.out / 'report', force=True)}")


if __name__ == "__main__":
    main()
