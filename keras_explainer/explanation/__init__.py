"""Explanations: which parts an image has, where, and how much each of them counts."""

from keras_explainer.explanation.compare import compare
from keras_explainer.explanation.explain import explain, iter_explanations
from keras_explainer.explanation.filter_groups import filter_groups
from keras_explainer.explanation.geometry import AREA_LEVEL, part_box, pixel_mask
from keras_explainer.explanation.name_parts import name_parts
from keras_explainer.explanation.pictures import explanation_picture, part_grid
from keras_explainer.explanation.summarize import summarize

__all__ = [
    "AREA_LEVEL",
    "compare",
    "explain",
    "explanation_picture",
    "filter_groups",
    "iter_explanations",
    "name_parts",
    "part_box",
    "part_grid",
    "pixel_mask",
    "summarize",
]
