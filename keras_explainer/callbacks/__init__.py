"""Callbacks for `Explainer.fit`, beside Keras' own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_explainer.callbacks.filter_gallery import FilterGallery

__all__ = ["FilterGallery"]


def __getattr__(name: str) -> Any:
    # Loads Keras: when it is first used.
    if name == "FilterGallery":
        from keras_explainer.callbacks.filter_gallery import FilterGallery as found

        globals()[name] = found
        return found
    raise AttributeError(f"keras_explainer.callbacks has no {name!r}.")
