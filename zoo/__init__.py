"""The zoo: CNNs as data, with explainers that were learned on them.

    import keras_explainer as kx
    explainer = kx.zoo.load("creatures")
    teacher = kx.zoo.teacher("ResNet50", weights="resnet50.h5")

The folder lies beside the package and is imported as `keras_explainer.zoo` (`setup.py`
maps the name), from an installed package, editable or not. What reads configurations
needs pydantic and PyYAML, and is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from keras_explainer.errors import did_you_mean

from .load import load, load_teacher
from .zoo_entry import ZooEntry
from .zoo_file import ZooFile

if TYPE_CHECKING:
    from .build import build_explainer
    from .fit_settings import FitSettings
    from .model_cards import model_card
    from .publishing import publish
    from .teacher_fitting import fit_teacher
    from .zoo_config import ZooConfig
    from .zoo_record import ZooRecord
    from .zoo_teacher import teacher

_LATER = {
    "FitSettings": "fit_settings",
    "ZooConfig": "zoo_config",
    "ZooRecord": "zoo_record",
    "build_explainer": "build",
    "fit_teacher": "teacher_fitting",
    "model_card": "model_cards",
    "publish": "publishing",
    "teacher": "zoo_teacher",
}

__all__ = [
    "FitSettings",
    "ZooConfig",
    "ZooEntry",
    "ZooFile",
    "ZooRecord",
    "build_explainer",
    "fit_teacher",
    "load",
    "load_teacher",
    "model_card",
    "publish",
    "teacher",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(
            f"keras_explainer.zoo has no {name!r}. {did_you_mean(name, __all__)}"
        )
    value = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
