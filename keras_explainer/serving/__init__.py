"""Serving: a client of TensorFlow Serving, and the files that a server needs.

The client needs neither Keras nor, over REST, TensorFlow.
"""

from __future__ import annotations

from keras_explainer.serving.client import Client
from keras_explainer.serving.serve_config import serve_config
from keras_explainer.serving.served_explanations import ServedExplanations
from keras_explainer.serving.served_model import ServedModel
from keras_explainer.serving.server_settings import ServerSettings
from keras_explainer.serving.tls import Tls

__all__ = [
    "Client",
    "ServedExplanations",
    "ServedModel",
    "ServerSettings",
    "Tls",
    "serve_config",
]
