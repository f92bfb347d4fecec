"""`keras-explainer teacher`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from keras_explainer.cli.commands import load_libraries
from keras_explainer.cli.key_values import image_size as read_image_size
from keras_explainer.cli.key_values import key_values

teacher_app = typer.Typer(
    help="Teachers for one's own categories.", no_args_is_help=True
)


@teacher_app.callback()
def _group() -> None:
    """Teachers for one's own categories."""


@teacher_app.command()
def fit(
    name: Annotated[str, typer.Argument(help="CNN of the zoo (`zoo list`).")],
    data: Annotated[
        Path, typer.Option(help="Folder of images, in class folders or with parts.csv.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the teacher that is written.")],
    weights: Annotated[
        str,
        typer.Option(
            metavar="public|FILE|none",
            help="Weights to begin with: 'public' (downloaded), a file, or 'none'.",
        ),
    ] = "public",
    teacher_arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Argument of the constructor, as alpha=0.75. Repeatable.",
        ),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(help="A single category, against all others or --negatives."),
    ] = None,
    negatives: Annotated[
        Path | None, typer.Option(help="Folder of images without the category.")
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(metavar="HEIGHTxWIDTH", help="Default: the CNN's own."),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            metavar="all|top|head",
            help="Layers that learn: all, those above the tap, the last one. "
            "Default: all.",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Default: 5.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Default: 32.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Default: 3e-4.")] = None,
    test_share: Annotated[
        float | None,
        typer.Option(help="Share held out where no split is given. Default: 0.2."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Default: 0.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted fit.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a teacher that is there.")
    ] = False,
) -> None:
    """Fit a CNN of the zoo to your categories; it is at once a teacher.

    [bold]Examples[/bold]

    keras-explainer teacher fit MobileNet --data photos --out teachers/animals

    keras-explainer teacher fit ResNet50 --data photos --category dog
    --negatives other --out teachers/dog

    keras-explainer train --teacher teachers/dog --data photos --category dog
    --out runs/dog
    """
    arguments = key_values(teacher_arg, "--teacher-arg")
    size = read_image_size(image_size)
    given: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "train": train,
        "seed": seed,
        "test_share": test_share,
    }
    load_libraries()
    from keras_explainer.cli.progress_display import ProgressDisplay
    from keras_explainer.zoo import FitSettings, fit_teacher

    settings = FitSettings(**{k: v for k, v in given.items() if v is not None})
    with ProgressDisplay() as progress:
        made = fit_teacher(
            name,
            data,
            out,
            weights=None if weights == "none" else weights,
            category=category,
            negatives=negatives,
            input_shape=None if size is None else (size[0], size[1], 3),
            arguments=arguments,
            settings=settings,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
    from keras_explainer.teachers.teacher_folder import read_teacher_folder

    figures = read_teacher_folder(out)[1]["figures"]
    typer.echo(
        f"{out}: {made.num_outputs} classes, accuracy {figures['accuracy']:.3f} on "
        f"{figures['test_images']} test images (always the same answer: "
        f"{figures['constant_accuracy']:.3f})."
    )
    typer.echo(f"Explain it: keras-explainer train --teacher {out} --data … --out …")
