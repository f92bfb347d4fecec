"""`keras-explainer call`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_explainer.cli.options import (
    Contributions,
    ExplainedClass,
    ExplanationsFile,
    class_of,
)
from keras_explainer.errors import ConfigError, DataError


def call(
    host: Annotated[
        str,
        typer.Argument(
            help="host:8500 or grpcs://host:8500 (gRPC), http://host:8501 or "
            "https://host (REST)."
        ),
    ],
    model: Annotated[str, typer.Argument(help="Name of the model on the server.")],
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    to: Annotated[
        Path | None,
        typer.Option(help="Folder for explanations.json."),
    ] = None,
    json_: ExplanationsFile = None,
    class_: ExplainedClass = None,
    contributions: Contributions = True,
    parts: Annotated[
        int, typer.Option(min=1, help="Parts shown of an image, the first by rank.")
    ] = 6,
    version: Annotated[
        int | None, typer.Option(min=1, help="Of the model; default: the latest.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Of a version, such as stable.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds for everything, retries included.")
    ] = 60.0,
    retries: Annotated[
        int, typer.Option(min=0, help="Further tries of a request that failed.")
    ] = 3,
    batch_size: Annotated[int, typer.Option(min=1, help="Images of a request.")] = 32,
    on_bad: Annotated[
        str,
        typer.Option(
            metavar="skip|raise", help="What to do with files that cannot be read."
        ),
    ] = "skip",
    ca: Annotated[
        Path | None,
        typer.Option(help="PEM file of who signed for the server."),
    ] = None,
    cert: Annotated[
        Path | None, typer.Option(help="PEM file of the client's certificate.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of its key.")] = None,
) -> None:
    """Explain images on a server: which parts are there, where, and what each counts.

    Without --to and --json, prints a table for each image.

    [bold]Examples[/bold]

    keras-explainer call localhost:8500 dog photo.jpg

    keras-explainer call http://localhost:8501 dog photos/*.jpg --no-contributions
    --to explained
    """
    from keras_explainer.cli.left_out import show_bad
    from keras_explainer.cli.output import make_folder, write_json
    from keras_explainer.cli.progress_display import ProgressDisplay
    from keras_explainer.cli.quiet_start import quiet_start
    from keras_explainer.serving import Client, Tls

    if to is not None and json_ is not None:
        raise ConfigError("--to and --json both say where the explanations go.")
    tls = None
    if ca is not None or cert is not None or key is not None:
        tls = Tls(ca=ca, certificate=cert, key=key)
    with quiet_start():  # gRPC's messages are TensorFlow's
        client = Client(
            host,
            model,
            version=version,
            label=label,
            timeout=timeout,
            retries=retries,
            batch_size=batch_size,
            tls=tls,
        )
    if to is not None:
        make_folder(to)
    with client, ProgressDisplay() as progress:
        found = client.explain(
            images,
            class_of(class_),
            contributions="integrated_gradients" if contributions else None,
            on_bad=on_bad,
            progress=lambda done, total: progress("Explanations", done, total, {}),
        )
    show_bad([f"{images[row]} {why}" for row, why in found.bad.items()])
    if not len(found):
        raise DataError("None of the images can be explained.")
    warned = sum(bool(item.warnings) for item in found)
    if warned:
        typer.echo(
            f"{warned} of {len(found)} explanations have a warning, such as a poor "
            "reconstruction: see `warnings` in the JSON.",
            err=True,
        )
    if json_ == "-":
        typer.echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
    elif to is None and json_ is None:
        typer.echo("\n\n".join(item.table(parts) for item in found))
    else:
        place = json_ if json_ is not None else (to or Path()) / "explanations.json"
        write_json(place, found.to_dict())
        typer.echo(f"{len(found)} images explained: {to or place}")
