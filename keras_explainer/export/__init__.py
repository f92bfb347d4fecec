"""Export: an explainer with its teacher as one program for a server."""

from keras_explainer.export.onnx import onnx
from keras_explainer.export.saved_model import saved_model

__all__ = ["onnx", "saved_model"]
