"""Result objects and their JSON form; light: NumPy at most, no Keras.

They are made by `keras_explainer.explanation` and read by pictures, reports, commands
and clients. Later schema versions are refused; fields that a version does not know are
ignored, so that a field can be added without a new version.
"""

from keras_explainer.results.class_score import ClassScore
from keras_explainer.results.comparison import Comparison
from keras_explainer.results.contributions import Contributions
from keras_explainer.results.explainer_summary import ExplainerSummary
from keras_explainer.results.explanation import Explanation
from keras_explainer.results.explanations import Explanations
from keras_explainer.results.filter_pair import FilterPair
from keras_explainer.results.filter_summary import FilterSummary
from keras_explainer.results.filter_use import FilterUse
from keras_explainer.results.json_schema import json_schema
from keras_explainer.results.mask_cells import mask_cells
from keras_explainer.results.part_finding import PartFinding
from keras_explainer.results.part_name import PartName
from keras_explainer.results.part_names import PartNames
from keras_explainer.results.top_image import TopImage

__all__ = [
    "ClassScore",
    "Comparison",
    "Contributions",
    "ExplainerSummary",
    "Explanation",
    "Explanations",
    "FilterPair",
    "FilterSummary",
    "FilterUse",
    "PartFinding",
    "PartName",
    "PartNames",
    "TopImage",
    "json_schema",
    "mask_cells",
]
