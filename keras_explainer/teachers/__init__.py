"""Teachers: frozen Keras models split at a tap."""

from keras_explainer.teachers.tap_geometry import TapGeometry
from keras_explainer.teachers.teacher import Teacher

__all__ = ["TapGeometry", "Teacher"]
