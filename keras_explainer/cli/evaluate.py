"""`keras-explainer evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_explainer.cli.commands import load_libraries
from keras_explainer.cli.options import Category, Data, OnBadAsInRun, TeacherFile


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    data: Data = None,
    category: Category = None,
    json_: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="FILE|-",
            help="Where the figures go; '-' prints them. Default: RUN/metrics.json.",
        ),
    ] = None,
    weights: TeacherFile = None,
    on_bad: OnBadAsInRun = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 32,
) -> None:
    """Measure an explainer on test images.

    Parts are measured against the centres in parts.csv, where there are
    any; fidelity against the teacher's own answers.

    [bold]Examples[/bold]

    keras-explainer evaluate runs/dog

    keras-explainer evaluate runs/dog --data photos --category dog --json -
    """
    load_libraries()
    from keras_explainer import runs
    from keras_explainer.cli.metrics_tables import show_metrics
    from keras_explainer.cli.output import write_json
    from keras_explainer.cli.progress_display import ProgressDisplay
    from keras_explainer.cli.run_summary import show_bad

    opened = runs.RunFolder.open(run)
    with ProgressDisplay() as progress:
        metrics = runs.evaluate(
            opened,
            data,
            category=category,
            weights=weights,
            on_bad=on_bad,
            batch_size=batch_size,
            progress=progress,
        )
    show_bad([f"{bad['path']} {bad['reason']}" for bad in metrics["data"]["bad"]])
    if json_ == "-":
        typer.echo(json.dumps(metrics, indent=1, allow_nan=False))
        return
    show_metrics(metrics)
    if json_ is None:
        opened.write_metrics(metrics)
    else:
        write_json(json_, metrics)
