"""Recipe: every constant of the network, the losses and the learning, in one place."""

from __future__ import annotations

import numbers
import sys
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from keras_explainer.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Recipe:
    """How an explainer is built and learned.

    `Recipe.named("places")` is what an explainer has by default; named "quick" it is
    the same with half of the views and a quarter of the epochs; `Recipe()`, named
    "single", gives each filter a place of its own; `Recipe.named("paper")` has the
    settings of arXiv 1805.07468, where the paper states them. The paper does not state
    its loss weights: those here are this project's choice.

    Args:
        name: of the recipe.
        filters: interpretable filters `F`, where `Explainer` is given no number.
        kernel_size: side of the interpretable kernels.
        ordinary_kernel_size: side of the ordinary track's kernel.
        beta: slope of templates and masks (paper: 4).
        tau: peak of the templates; None is `0.5 / n²` (paper).
        peaks: peaks that a mask keeps (paper: 1).
        pool_size: side of a max-pool before the norms; 1 for none.
        temperature: of the scale-free filter loss; None is the paper's, scale-bound.
        filter_loss_weight: of the filter loss of each interpretable layer.
        reconstruction_weight: of the sum over targets of the squared error, divided by
            the target's variance over the train images.
        logits_weight: of the same error of the logits, through the teacher's own head.
        eta: of `-log p`.
        equivariance_weight: of the distance between a filter's positions in two views.
        separation_weight: of minus the information between filter and place in an
            image; without it equivariance draws all filters to one spot.
        ordinary_drop: share of each batch for which the ordinary track is replaced by
            its batch mean, so that parts must carry the answer alone.
        parts_weight: of the reconstruction and logits losses of what the parts say
            alone, with the ordinary track at its mean over the train images.
        places: groups of filters that share a place, see `GroupedPartConv2D`; 0 gives
            each filter a place of its own. Places are found first, and then kept: the
            decoder learns to read them (see `start_groups`). The number of filters must
            be a multiple.
        consensus_rounds: rounds in which the places found correct each other, see
            `consensus_detectors`.
        mask_beta, mask_flat: slope of the masks of the second interpretable layer where
            there are places, and whether they are flat inside their area.
        views: cached views per image; 1 is the image alone.
        views_per_step: views of an image in one step of `fit`; at most `views`.
        initial_share: `p` at the start. Masked maps vary some twenty times more than
            dense ones of the same mean: at 0.5 they drown the ordinary track.
        share_step_scale: see `TrackGate`.
        norm_momentum: see `ChannelNorm`; where there are places the norms keep what
            they measured at the start.
        whitened: learn by `WhitenedAdam` where `compile` is given the name "adam".
        dense_decoder: whether dense layers are learned (the paper's decoder) where all
            targets are fully connected layers and no decoder is named; else an adapter
            to a copy of the teacher's own.
        adapter_size: side of the kernel between `x_enc` and a copy of the teacher's
            layers.
        adapter_step_scale: see `TeacherCopyDecoder`.
        train_copy: whether a copy of the teacher's layers learns on. Copied layers need
            steps ten times smaller than new ones: at the new ones' step they unlearn.
        warm_start: start the convs from the tap's own geometry, and the adapter or the
            dense decoder by least squares (see `warm_start`, `dense_start`).
        learning_rate: where `compile` is given an optimiser's name, not an object: the
            highest rate of a linear warm-up and a cosine decay over the steps of `fit`.
        batch_size: images in a step (each with `views_per_step` views).
        epochs: passes over the images.
        steps_per_epoch: few images are gone through several times in an epoch, for as
            many passes as come nearest to it: a small category is learned as long.
    """

    name: str = "single"
    filters: int = 128
    kernel_size: int = 3
    ordinary_kernel_size: int = 1
    beta: float = 4.0
    tau: float | None = None
    peaks: int = 1
    pool_size: int = 1
    temperature: float | None = 10.0
    filter_loss_weight: float = 0.25
    reconstruction_weight: float = 1.0
    logits_weight: float = 1.0
    eta: float = 0.03
    equivariance_weight: float = 10.0
    separation_weight: float = 0.05
    ordinary_drop: float = 0.0
    parts_weight: float = 0.0
    places: int = 0
    consensus_rounds: int = 3
    mask_beta: float = 4.0
    mask_flat: bool = False
    views: int = 4
    views_per_step: int = 2
    initial_share: float = 0.03
    share_step_scale: float = 20.0
    norm_momentum: float = 0.95
    whitened: bool = False
    dense_decoder: bool = False
    adapter_size: int = 1
    adapter_step_scale: float = 1.0
    train_copy: bool = False
    warm_start: bool = True
    learning_rate: float = 1e-3
    batch_size: int = 16
    epochs: int = 20
    steps_per_epoch: int = 1

    def __post_init__(self) -> None:
        self._check_types()
        self._check(self.filters >= 1, "filters", "at least 1")
        self._check(self.kernel_size >= 1, "kernel_size", "at least 1")
        self._check(
            self.ordinary_kernel_size >= 1, "ordinary_kernel_size", "at least 1"
        )
        self._check(self.beta > 0, "beta", "above 0")
        self._check(self.tau is None or self.tau > 0, "tau", "above 0 or None")
        self._check(self.peaks >= 1, "peaks", "at least 1")
        self._check(self.pool_size >= 1, "pool_size", "at least 1")
        self._check(
            self.temperature is None or self.temperature > 0,
            "temperature",
            "above 0 or None",
        )
        for name in _WEIGHTS:
            self._check(getattr(self, name) >= 0, name, "at least 0")
        self._check(0 <= self.ordinary_drop < 1, "ordinary_drop", "in [0, 1)")
        self._check(self.places >= 0, "places", "at least 0")
        self._check(self.consensus_rounds >= 0, "consensus_rounds", "at least 0")
        self._check(self.mask_beta > 0, "mask_beta", "above 0")
        self._check(self.views >= 1, "views", "at least 1")
        self._check(
            1 <= self.views_per_step <= self.views, "views_per_step", "from 1 to views"
        )
        self._check(0 < self.initial_share < 1, "initial_share", "in (0, 1)")
        self._check(self.share_step_scale > 0, "share_step_scale", "above 0")
        self._check(0 <= self.norm_momentum < 1, "norm_momentum", "in [0, 1)")
        self._check(self.adapter_size >= 1, "adapter_size", "at least 1")
        self._check(self.adapter_step_scale > 0, "adapter_step_scale", "above 0")
        self._check(self.learning_rate > 0, "learning_rate", "above 0")
        self._check(self.batch_size >= 1, "batch_size", "at least 1")
        self._check(self.epochs >= 0, "epochs", "at least 0")
        self._check(self.steps_per_epoch >= 1, "steps_per_epoch", "at least 1")
        if self.places:
            for name, good, accepted in (
                ("warm_start", self.warm_start, "True"),
                ("views", self.views >= 2, "at least 2"),
                ("peaks", self.peaks == 1, "1"),
                ("pool_size", self.pool_size == 1, "1"),
            ):
                self._check(good, name, f"{accepted} where there are places")

    def _check_types(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            kind, _, optional = str(field.type).partition(" | ")
            if value is None and optional:
                continue
            accepted, wanted = _KINDS[kind]
            good = isinstance(value, accepted)
            if kind in ("int", "float"):
                good = good and not isinstance(value, bool)
                # Not NaN, not infinite, and no whole number that no float can hold.
                good = good and abs(value) <= sys.float_info.max
            self._check(good, field.name, wanted + (" or None" if optional else ""))
            # NumPy's numbers are no JSON.
            plain = {"int": int, "float": float}.get(kind)
            if plain is not None:
                object.__setattr__(self, field.name, plain(value))

    def _check(self, good: bool, name: str, accepted: str) -> None:
        if not good:
            raise ConfigError(
                f"Recipe.{name} must be {accepted}, got {getattr(self, name)!r}."
            )

    @classmethod
    def named(cls, name: str) -> Recipe:
        """The recipe called `name`; raises `ConfigError` for one that is not known."""
        name = FORMER_NAMES.get(name, name)
        if name not in RECIPES:
            raise ConfigError(
                f"There is no recipe {name!r}. {did_you_mean(name, RECIPES)}"
            )
        return cls(**{"name": name, **RECIPES[name]})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe with these fields; a missing one has its default."""
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                raise ConfigError(
                    f"A recipe has no setting {name!r}. {did_you_mean(name, known)}"
                )
        return cls(**values)

    @classmethod
    def resolve(cls, recipe: str | Recipe | dict[str, Any], **changes: Any) -> Recipe:
        """A recipe from a name, its fields or an object, with some fields changed."""
        if isinstance(recipe, str):
            recipe = cls.named(recipe)
        elif isinstance(recipe, dict):
            recipe = cls.from_dict(recipe)
        if not isinstance(recipe, Recipe):
            raise ConfigError(
                f"recipe is a name ({', '.join(RECIPES)}), a Recipe or a dict of its "
                f"settings, got {type(recipe).__name__}."
            )
        if not changes:
            return recipe
        cls.from_dict({**recipe.to_dict(), **changes})
        return replace(recipe, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-able values."""
        return asdict(self)


_KINDS: dict[str, tuple[type, str]] = {
    "int": (numbers.Integral, "a whole number"),
    "float": (numbers.Real, "a finite number"),
    "bool": (bool, "True or False"),
    "str": (str, "a text"),
}

_WEIGHTS = (
    "filter_loss_weight",
    "reconstruction_weight",
    "logits_weight",
    "eta",
    "equivariance_weight",
    "separation_weight",
    "parts_weight",
)

DEFAULT = "places"
"""What an explainer has if no recipe is named."""
FORMER_NAMES = {"default": "single"}
"""In files from before places were the default."""

_PLACES: dict[str, Any] = {
    "filters": 768,
    "places": 16,
    "parts_weight": 1.0,
    "mask_beta": 1.5,
    "mask_flat": True,
    "learning_rate": 2e-4,
    # Views are compared where places are chosen; the decoder takes one at a time.
    "views_per_step": 1,
    "adapter_step_scale": 5.0,
    "whitened": True,
    "share_step_scale": 1.0,
    "eta": 0.0,
    "epochs": 12,
    "steps_per_epoch": 18,
}

RECIPES: dict[str, dict[str, Any]] = {
    "places": _PLACES,
    "quick": {**_PLACES, "views": 2, "epochs": 3},
    "single": {},
    "paper": {
        "ordinary_kernel_size": 3,
        "temperature": None,
        "logits_weight": 0.0,
        "equivariance_weight": 0.0,
        "separation_weight": 0.0,
        "views": 1,
        "views_per_step": 1,
        "warm_start": False,
        "learning_rate": 1e-3,
        "filter_loss_weight": 1.0,
        "eta": 0.1,
        "initial_share": 0.5,
        "train_copy": True,
        "dense_decoder": True,
    },
}
