"""The zoo: CNNs as data, with explainers that were learned on them.

    import keras_explainer as kx
    explainer = kx.zoo.load("creatures")
    teacher = kx.zoo.teacher("ResNet50", weights="resnet50.h5")

The folder lies beside the package and is imported as `keras_explainer.zoo` (`setup.py`
maps the name), from an installed package, editable or not.
"""

from __future__ import annotations

from .build import build_explainer
from .fit_settings import FitSettings
from .fit_teacher import fit_teacher
from .load import load, load_teacher
from .model_card import model_card
from .publish import publish
from .zoo_config import ZooConfig
from .zoo_entry import ZooEntry
from .zoo_file import ZooFile
from .zoo_record import ZooRecord
from .zoo_teacher import teacher

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
