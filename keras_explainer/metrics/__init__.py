"""Figures of parts and of fidelity.

Map-based figures (NumPy): functions of `Positions`, and `PartMapFigures`, which takes
the maps batch by batch. Fidelity figures: streaming `keras.metrics.Metric`s.
"""

from keras_explainer.metrics.concentration import concentration
from keras_explainer.metrics.constant_agreement import ConstantAgreement
from keras_explainer.metrics.constant_position import constant_position
from keras_explainer.metrics.dead_filters import DeadFilters
from keras_explainer.metrics.distinct_positions import distinct_positions
from keras_explainer.metrics.distractor_following import (
    DistractorFollowing,
    distractor_following,
)
from keras_explainer.metrics.explained_variance import ExplainedVariance
from keras_explainer.metrics.filter_correlation import filter_correlation
from keras_explainer.metrics.landmark_error import LandmarkErrors, landmark_error
from keras_explainer.metrics.location_instability import location_instability
from keras_explainer.metrics.mask_iou import MaskIoU, mask_iou
from keras_explainer.metrics.part_map_figures import PartMapFigures
from keras_explainer.metrics.part_presence import PartPresence, part_presence
from keras_explainer.metrics.part_tracking import PartTracking, part_tracking
from keras_explainer.metrics.positions import Positions, positions
from keras_explainer.metrics.r2 import r2
from keras_explainer.metrics.teacher_kl import TeacherKL
from keras_explainer.metrics.top1_agreement import Top1Agreement

__all__ = [
    "ConstantAgreement",
    "DeadFilters",
    "DistractorFollowing",
    "ExplainedVariance",
    "LandmarkErrors",
    "MaskIoU",
    "PartMapFigures",
    "PartPresence",
    "PartTracking",
    "Positions",
    "TeacherKL",
    "Top1Agreement",
    "concentration",
    "constant_position",
    "distinct_positions",
    "distractor_following",
    "filter_correlation",
    "landmark_error",
    "location_instability",
    "mask_iou",
    "part_presence",
    "part_tracking",
    "positions",
    "r2",
]
