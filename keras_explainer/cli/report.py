"""`keras-explainer report`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_explainer.cli.commands import load_libraries
from keras_explainer.cli.options import (
    Category,
    Data,
    ExplainedClass,
    OnBadAsInRun,
    PartNamesFile,
    RunOrName,
    TeacherFile,
    class_of,
)
from keras_explainer.cli.zoo_explainer import zoo_explainer
from keras_explainer.errors import ConfigError


def report(
    run: RunOrName,
    to: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER|FILE.html",
            help="Where it goes: a folder (report.html and summary.json), or a file.",
        ),
    ],
    data: Data = None,
    category: Category = None,
    class_: ExplainedClass = None,
    top: Annotated[
        int, typer.Option(min=0, max=100, help="Images for each filter.")
    ] = 12,
    shown: Annotated[
        int, typer.Option(min=0, max=500, help="Images to step through.")
    ] = 24,
    limit: Annotated[
        int,
        typer.Option(
            min=0, help="Summarise filters over this many images at most; 0: all."
        ),
    ] = 1000,
    images: Annotated[
        bool,
        typer.Option(
            "--images/--no-images",
            help="Embed pictures and names of images; --no-images for private data.",
        ),
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a report that is there.")
    ] = False,
    names: PartNamesFile = None,
    weights: TeacherFile = None,
    on_bad: OnBadAsInRun = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 32,
) -> None:
    """Write one HTML file that shows what an explainer found.

    Figures with their controls, learning curves, every filter with its top
    images, images to step through, and where teacher and explainer disagree.
    It opens from disk and loads nothing.

    [bold]Examples[/bold]

    keras-explainer report runs/dog --to reports/dog

    keras-explainer report creatures --to creatures.html

    keras-explainer report runs/patients --to report.html --no-images
    """
    from keras_explainer.report import check_target

    check_target(to, force)  # before anything that takes time
    load_libraries()
    from keras_explainer.cli.progress_display import ProgressDisplay
    from keras_explainer.report import write_report

    source, pictures = _source(run, data, weights)
    with ProgressDisplay() as progress:
        file = write_report(
            source,
            to,
            pictures,
            category=category,
            class_index=class_of(class_),
            top=top,
            shown=shown,
            limit=limit or None,
            embed_images=images,
            force=force,
            part_names=names,
            weights=weights,
            on_bad=on_bad,
            batch_size=batch_size,
            made=datetime.now(),
            progress=progress,
        )
    typer.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


def _source(run: str, data: Path | None, weights: Path | None) -> tuple[Any, Any]:
    """The run or the zoo's explainer, and images for one that has no folder."""
    if Path(run).exists():
        return run, data
    from keras_explainer.zoo import ZooEntry

    if data is None and run != "creatures" and run in ZooEntry.names():
        # Before its files are downloaded.
        raise ConfigError(
            f"{run} of the zoo comes without images to report on: give --data FOLDER. "
            "Those of creatures are drawn."
        )
    explainer = zoo_explainer(run, weights)
    if data is not None:
        return explainer, data
    from keras_explainer.datasets.creatures import Creatures
    from keras_explainer.demo import demo

    drawn = Creatures(demo.IMAGE_SIZE, [demo.SPECIES], seed=demo.DATA_SEED)
    return explainer, drawn.image_array(demo.TEST, start=demo.TRAIN)
