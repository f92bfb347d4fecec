"""`keras-explainer export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from keras_explainer.cli.commands import load_libraries
from keras_explainer.errors import RunError, did_you_mean


def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|NAME", help="Folder of the run, or an explainer of the zoo."
        ),
    ],
    to: Annotated[
        Path, typer.Option(help="Folder of the served model; a version goes into it.")
    ],
    version: Annotated[
        int | None,
        typer.Option(min=1, help="Default: one more than the last that is there."),
    ] = None,
    parts: Annotated[
        int, typer.Option(min=1, help="Parts an image, the first by rank.")
    ] = 8,
    names: Annotated[
        Path | None,
        typer.Option(
            help="File with the names of the filters' parts; by default the run's own "
            "part_names.json, if there is one."
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="The teacher's file, if it has been moved."),
    ] = None,
) -> None:
    """Write teacher and explainer as one SavedModel, for TensorFlow Serving.

    It appears when it is complete, and never replaces another version.

    [bold]Examples[/bold]

    keras-explainer export runs/dog --to models/dog

    keras-explainer export creatures --to models/creatures --version 3
    """
    load_libraries()
    from keras_explainer.export import saved_model

    explainer, own_names = _load(run, weights)
    folder = saved_model(
        explainer, to, version, parts, own_names if names is None else names
    )
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    typer.echo(f"{folder}: {size / 2**20:.1f} MiB")


def _load(run: str, weights: Path | None) -> tuple[Any, Any]:
    """The explainer, and the names of its parts if it has any."""
    from keras_explainer import runs, zoo

    entries = zoo.ZooEntry.names()
    if not Path(run).exists():
        if run in entries and weights is None:
            return zoo.load(run), None
        if run not in entries:
            raise RunError(
                f"{run} is neither the folder of a run nor an explainer of the zoo. "
                f"{did_you_mean(run, entries)}"
            )
        raise RunError(
            f"--weights is for the teacher of a run; {run} of the zoo has its own."
        )
    folder = runs.RunFolder.open(run)
    return folder.load_explainer(weights=weights), folder.part_names
