"""Serving: a client of TensorFlow Serving, and the files that a server needs.

The client needs neither Keras nor, over REST, TensorFlow.
"""

from __future__ import annotations

from keras_explainer.serving.client import Client
from keras_explainer.serving.served_explanations import ServedExplanations
from keras_explainer.serving.tls import Tls

__all__ = ["Client", "ServedExplanations", "Tls"]
