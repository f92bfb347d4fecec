"""`keras-explainer train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from keras_explainer.cli.commands import load_libraries
from keras_explainer.cli.key_values import image_size as read_image_size
from keras_explainer.cli.key_values import key_values
from keras_explainer.errors import ConfigError

TEACHER, DATA, EXPLAINER, LEARNING = "Teacher", "Images", "Explainer", "Learning"


def train(
    out: Annotated[Path, typer.Option(help="Folder of the run that is written.")],
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE|FOLDER",
            help="Network of keras.applications or of the paper, a Keras model in a "
            "file, or a folder that `teacher fit` wrote.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    teacher_arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Argument of the network's constructor, as alpha=0.75. Repeatable.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|imagenet",
            help="The network's weights (.weights.h5), or 'imagenet' to download.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    tap: Annotated[
        str | None,
        typer.Option(
            help="Layer to explain. Default: the last cut at stride 16.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Layer above the tap to reconstruct. Repeatable. Default: the hidden "
            "dense layers, else the last feature map.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    preprocessing: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="identity, unit, tf, torch or caffe. Default: the network's own; "
            "identity for a file.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Text file with the teacher's class names, one a line, for accuracy.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(
            metavar="HEIGHTxWIDTH",
            help="Input size for a model that takes any.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of images, with or without parts.csv or sub-folders.",
            rich_help_panel=DATA,
        ),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(
            help="Name, wnid or sub-folder of the images to use. Default: all.",
            rich_help_panel=DATA,
        ),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(
            help="Share of the images held out where parts.csv has no split. "
            "Default: 0.2.",
            rich_help_panel=DATA,
        ),
    ] = None,
    on_bad: Annotated[
        str | None,
        typer.Option(
            metavar="skip|raise",
            help="What to do with files that cannot be read. Default: skip.",
            rich_help_panel=DATA,
        ),
    ] = None,
    filters: Annotated[
        int | None,
        typer.Option(
            help="Interpretable filters. Default: the recipe's, 768 (single: 128).",
            rich_help_panel=EXPLAINER,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="'places', 'quick', 'single' or 'paper'. Default: places.",
            rich_help_panel=EXPLAINER,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Setting of the recipe to change, as eta=0.3. Repeatable.",
            rich_help_panel=EXPLAINER,
        ),
    ] = None,
    decoder: Annotated[
        str | None,
        typer.Option(
            help="fc, conv or teacher_copy. Default: what fits the teacher.",
            rich_help_panel=EXPLAINER,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Default: 0.", rich_help_panel=EXPLAINER),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Default: the recipe's.", rich_help_panel=LEARNING),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Default: the recipe's.", rich_help_panel=LEARNING),
    ] = None,
    cache_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the teacher's features. Default: kept in memory.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    cache_dtype: Annotated[
        str | None,
        typer.Option(
            metavar="float32|float16",
            help="Precision of the cached features. Default: float32.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    validation_share: Annotated[
        float | None,
        typer.Option(
            help="Share of the train images that is only measured. Default: 0.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop after so many epochs without progress. Default: never.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    monitor: Annotated[
        str | None,
        typer.Option(
            help="Figure of the log that --patience looks at. Default: the loss.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted run: the same command again, or --out "
            "alone (with --weights, --data, --cache-dir if they were moved).",
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace a run that is in the folder."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Check everything and say what would be learned."
        ),
    ] = False,
) -> None:
    """Learn an explainer from photographs, without labels.

    [bold]Examples[/bold]

    keras-explainer train --teacher MobileNet --weights imagenet
    --tap conv_pw_11_relu --data photos --category dog --out runs/dog

    keras-explainer train --teacher my.keras --data photos --out runs/mine

    keras-explainer train --out runs/dog --resume
    """
    size = read_image_size(image_size)
    arguments = key_values(teacher_arg, "--teacher-arg")
    changes = key_values(settings, "--set")
    # On its own, --resume takes the settings from the run.
    fixed: dict[str, Any] = {
        "--teacher-arg": arguments,
        "--tap": tap,
        "--target": target,
        "--preprocessing": preprocessing,
        "--labels": labels,
        "--image-size": size,
        "--category": category,
        "--test-share": test_share,
        "--on-bad": on_bad,
        "--filters": filters,
        "--recipe": recipe,
        "--set": changes,
        "--decoder": decoder,
        "--seed": seed,
        "--epochs": epochs,
        "--batch-size": batch_size,
        "--cache-dtype": cache_dtype,
        "--validation-share": validation_share,
        "--patience": patience,
        "--monitor": monitor,
    }
    alone = resume and teacher is None
    if alone and (
        given := [n for n, value in fixed.items() if value not in ({}, None)]
    ):
        raise ConfigError(
            f"With --resume and no --teacher the run's own settings are used: leave "
            f"{', '.join(given)} out, or give the whole command again."
        )
    if dry_run and resume:
        raise ConfigError("--dry-run is for a new run: leave --resume out.")
    if not alone and (teacher is None or data is None):
        raise ConfigError(
            "train needs --teacher and --data (or --resume to go on with a run)."
        )
    load_libraries()
    from keras_explainer import runs
    from keras_explainer.cli.progress_display import ProgressDisplay
    from keras_explainer.cli.run_summary import show_run

    with ProgressDisplay() as progress:
        if alone:
            run = runs.resume(
                out,
                weights=weights,
                directory=data,
                cache_dir=cache_dir,
                progress=progress,
            )
        else:
            made = runs.make_teacher(
                str(teacher),
                weights=weights,
                tap=tap,
                targets=target or None,
                arguments=arguments,
                preprocessing=preprocessing,
                image_size=size,
                labels=None if labels is None else runs.read_labels(labels),
            )
            config = runs.RunConfig(
                teacher=made.source,
                data=runs.DataConfig(
                    str(data),
                    **_given(category=category, test_share=test_share, on_bad=on_bad),
                ),
                explainer=runs.ExplainerConfig(
                    recipe=runs.resolve_recipe(
                        **_given(recipe=recipe), changes=changes
                    ),
                    **_given(filters=filters, decoder=decoder, seed=seed),
                ),
                learning=runs.LearningConfig(
                    **_given(
                        epochs=epochs,
                        batch_size=batch_size,
                        cache_dir=None if cache_dir is None else str(cache_dir),
                        cache_dtype=cache_dtype,
                        validation_share=validation_share,
                        patience=patience,
                        monitor=monitor,
                    )
                ),
            )
            if dry_run:
                from keras_explainer.cli.plan import show_plan

                show_plan(out, config, made, overwrite)
                return
            run = runs.train(
                out,
                config,
                teacher=made,
                overwrite=overwrite,
                resume=resume,
                progress=progress,
            )
    show_run(run)


def _given(**values: Any) -> dict[str, Any]:
    """The options that were given; the others have their defaults elsewhere."""
    return {name: value for name, value in values.items() if value is not None}
