"""What `train --dry-run` shows."""

from __future__ import annotations

from pathlib import Path

import typer

from keras_explainer.cli.run_summary import show_bad
from keras_explainer.datasets import ImageFolder
from keras_explainer.explainer import Explainer
from keras_explainer.runs import RunConfig, RunFolder
from keras_explainer.teachers import Teacher


def show_plan(out: Path, config: RunConfig, teacher: Teacher, overwrite: bool) -> None:
    """Checks folder, images and explainer, and says what would be learned.

    Raises:
        RunError, DataError, ConfigError, TeacherError: as `runs.train`.
    """
    RunFolder.check_new(out, overwrite)
    data = config.data
    height, width, channels = teacher.input_shape
    folder = ImageFolder(
        data.directory,
        image_size=(height, width),
        channels=channels,
        category=data.category,
        parts_csv=data.parts_csv,
        test_share=data.test_share,
        seed=data.split_seed,
        on_bad=data.on_bad,
    )
    recipe = config.explainer.recipe
    explainer = Explainer(
        teacher,
        filters=config.explainer.filters,
        decoder=config.explainer.decoder,
        recipe=recipe,
    )
    rows, columns, channels = teacher.tap_shape
    typer.echo(f"Teacher   {teacher.name}, images {height} x {width}")
    typer.echo(f"Tap       {teacher.tap}, {rows} x {columns} cells of {channels}")
    typer.echo(f"Targets   {', '.join(teacher.targets)}")
    typer.echo(
        f"Images    {len(folder.train)} to learn from, {len(folder.test)} to measure on"
    )
    typer.echo(
        f"Explainer {config.explainer.filters} filters, recipe {recipe.name}, "
        f"{explainer.count_params():,} weights"
    )
    typer.echo(f"Learning  {config.epochs} epochs, written to {out}")
    show_bad([f"{bad.path} {bad.reason}" for bad in folder.train.bad])
    typer.echo("Nothing was learned or written (--dry-run).")
