"""The explainer that a run learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from keras_explainer.errors import ConfigError
from keras_explainer.explainer.recipe import DEFAULT, Recipe
from keras_explainer.runs.config_reading import check_instance, check_types


@dataclass(frozen=True)
class ExplainerConfig:
    """Arguments of `Explainer`.

    Args:
        filters: interpretable filters, at least 1; None is the recipe's number.
        recipe: every constant of network, losses and learning.
        decoder: "fc", "conv", "teacher_copy", or None for what fits the teacher.
        seed: of start weights, order of images, views and drop, from 0.

    Raises:
        ConfigError: values that are not accepted.
    """

    filters: int | None = None
    recipe: Recipe = field(default_factory=lambda: Recipe.named(DEFAULT))
    decoder: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_instance(self, "explainer")
        check_instance(self.recipe, "recipe")
        # One number, said in both places.
        if self.filters is None:
            object.__setattr__(self, "filters", self.recipe.filters)
        elif self.filters < 1:
            raise ConfigError(
                f"explainer.filters must be at least 1, got {self.filters}."
            )
        else:
            recipe = replace(self.recipe, filters=self.filters)
            object.__setattr__(self, "recipe", recipe)
        if not 0 <= self.seed < 2**32:
            raise ConfigError(
                f"explainer.seed must be in 0 .. 2**32 - 1, got {self.seed}."
            )


def resolve_recipe(
    recipe: str | Recipe | Mapping[str, Any] = DEFAULT,
    changes: Mapping[str, Any] | None = None,
) -> Recipe:
    """A recipe from its name, with some settings changed.

    Args:
        recipe: a name, an object, or all settings.
        changes: `{setting: value}`.

    Raises:
        ConfigError: an unknown recipe or setting, a value of another type or range.
    """
    changes = dict(changes or {})
    check_types(Recipe, changes, "recipe")
    if isinstance(recipe, Mapping):
        check_types(Recipe, recipe, "recipe")
        recipe = dict(recipe)
    return Recipe.resolve(recipe, **changes)
