"""A shipped `.keras` file that every supported version of Keras reads."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from keras_explainer.files import save_atomically

ADDED: dict[str, Any] = {
    "input_axes": None,
    "output_axes": None,
    "quantization_config": None,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
}
"""Arguments that Keras has got since 3.12, and their defaults. Keras 3.12 refuses a
file that names them."""


def save_readable(model: keras.Model, path: Path) -> None:
    """Saves a model without what older versions do not know.

    Args:
        model: a teacher or an explainer.
        path: of the `.keras` file, which is there whole or not at all.

    Raises:
        ValueError: an argument that they do not know has another value than its
            default: they cannot compute this model.
    """

    def save(target: Path) -> None:
        model.save(target)
        with zipfile.ZipFile(target) as archive:
            files = {info: archive.read(info) for info in archive.infolist()}
        with zipfile.ZipFile(target, "w") as archive:
            for info, content in files.items():
                if info.filename == "config.json":
                    content = json.dumps(_without(json.loads(content))).encode()
                archive.writestr(info, content)

    save_atomically(path, save)


def _without(config: Any) -> Any:
    if isinstance(config, list):
        return [_without(value) for value in config]
    if not isinstance(config, dict):
        return config
    for key, default in ADDED.items():
        if config.get(key, default) != default:
            raise ValueError(f"{key} is {config[key]!r}, no Keras before has it.")
    return {key: _without(value) for key, value in config.items() if key not in ADDED}
