"""`keras-explainer demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keras_explainer.cli.commands import load_libraries


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for images, run, figures and pictures.")
    ] = Path("demo"),
    species: Annotated[
        str,
        typer.Option(
            help="fox, ram, lizard, heron, wasp, dragon or griffin (the one with all "
            "five parts)."
        ),
    ] = "griffin",
    seed: Annotated[int, typer.Option(help="Of the explainer.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted demonstration.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace one that is in the folder.")
    ] = False,
) -> None:
    """Learn, measure and show an explainer on drawn creatures, offline.

    The creatures' parts were drawn by us, so that every figure can be
    checked against the truth. Takes some three minutes on two cores.

    [bold]Examples[/bold]

    keras-explainer demo

    keras-explainer demo --species heron --out heron
    """
    load_libraries()
    from keras_explainer.cli.metrics_tables import show_metrics
    from keras_explainer.cli.progress_display import ProgressDisplay
    from keras_explainer.cli.truth_table import show_truth
    from keras_explainer.demo import run_demo

    with ProgressDisplay() as progress:
        done = run_demo(
            out,
            species=species,
            seed=seed,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
    show_metrics(done.metrics)
    typer.echo()
    show_truth(done.truth)
    typer.echo()
    typer.echo("Look at:")
    for picture in [*done.pictures, *([done.curves] if done.curves else [])]:
        typer.echo(f"  {picture}")
    if done.curves is None:
        typer.echo("  (learning curves need: pip install 'keras-explainer[report]')")
    run, images = done.run.path, done.folder / "images" / "images"
    typer.echo("Go on with:")
    typer.echo(f"  keras-explainer evaluate {run}")
    typer.echo(f"  keras-explainer explain {run} {images}/*1.png --out explained")
