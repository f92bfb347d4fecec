"""Result objects and their JSON form; light: NumPy at most, no Keras.

They are made by `keras_explainer.explanation` and read by pictures, reports, commands
and clients. Later schema versions are refused; fields that a version does not know are
ignored, so that a field can be added without a new version.
"""

from keras_explainer.results.class_score import ClassScore
from keras_explainer.results.comparison import Comparison
from keras_explainer.results.contributions import Contributions
from keras_explainer.results.explanation import Explanation
from keras_explainer.results.explanations import Explanations
from keras_explainer.results.filter_pair import FilterPair
from keras_explainer.results.filter_use import FilterUse
from keras_explainer.results.json_schema import json_schema
from keras_explainer.results.mask_cells import mask_cells
from keras_explainer.results.part_finding import PartFinding
from keras_explainer.results.part_name import PartName
from keras_explainer.results.part_names import PartNames

__all__ = [
    "ClassScore",
    "Comparison",
    "Contributions",
    "Explanation",
    "Explanations",
    "FilterPair",
    "FilterUse",
    "PartFinding",
    "PartName",
    "PartNames",
    "json_schema",
    "mask_cells",
]
