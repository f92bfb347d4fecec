"""`serve_config`: writes what TensorFlow Serving needs beside the models."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from keras_explainer.errors import ConfigError, ExportError
from keras_explainer.files import write_text
from keras_explainer.serving.served_model import ServedModel
from keras_explainer.serving.server_files import (
    batching_config,
    compose_file,
    models_config,
    monitoring_config,
)
from keras_explainer.serving.server_settings import NOBODY, ServerSettings


def serve_config(
    models: Sequence[ServedModel],
    out: str | os.PathLike[str],
    settings: ServerSettings | None = None,
    force: bool = False,
) -> list[Path]:
    """Writes `docker-compose.yaml`, and in `config` beside it `models.config`,
    `batching.config` and, if it is on, `monitoring.config`.

    Args:
        models: At least one.
        out: The folder.
        settings: None for the usual ones.
        force: Replace files that are there. Other files of the folder stay.

    Returns:
        The files. Each is written whole or not at all; if one cannot be written, those
        that were new are taken away again.

    Raises:
        ConfigError: No model, two of one name, files that other users cannot read.
        ExportError: Files that are there, without `force`; a folder that cannot be
            written.
    """
    settings = settings or ServerSettings()
    models = list(models)
    if not models:
        raise ConfigError("serve-config needs a model at least.")
    name, count = Counter(model.name for model in models).most_common(1)[0]
    if count > 1:
        raise ConfigError(f"{count} models have the name '{name}'; give others.")
    if settings.user == NOBODY:
        for model in models:
            closed = model.unreadable()
            if closed is not None:
                raise ConfigError(
                    f"{closed} cannot be read by all, and the server runs as nobody: "
                    f"chmod -R a+rX {model.path}, or --user UID:GID."
                )
    folder = Path(out)
    texts = {folder / "config" / "models.config": models_config(models)}
    if settings.max_batch_size:
        texts[folder / "config" / "batching.config"] = batching_config(settings)
    if settings.monitoring:
        texts[folder / "config" / "monitoring.config"] = monitoring_config()
    texts[folder / "docker-compose.yaml"] = compose_file(models, settings, folder)
    there = [path for path in texts if path.exists()]
    if there and not force:
        raise ExportError(
            f"{', '.join(str(path) for path in there)} exists; --force replaces it."
        )
    written: list[Path] = []
    try:
        for path, text in texts.items():
            write_text(path, text)
            written.append(path)
    except OSError as error:
        for path in written:
            if path not in there:
                path.unlink(missing_ok=True)
        raise ExportError(
            f"{folder} cannot be written ({error.strerror or error})."
        ) from error
    return written
