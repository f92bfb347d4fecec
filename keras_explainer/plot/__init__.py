"""Matplotlib figures of explainers and explanations, for notebooks.

Functions return a `matplotlib.figure.Figure` that no window or global state belongs to:
a notebook shows it, `figure.savefig(...)` keeps it. They need matplotlib
(`pip install 'keras-explainer[report]'`), which is imported when one is called.
"""

from __future__ import annotations

from keras_explainer.plot.explanation import explanation
from keras_explainer.plot.filters import filters

__all__ = ["explanation", "filters"]
