"""Chooses and builds the decoder that fits a teacher."""

from __future__ import annotations

import logging
from typing import Any

import keras
import numpy as np

from keras_explainer.errors import ConfigError, TeacherError, did_you_mean
from keras_explainer.explainer.decoders.conv_decoder import ConvDecoder
from keras_explainer.explainer.decoders.fc_decoder import FCDecoder
from keras_explainer.explainer.decoders.teacher_copy_decoder import TeacherCopyDecoder
from keras_explainer.explainer.recipe import Recipe
from keras_explainer.layers import SplitDense
from keras_explainer.teachers import Teacher

logger = logging.getLogger(__name__)

DECODERS = ("fc", "conv", "teacher_copy")


def decoder_kind(teacher: Teacher, kind: str | None, recipe: Recipe) -> str:
    """The kind of decoder: as asked, else the one that fits the teacher.

    "teacher_copy"; `build_decoder` falls back to "conv" where layers cannot be copied.
    With the recipe's `dense_decoder`, or a `pool_size` that a copy could not take, "fc"
    where all targets are fully connected layers (the paper's case).

    Raises:
        ConfigError: an unknown kind, or "fc" for targets that are maps.
    """
    vectors = all(len(shape) == 1 for shape in teacher.target_shapes.values())
    if kind is None:
        dense = recipe.dense_decoder or recipe.pool_size > 1
        return "fc" if vectors and dense else "teacher_copy"
    if kind not in DECODERS:
        raise ConfigError(
            f"There is no decoder {kind!r}. {did_you_mean(kind, DECODERS)}"
        )
    if kind == "fc" and not vectors:
        maps = [name for name, shape in teacher.target_shapes.items() if len(shape) > 1]
        raise ConfigError(
            f"The 'fc' decoder reconstructs fully connected layers; {', '.join(maps)} "
            "has spatial axes. Use 'conv' or 'teacher_copy', or other targets."
        )
    return kind


def build_decoder(
    teacher: Teacher, kind: str | None, recipe: Recipe, seed: int, dtype: Any
) -> keras.layers.Layer:
    """A decoder from `x_enc` to `{target: features}` for this teacher.

    Args:
        teacher: whose targets are reconstructed.
        kind: "fc", "conv", "teacher_copy", or None for what fits the teacher.
        recipe: says what decoder is chosen, the adapter's size and whether a copy
            learns on.
        seed: of start weights.
        dtype: policy of the layers.
    """
    chosen = decoder_kind(teacher, kind, recipe)
    if chosen == "teacher_copy":
        try:
            return TeacherCopyDecoder(
                teacher.copy_upper(recipe.train_copy, {keras.layers.Dense: SplitDense}),
                recipe.adapter_size,
                recipe.train_copy,
                seed,
                recipe.adapter_step_scale,
                name="decoder",
                dtype=dtype,
            )
        except TeacherError:
            if kind is not None:
                raise
            logger.warning(
                "The layers of %s between tap and targets cannot be copied; a conv "
                "decoder is learned instead.",
                teacher.name,
            )
    shapes = teacher.target_shapes
    activations = target_activations(teacher)
    if chosen == "fc":
        units = {name: shape[0] for name, shape in shapes.items()}
        return FCDecoder(units, activations, seed, name="decoder", dtype=dtype)
    return ConvDecoder(shapes, activations, seed=seed, name="decoder", dtype=dtype)


def check_decoder(
    decoder: keras.layers.Layer,
    track_shape: tuple[int, ...],
    target_shapes: dict[str, tuple[int, ...]],
) -> None:
    """Refuses a decoder that does not give every target in its shape.

    Args:
        decoder: a built layer.
        track_shape: `(H, W, F)` of `x_enc`.
        target_shapes: `{target: shape without batch}`.

    Raises:
        ConfigError: it names what the decoder gives and what is needed.
    """
    hint = (
        " A copy of the teacher's layers takes an encoding of the tap's size: use no "
        "pool_size, or another decoder."
        if isinstance(decoder, TeacherCopyDecoder)
        else ""
    )
    wanted = f"a dict of {target_shapes} (shapes without the batch)"
    try:
        found = decoder.compute_output_spec(keras.KerasTensor((None, *track_shape)))
    except Exception as error:
        reason = str(error).strip().split("\n")[-1]
        raise ConfigError(
            f"The decoder does not take an encoding of shape {track_shape}.{hint} "
            f"({reason})"
        ) from error
    if not isinstance(found, dict):
        raise ConfigError(
            f"The decoder gives a {type(found).__name__}; {wanted} is needed."
        )
    shapes = {name: tuple(tensor.shape[1:]) for name, tensor in found.items()}
    if any(shapes.get(name) != shape for name, shape in target_shapes.items()):
        raise ConfigError(f"The decoder gives {shapes}; {wanted} is needed.{hint}")


def target_activations(teacher: Teacher, seed: int = 0) -> dict[str, str]:
    """`{target: "relu" or "linear"}`: linear where the target's features are signed.

    Told by the features of a few images of noise: a layer that can be negative is, for
    some of its thousands of features.
    """
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (4, *teacher.input_shape)).astype("uint8")
    features = teacher.extract(noise)[1]
    return {
        name: "linear" if float(values.min()) < 0 else "relu"
        for name, values in features.items()
    }
