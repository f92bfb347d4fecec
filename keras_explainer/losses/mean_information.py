"""Mutual information of maps and part templates, with a gradient written by hand."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_explainer.losses.part_templates import template_tensor

# Scores of an image at once. With a batch of 32 that is what a core's cache holds: a
# sweep over a larger tensor waits for memory. XLA is fastest at half of it.
_SCORES_AT_ONCE = 25_500
_LEAST_CHUNK = 16  # a product with fewer columns is slow


def mean_information(
    maps: Any,
    beta: float,
    tau: float,
    temperature: float | None,
    chunk: int | None = None,
) -> Any:
    """The mean over filters of the mutual information of maps and templates.

    With `q = p(x|T)`, `r = p(x)` and `D = log q - log r`, `MI = Σ_T p(T) Σ_x q D`;
    through the softmax over images

        dMI / d tr(x·T) = p(T) q (D - Σ_x q D),   dMI / dx = Σ_T T · dMI / d tr(x·T):

    one more matrix product and a few sweeps over what is there already. Autodiff keeps
    every step and goes back through each. There is no second derivative.

    Args:
        maps: `(N, H, W, F)` float32.
        beta, tau: slope and peak of the templates, whose `p(T)` are equal.
        temperature: each filter's maps are divided by their mean and multiplied by
            it; None leaves them.
        chunk: filters that are worked on at once; bounds memory. None is what is
            fastest.

    Returns:
        A float32 scalar, in nats.
    """
    height, width, filters = maps.shape[1:]
    if chunk is None:
        scores = _SCORES_AT_ONCE // (2 if keras.backend.backend() == "jax" else 1)
        chunk = max(_LEAST_CHUNK, _power_of_two(scores // (height * width + 1)))

    @ops.custom_gradient
    def mean_of(flat: Any) -> Any:
        both = _both_ways(height, width, beta, tau)
        information, gradient = _in_chunks(flat, both, temperature, chunk)

        # PyTorch hands over the arguments too, and the upstream gradient by name.
        def backward(*args: Any, upstream: Any = None) -> Any:
            return gradient * (args[-1] if upstream is None else upstream)

        return information, backward

    return mean_of(ops.reshape(maps, (-1, height * width, filters)))


def _both_ways(height: int, width: int, beta: float, tau: float) -> tuple[Any, Any]:
    """The templates, `(n² + 1, n²)` with the flat `T-` as last row, and transposed.

    The others are symmetric, so that nothing is moved: to transpose 400 MB takes longer
    than to multiply with them.
    """
    cells = height * width
    templates = template_tensor(height, width, beta, tau)
    absent = ops.full((1, cells), -tau, "float32")
    return (
        ops.concatenate([templates, absent], axis=0),
        ops.concatenate([templates, ops.transpose(absent)], axis=1),
    )


def _power_of_two(most: int) -> int:
    return 1 << (most.bit_length() - 1) if most else 0


def _in_chunks(
    flat: Any, both: tuple[Any, Any], temperature: float | None, chunk: int
) -> tuple[Any, Any]:
    """Mean information of maps `(N, n², F)`, and its gradient of that shape."""
    cells, filters = flat.shape[1:]
    chunk = min(chunk, filters)

    def work(part: Any) -> tuple[Any, Any]:
        return _information(part, both, temperature, 1.0 / filters)

    parts: list[tuple[Any, Any]] = []
    whole = filters - filters % chunk
    start = 0
    if keras.backend.backend() == "jax" and whole > chunk:
        # XLA keeps the chunks of a Python loop side by side; `map` goes one by one.
        stacked = ops.reshape(flat[..., :whole], (-1, cells, whole // chunk, chunk))
        information, gradient = ops.map(work, ops.transpose(stacked, (2, 0, 1, 3)))
        gradient = ops.transpose(gradient, (1, 2, 0, 3))
        parts = [(ops.sum(information), ops.reshape(gradient, (-1, cells, whole)))]
        start = whole
    for first in range(start, filters, chunk):
        parts.append(work(flat[..., first : first + chunk]))
    if len(parts) == 1:
        return parts[0]
    return sum(part[0] for part in parts), ops.concatenate(
        [part[1] for part in parts], axis=-1
    )


def _information(
    flat: Any, both: tuple[Any, Any], temperature: float | None, weight: float
) -> tuple[Any, Any]:
    """`weight` times the sum over filters of the information, and its gradient.

    `both` are the templates and their transpose.
    """
    templates, transposed = both
    prior = 1.0 / templates.shape[0]
    if temperature is not None:
        mean = ops.mean(flat, axis=(0, 1))
        # A silent filter has no scale; it is zero whatever it is multiplied by.
        scale = ops.where(mean > 1e-12, temperature / ops.maximum(mean, 1e-12), 1.0)
        flat = flat * scale
    # tr(x·T), (N, n² + 1, F), its softmax over images times p(T), and log q without
    # what is the same for all images of a template.
    scores = ops.matmul(templates, flat)
    scores = scores - ops.max(scores, axis=0, keepdims=True)
    exponentials = ops.exp(scores)
    total = _sum_over_images(exponentials)
    q = exponentials * (prior / total)
    r = ops.sum(q, axis=1, keepdims=True)
    difference = scores - ops.log(ops.maximum(r, 1e-30))
    divergence = _sum_over_images(q * difference)
    information = ops.sum(divergence - prior * ops.log(total))
    back = q * (difference - divergence / prior)
    gradient = ops.matmul(transposed, back)
    if temperature is None:
        return weight * information, weight * gradient
    # The mean moves with each value: y = c x, c = temperature / mean.
    moved = ops.mean(gradient * flat, axis=(0, 1)) / temperature
    return weight * information, (gradient - moved) * (weight * scale)


def _sum_over_images(values: Any) -> Any:
    """`(N, T, F)` to `(1, T, F)`, as a product: XLA sums the first axis slowly."""
    count = ops.shape(values)[0]
    flat = ops.reshape(values, (count, -1))
    shape = (1, *values.shape[1:])
    return ops.reshape(ops.matmul(ops.ones((1, count)), flat), shape)
