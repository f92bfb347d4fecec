"""`keras-explainer explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_explainer.cli.commands import load_libraries
from keras_explainer.cli.options import (
    Contributions,
    ExplainedClass,
    ExplanationsFile,
    PartNamesFile,
    TeacherFile,
    class_of,
)
from keras_explainer.errors import ConfigError, DataError


def explain(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for a picture per image and explanations.json."),
    ] = None,
    parts: Annotated[
        int, typer.Option(min=1, help="Parts shown in a picture, the first by rank.")
    ] = 6,
    class_: ExplainedClass = None,
    contributions: Contributions = True,
    names: PartNamesFile = None,
    json_: ExplanationsFile = None,
    weights: TeacherFile = None,
    on_bad: Annotated[
        str,
        typer.Option(
            metavar="skip|raise", help="What to do with files that cannot be read."
        ),
    ] = "skip",
    batch_size: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 32,
) -> None:
    """Explain images: which parts are there, where, and what each counts for a class.

    [bold]Examples[/bold]

    keras-explainer explain runs/dog photos/*.jpg --out explained

    keras-explainer explain runs/dog photo.jpg --json -
    """
    if out is None and json_ is None:
        raise ConfigError("explain needs --out FOLDER, or --json FILE (or -).")
    load_libraries()
    from keras_explainer import explanation, runs
    from keras_explainer.cli.left_out import show_bad
    from keras_explainer.cli.output import (
        make_folder,
        picture_names,
        save_picture,
        write_json,
    )
    from keras_explainer.cli.progress_display import ProgressDisplay
    from keras_explainer.datasets import ImageReader

    folder = runs.RunFolder.open(run)
    explainer = folder.load_explainer(weights=weights)
    height, width, channels = explainer.teacher.input_shape
    reader = ImageReader((height, width), channels, on_bad)
    if out is not None:
        make_folder(out)
    with ProgressDisplay() as progress:
        pixels, kept, bad = reader.read_many(
            images, progress=lambda done, total: progress("Reading", done, total, {})
        )
        show_bad([f"{entry.path} {entry.reason}" for entry in bad])
        if not len(pixels):
            raise DataError("None of the images can be read.")
        files = [images[row] for row in kept]
        found = explanation.explain(
            explainer,
            pixels,
            class_of(class_),
            contributions="integrated_gradients" if contributions else None,
            part_names=folder.part_names if names is None else names,
            names=[str(file) for file in files],
            batch_size=batch_size,
            verbose=0,
        )
        if out is not None:
            for number, name in enumerate(picture_names(files)):
                picture = explanation.explanation_picture(
                    pixels[number], found[number], parts=parts
                )
                save_picture(picture, out / name)
                progress("Pictures", number + 1, len(files), {})
    warned = sum(bool(item.warnings) for item in found)
    if warned:
        typer.echo(
            f"{warned} of {len(found)} explanations have a warning, such as a poor "
            "reconstruction: see `warnings` in the JSON.",
            err=True,
        )
    if json_ == "-":
        typer.echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
        return
    place = json_ if json_ is not None else (out or Path()) / "explanations.json"
    write_json(place, found.to_dict())
    typer.echo(f"{len(found)} images explained: {out or place}")
