"""`keras-explainer serve-config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keras_explainer.errors import ConfigError, did_you_mean


def serve_config(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]FOLDER...",
            help="Folders that export wrote, and their names on the server; by default "
            "the folder's own.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("serving"),
    version: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME:]N",
            help="Version that is served, as often as there are; by default the "
            "latest. NAME: where there are several models.",
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME:]LABEL=N", help="Label of a version, such as stable=1."
        ),
    ] = None,
    latest: Annotated[
        int, typer.Option(min=1, help="How many of the latest versions are served.")
    ] = 1,
    image: Annotated[
        str | None,
        typer.Option(help="Image of the container; by default the official one."),
    ] = None,
    cpus: Annotated[float, typer.Option(help="Limit of cores.")] = 2.0,
    memory: Annotated[str, typer.Option(help="Limit of memory.")] = "4g",
    publish: Annotated[
        bool,
        typer.Option(help="Open both ports on the loopback interface, and only there."),
    ] = True,
    grpc_port: Annotated[int, typer.Option(help="Port of gRPC.")] = 8500,
    rest_port: Annotated[int, typer.Option(help="Port of REST.")] = 8501,
    batch_size: Annotated[
        int, typer.Option(min=0, help="Images computed together; 0: no batching.")
    ] = 32,
    batch_timeout: Annotated[
        float, typer.Option(help="Milliseconds that a request waits for others.")
    ] = 2.0,
    monitoring: Annotated[
        bool, typer.Option(help="Give figures for Prometheus, at the REST port.")
    ] = False,
    user: Annotated[
        str | None, typer.Option(help="UID:GID of the server; by default nobody's.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace files that are there.")] = False,
) -> None:
    """Write what TensorFlow Serving needs: models.config, batching, docker compose.

    Models are mounted read-only, the container has limits and no rights, and no port
    is open beyond this machine.

    [bold]Examples[/bold]

    keras-explainer serve-config models/dog

    keras-explainer serve-config models/dog cats=models/cat-2 --out serving
    --label dog:stable=1 --label dog:canary=2
    """
    from keras_explainer.serving.serve_config import serve_config as write
    from keras_explainer.serving.served_model import ServedModel
    from keras_explainer.serving.server_settings import IMAGE, NOBODY, ServerSettings

    folders = dict(_named(given) for given in models)
    if len(folders) < len(models):
        raise ConfigError("Two models have one name; give others by NAME=FOLDER.")
    versions: dict[str, list[int]] = {name: [] for name in folders}
    labels: dict[str, dict[str, int]] = {name: {} for name in folders}
    for given in version or ():
        name, text = _addressed(given, folders, "--version")
        versions[name].append(_number(text, given))
    for given in label or ():
        name, text = _addressed(given, folders, "--label")
        key, separator, number = text.partition("=")
        if not separator:
            raise ConfigError(f"--label is LABEL=N, such as stable=1; got {given!r}.")
        if key in labels[name]:
            raise ConfigError(f"--label gives '{key}' of model '{name}' twice.")
        labels[name][key] = _number(number, given)
    written = write(
        [
            ServedModel(
                path=folder,
                name=name,
                versions=versions[name],
                latest=latest,
                labels=labels[name],
            )
            for name, folder in folders.items()
        ],
        out,
        ServerSettings(
            image=IMAGE if image is None else image,
            cpus=cpus,
            memory=memory,
            publish=publish,
            grpc_port=grpc_port,
            rest_port=rest_port,
            max_batch_size=batch_size,
            batch_timeout_ms=batch_timeout,
            monitoring=monitoring,
            user=NOBODY if user is None else user,
        ),
        force,
    )
    for path in written:
        typer.echo(path)
    typer.echo(f"Start it: cd {out} && docker compose up --wait")


def _named(given: str) -> tuple[str, Path]:
    """Name and folder; a folder may have '=' in its path."""
    name, separator, folder = given.partition("=")
    if separator and folder and "/" not in name and not Path(given).exists():
        return name, Path(folder)
    return Path(given).resolve().name, Path(given)


def _addressed(given: str, names: dict[str, Path], option: str) -> tuple[str, str]:
    name, separator, text = given.partition(":")
    if separator:
        if name not in names:
            raise ConfigError(
                f"{option} {given}: there is no model '{name}'. "
                f"{did_you_mean(name, names)}"
            )
        return name, text
    if len(names) > 1:
        raise ConfigError(
            f"{option} {given}: say of which model, NAME:{given}; there are "
            f"{', '.join(names)}."
        )
    return next(iter(names)), given


def _number(text: str, given: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"A version is a whole number from 1, got {given!r}.")
    return int(text)
