"""Objective: every loss of the explainer by name, and their weighted sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_explainer.explainer.recipe import Recipe
from keras_explainer.losses import (
    FilterLoss,
    equivariance_loss,
    relative_squared_error,
    separation_loss,
    share_loss,
)

PLACE_LOSSES = ("filter_loss", "equivariance_loss", "separation_loss")


class Objective:
    """The losses of one batch (arXiv 1805.07468, equation 1, and the view losses).

        L = Σ_l ‖x_l - x*_l‖² / V_l  -  eta · log p  +  lambda_f · Σ_layers Loss_f  + …

    A loss with weight 0 is not computed. A new loss is one more function here and one
    more weight in `Recipe`.

    Args:
        recipe: holds the weights.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.filter_loss = FilterLoss(recipe.beta, recipe.tau, recipe.temperature)
        losses: dict[str, tuple[float, Callable[[dict[str, Any]], Any]]] = {
            "reconstruction_loss": (recipe.reconstruction_weight, self._reconstruction),
            "logits_loss": (recipe.logits_weight, self._logits),
            "filter_loss": (recipe.filter_loss_weight, self._filter),
            "share_loss": (recipe.eta, self._share),
            "equivariance_loss": (recipe.equivariance_weight, self._equivariance),
            "separation_loss": (recipe.separation_weight, self._separation),
            "parts_loss": (recipe.parts_weight, self._parts),
        }
        if recipe.places:
            # The layers of places do not learn.
            for name in PLACE_LOSSES:
                del losses[name]
        self.losses = {name: pair for name, pair in losses.items() if pair[0] > 0}

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Unweighted losses of a batch, float32 scalars by name.

        Args:
            batch: `outputs` (of `Explainer.call`), `targets` `{target: (B, ...)}`,
                `target_variance` (scalars), `logits`, `reconstructed_logits` (or None),
                `parts_logits` (or None), `logits_variance`, `share_logit`, and
                `boxes` `(N, V, 5)` or None.
        """
        values = {name: loss(batch) for name, (_, loss) in self.losses.items()}
        return {name: value for name, value in values.items() if value is not None}

    def total(self, values: dict[str, Any]) -> Any:
        """The weighted sum of losses."""
        return sum(self.losses[name][0] * value for name, value in values.items())

    @staticmethod
    def _reconstruction(batch: dict[str, Any]) -> Any:
        return _features_error(batch, batch["outputs"]["reconstructions"])

    @staticmethod
    def _logits(batch: dict[str, Any]) -> Any:
        return _logits_error(batch, batch["reconstructed_logits"])

    def _parts(self, batch: dict[str, Any]) -> Any:
        found = batch["outputs"].get("parts_reconstructions")
        if found is None:
            return None
        error = self.recipe.reconstruction_weight * _features_error(batch, found)
        logits = _logits_error(batch, batch["parts_logits"])
        if logits is not None:
            error = error + self.recipe.logits_weight * logits
        return error

    def _filter(self, batch: dict[str, Any]) -> Any:
        outputs = batch["outputs"]
        return self.filter_loss(outputs["maps_1"]) + self.filter_loss(outputs["maps"])

    @staticmethod
    def _share(batch: dict[str, Any]) -> Any:
        return share_loss(batch["share_logit"])

    @staticmethod
    def _equivariance(batch: dict[str, Any]) -> Any:
        if batch["boxes"] is None or batch["boxes"].shape[1] < 2:
            return None
        views = batch["boxes"].shape[1]
        maps = batch["outputs"]["maps"]
        maps = ops.reshape(maps, (-1, views, *maps.shape[1:]))
        return equivariance_loss(maps, batch["boxes"])

    @staticmethod
    def _separation(batch: dict[str, Any]) -> Any:
        return separation_loss(batch["outputs"]["maps"])


def _features_error(batch: dict[str, Any], reconstructions: dict[str, Any]) -> Any:
    """Sum over targets of the relative squared error."""
    return sum(
        relative_squared_error(features, reconstructions[target], variance)
        for (target, features), variance in zip(
            batch["targets"].items(), batch["target_variance"], strict=True
        )
    )


def _logits_error(batch: dict[str, Any], logits: Any) -> Any:
    """Relative squared error of the logits; None without logits."""
    if batch["logits"] is None:
        return None
    return relative_squared_error(batch["logits"], logits, batch["logits_variance"])
