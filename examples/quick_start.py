"""The shipped explainer, from images to parts, figures and a report: no network needed.

python examples/quick_start.py [--out quick_start] [--images 60]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras_explainer as kx
from keras_explainer.datasets.creatures import Creatures
from keras_explainer.explanation import name_parts, summarize
from keras_explainer.report import write_report


def main() -> None:
    """Explains, names, plots, reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("quick_start"))
    parser.add_argument("--images", type=int, default=60)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    # A CNN that tells seven kinds of drawn creatures apart, and its explainer.
    explainer = kx.zoo.load("creatures")
    images = Creatures(96, ["griffin"], seed=7).image_array(arguments.images)

    # One image: which parts are there, where, and what each adds to the answer.
    found = explainer.explain(images, verbose=0)
    print(found[0].table(5))
    figure = kx.plot.explanation(found[0], images.images([0])[0])
    figure.savefig(arguments.out / "image.png")

    # The whole explainer: what each filter follows.
    names = name_parts(explainer, images)
    summary = summarize(explainer, images, part_names=names, verbose=0)
    print(summary.table(8))
    kx.plot.filters(summary, images).savefig(arguments.out / "filters.png")

    # Everything in one file that opens in a browser.
    report = write_report(
        explainer, arguments.out / "report.html", images, part_names=names, force=True
    )
    print(f"Open {report}")


if __name__ == "__main__":
    main()
