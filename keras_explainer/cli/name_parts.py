"""`keras-explainer name-parts`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_explainer.cli.commands import load_libraries
from keras_explainer.cli.options import TeacherFile


def name_parts(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of images with a parts.csv; by default the run's own, of "
            "which the test images are used."
        ),
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="Category; by default the run's own.")
    ] = None,
    weights: TeacherFile = None,
    json_: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="FILE|-",
            help="Where the names go instead of part_names.json in the run; '-' "
            "prints them.",
        ),
    ] = None,
) -> None:
    """Name the parts that filters follow, from ten or more annotated images.

    Each name says how sure it is. `explain` shows the names that are in the run.

    [bold]Examples[/bold]

    keras-explainer name-parts runs/dog --data photos --category dog
    """
    load_libraries()
    from keras_explainer import explanation, runs
    from keras_explainer.cli.output import write_json

    folder = runs.RunFolder.open(run)
    explainer = folder.load_explainer(weights=weights)
    height, width, channels = explainer.teacher.input_shape
    images = folder.image_folder(
        (height, width), channels, directory=data, category=category
    ).test
    names = explanation.name_parts(explainer, images)
    if json_ == "-":
        typer.echo(json.dumps(names.to_dict(), indent=1, allow_nan=False))
        return
    if json_ is None:
        folder.write_part_names(names)
    else:
        write_json(json_, names.to_dict())
    typer.echo(names.table())
