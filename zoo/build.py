"""Learns an explainer of a CNN of the zoo, by its configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from keras_explainer import runs

from .zoo_config import ZooConfig
from .zoo_teacher import teacher


def build_explainer(
    name: str,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] = "public",
    arguments: Mapping[str, Any] | None = None,
    category: str | None = None,
    labels: Sequence[str] | None = None,
    filters: int | None = None,
    changes: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    seed: int = 0,
    cache_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: runs.Progress | None = None,
) -> runs.RunFolder:
    """A run of `keras_explainer.runs` with the settings of a configuration.

    Args:
        name: of the CNN.
        data: folder of images; category: which of them.
        out: the run folder.
        weights, arguments, labels: as for `teacher`.
        filters, changes, epochs: instead of the configuration's; `changes` are settings
            of the recipe.
        seed, cache_dir, resume, overwrite, progress: as for `runs.train`.

    Raises:
        ZooError, TeacherError, ConfigError, DataError, RunError: as for `teacher` and
            `runs.train`.
    """
    config = ZooConfig.named(name)
    recipe = runs.resolve_recipe(
        config.training.recipe, {**config.training.settings, **(changes or {})}
    )
    made = teacher(config, weights=weights, labels=labels, **dict(arguments or {}))
    settings = runs.RunConfig(
        teacher=made.source,
        data=runs.DataConfig(str(data), category=category),
        explainer=runs.ExplainerConfig(
            filters=filters or config.filters,
            recipe=recipe,
            decoder=config.decoder,
            seed=seed,
        ),
        learning=runs.LearningConfig(
            epochs=epochs or config.training.epochs,
            batch_size=config.training.batch_size,
            cache_dir=None if cache_dir is None else str(cache_dir),
        ),
    )
    return runs.train(
        out,
        settings,
        teacher=made,
        resume=resume,
        overwrite=overwrite,
        progress=progress,
    )
