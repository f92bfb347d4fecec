"""Draws how long jobs went: images a second and memory over the images done.

    python -m benchmarks.dataset.plot [--json FILE] [--out docs/images]

One picture for each row of at least `LONG` images, named for its model and engine.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.dataset.__main__ import RESULTS
from benchmarks.rows import read_rows
from keras_explainer.files import save_atomically

LONG = 50_000
PARTS = 8
"""Part files in a point at least: which worker ends one first is chance."""
HEADROOM = 1.15
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"


def name(row: dict[str, Any]) -> str:
    """Of a row's picture."""
    key = row["key"]
    return f"dataset_{key['model'].lower()}_{key['engine']}_{key['count']}.png"


def merged(course: list[dict[str, float]], least: int) -> list[dict[str, float]]:
    """A row's course in steps of at least so many images; what is left over is out."""
    found = []
    start, most = course[0], 0.0
    for point in course[1:]:
        most = max(most, point["mib"])
        images = point["images"] - start["images"]
        if images >= least:
            seconds = point["seconds"] - start["seconds"]
            found.append({**point, "images_per_second": images / seconds, "mib": most})
            start, most = point, 0.0
    return found


def draw(row: dict[str, Any], path: Path) -> None:
    """Both curves of a row, from zero: what is flat shall look flat."""
    import matplotlib.pyplot as plt

    course = merged(row["course"], PARTS * row["key"]["rows_per_part"])
    done = [point["images"] / 1000 for point in course]
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 4.5), sharex=True)
    above.plot(done, [point["images_per_second"] for point in course])
    above.set(ylabel="images a second")
    below.plot(done, [point["mib"] for point in course], color="tab:orange")
    below.set(ylabel="MiB, all processes", xlabel="thousand images done")
    for axes in (above, below):
        axes.set_ylim(0, HEADROOM * axes.get_ylim()[1])
    key = row["key"]
    above.set_title(
        f"explain-dataset, {key['model']}, {key['count']:,} {key['images']}, "
        f"{key['engine']}, {key['workers']} at work",
        fontsize=10,
    )
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_atomically(path, lambda place: figure.savefig(place, dpi=110, format="png"))
    plt.close(figure)


def main() -> None:
    """Draws the long rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=RESULTS / "rows.json")
    parser.add_argument("--out", type=Path, default=PICTURES)
    options = parser.parse_args()
    for row in read_rows(options.json):
        if row["key"]["count"] >= LONG and row.get("course"):
            draw(row, options.out / name(row))
            print(options.out / name(row))


if __name__ == "__main__":
    main()
