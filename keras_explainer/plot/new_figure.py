"""A new figure, or a clear error without matplotlib."""

from __future__ import annotations

from typing import Any

from keras_explainer.errors import ConfigError


def new_figure(width: float, height: float) -> Any:
    """An empty `matplotlib.figure.Figure` of this size in inches.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(
            "Plots need matplotlib: pip install 'keras-explainer[report]'."
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def show_image(axes: Any, image: Any) -> None:
    """An image without ticks or frame."""
    axes.imshow(image)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
