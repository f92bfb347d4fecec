"""Explanations: which filters fire in an image, where and how strongly; as pictures."""

from keras_explainer.explanation.explain import explain, iter_explanations
from keras_explainer.explanation.geometry import AREA_LEVEL, part_box, pixel_mask
from keras_explainer.explanation.pictures import explanation_picture, part_grid

__all__ = [
    "AREA_LEVEL",
    "explain",
    "explanation_picture",
    "iter_explanations",
    "part_box",
    "part_grid",
    "pixel_mask",
]
