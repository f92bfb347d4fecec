"""Losses: what pushes filters to parts and reconstructions to the teacher."""

from keras_explainer.losses.distillation import relative_squared_error, share_loss
from keras_explainer.losses.equivariance import equivariance_loss, soft_positions
from keras_explainer.losses.filter_loss import FilterLoss
from keras_explainer.losses.part_templates import part_templates
from keras_explainer.losses.separation import separation_loss

__all__ = [
    "FilterLoss",
    "equivariance_loss",
    "part_templates",
    "relative_squared_error",
    "separation_loss",
    "share_loss",
    "soft_positions",
]
