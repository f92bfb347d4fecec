"""The zoo: CNNs as data, with explainers that were learned on them.

    import keras_explainer as kx
    explainer = kx.zoo.load("creatures")

The folder lies beside the package and is imported as `keras_explainer.zoo` (`setup.py`
maps the name), from an installed package, editable or not.
"""

from __future__ import annotations

from .load import load, load_teacher
from .zoo_entry import ZooEntry
from .zoo_file import ZooFile

__all__ = ["ZooEntry", "ZooFile", "load", "load_teacher"]
