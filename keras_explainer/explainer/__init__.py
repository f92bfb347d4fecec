"""The explainer: encoder, decoder, objective, learning."""

from keras_explainer.explainer.explainer import Explainer
from keras_explainer.explainer.loading import load
from keras_explainer.explainer.recipe import Recipe

__all__ = ["Explainer", "Recipe", "load"]
