"""Did the new model learn the same parts as the old one?

    python examples/compare_models.py [--out compared] [--images 300] [--epochs 10]

Two small CNNs learn to tell drawn foxes from herons, from other start weights; an
explainer is learned for each, and their filters are compared on images of neither.
`compare` says which filters correspond, and what one model alone uses.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from find_a_shortcut import SIZE, Settings, explain_teacher, learn_teacher

import keras_explainer as kx
from keras_explainer.datasets.creatures import Creatures


def main() -> None:
    """Learns twice, compares, and shows the filters that one model alone uses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("compared"))
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--filters", type=int, default=24)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    creatures = Creatures(SIZE, ["fox", "heron", "ram"], seed=5, distractors=0)
    drawn = creatures.generate(arguments.images)
    settings = Settings(
        teacher_epochs=arguments.epochs,
        epochs=arguments.epochs,
        filters=arguments.filters,
    )
    old, new = (
        explain_teacher(
            learn_teacher(drawn.images, drawn.labels, replace(settings, seed=seed)),
            drawn.images,
            settings,
        )
        for seed in (0, 1)
    )
    test = creatures.generate(max(6, arguments.images // 5), start=arguments.images)
    comparison = kx.compare(old, new, test.images)
    print(comparison.table())
    comparison.save_json(arguments.out / "comparison.json")
    for name, explainer, alone in (
        ("old", old, comparison.only_a),
        ("new", new, comparison.only_b),
    ):
        chosen = [use.filter for use in alone[:4]] or None
        figure = kx.plot.filters(explainer, np.asarray(test.images), chosen, columns=6)
        figure.savefig(arguments.out / f"only_{name}.png")
    print(f"Pictures and JSON: {arguments.out}")


if __name__ == "__main__":
    main()
