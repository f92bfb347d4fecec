"""`keras-explainer export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from keras_explainer.cli.commands import load_libraries
from keras_explainer.cli.options import PartNamesFile, RunOrName, TeacherFile
from keras_explainer.cli.zoo_explainer import zoo_explainer


def export(
    run: RunOrName,
    to: Annotated[
        Path,
        typer.Option(
            help="Folder of the served model, a version goes into it; or FILE.onnx."
        ),
    ],
    version: Annotated[
        int | None,
        typer.Option(min=1, help="Default: one more than the last that is there."),
    ] = None,
    parts: Annotated[
        int, typer.Option(min=1, help="Parts an image, the first by rank.")
    ] = 8,
    names: PartNamesFile = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Folder of images on which the export is compared with Keras. "
            "Default: train images of the run, if they are there; else drawn ones."
        ),
    ] = None,
    warm_up: Annotated[
        Path | None,
        typer.Option(
            help="Folder of images for the requests that TensorFlow Serving runs "
            "before it serves a version. Default: as --images, if "
            "tensorflow-serving-api is installed."
        ),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            metavar="float32|float16|bfloat16", help="Of the weights in the file."
        ),
    ] = "float32",
    features: Annotated[
        bool,
        typer.Option(
            "--features",
            help="Without the teacher's lower part: features in, explanations out.",
        ),
    ] = False,
    weights: TeacherFile = None,
) -> None:
    """Write teacher and explainer as one SavedModel, for TensorFlow Serving.

    It appears when it is complete and a second process has loaded it and said what
    Keras says (export.json tells how far they differ). No other version is replaced.

    [bold]Examples[/bold]

    keras-explainer export runs/dog --to models/dog

    keras-explainer export creatures --to models/creatures --version 3

    keras-explainer export creatures --to creatures.onnx
    """
    load_libraries()
    import json

    from keras_explainer.export import onnx, saved_model
    from keras_explainer.export.verification import RECORD

    to_onnx = to.suffix.lower() == ".onnx"
    if to_onnx:
        _only_saved_models(
            version=version is not None,
            names=names is not None,
            warm_up=warm_up is not None,
            precision=precision != "float32",
            features=features,
        )
    explainer, own_names, own_images = _load(run, weights)
    compared = images or own_images
    if to_onnx:
        onnx(explainer, to, parts, compared)
        typer.echo(f"{to}: {to.stat().st_size / 2**20:.1f} MiB; agrees with Keras")
        return
    folder = saved_model(
        explainer,
        to,
        version,
        parts,
        own_names if names is None else names,
        compared,
        precision=precision,
        with_teacher=not features,
        warm_up=warm_up or (compared if _can_warm_up() else None),
    )
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    typer.echo(
        f"{folder}: {record['bytes'] / 2**20:.1f} MiB; differs from Keras by "
        f"{record['max_difference']:.1e} of the largest value "
        f"({record['images']['count']} {record['images']['source']} images)"
    )


def _only_saved_models(**given: bool) -> None:
    """Refuses options that an ONNX file has no place for."""
    from keras_explainer.errors import ConfigError

    refused = [f"--{name.replace('_', '-')}" for name in given if given[name]]
    if refused:
        raise ConfigError(
            f"{', '.join(refused)}: not for an ONNX file, which has the endpoint "
            "explain in float32 alone. Give --to a folder for a SavedModel."
        )


def _can_warm_up() -> bool:
    from importlib.util import find_spec

    return find_spec("tensorflow_serving") is not None


def _load(run: str, weights: Path | None) -> tuple[Any, Any, Any]:
    """The explainer, and names of its parts and train images if there are any."""
    from keras_explainer import runs

    if not Path(run).exists():
        return zoo_explainer(run, weights), None, None
    folder = runs.RunFolder.open(run)
    explainer = folder.load_explainer(weights=weights)
    return explainer, folder.part_names, _train_images(folder, explainer)


def _train_images(run: Any, explainer: Any) -> list[Path] | None:
    """Files that the run learned from, from all over; None if they are gone."""
    from keras_explainer.errors import DataError
    from keras_explainer.export.sample_images import COUNT

    height, width, channels = explainer.teacher.input_shape
    try:
        names = run.image_folder((height, width), channels).train.files
    except DataError:
        return None
    files = [Path(run.config.data.directory) / name for name in names]
    return files[:: max(1, len(files) // COUNT)] or None
