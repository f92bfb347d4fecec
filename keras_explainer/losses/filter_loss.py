"""Filter loss: minus the mutual information between maps and part templates."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_explainer import global_batch
from keras_explainer.errors import ConfigError
from keras_explainer.losses.mean_information import mean_information
from keras_explainer.losses.part_templates import template_tensor
from keras_explainer.registration import registered


@registered
class FilterLoss:
    """`Loss_f = -MI(X_f ; T)` between a filter's maps over images and part templates.

    `p(x|T) = exp(tr(x·T)) / Z_T` with `Z_T` the sum over the images of the batch,
    `T = {T-, T_mu for every cell mu}`, `p(T_mu) = a / n²`, `p(T-) = 1 - a`,
    `a = n² / (1 + n²)` (arXiv 1710.00935, section 3, equations 1 and 2). `T-` is
    -tau in every cell. `MI` lies in [0, log(min(N, n² + 1))] nats; its true gradient
    comes from autodiff. `n²` is the number of cells, see `part_templates`.

    The loss is not additive over batches: the images of one call are the images of the
    sum, of all replicas where there are several. Work may be split over filters
    (`filters_per_chunk`), never over images.

    Args:
        beta: slope of the templates.
        tau: peak value of the templates; None is `0.5 / n²`.
        temperature: None uses the maps as they are, as the papers do: `tau` was made
            for activations of tens to hundreds; for a teacher bounded at 6 the loss is
            flat. A number divides each filter's maps by their mean over the
            batch (gradient kept) and multiplies by it: the loss is then the same for
            any scale of the filter.
        filters_per_chunk: filters that are worked on at once; bounds the memory beside
            the maps and their gradient to a few tensors of `N · (n² + 1) ·` this many
            values. None is what is fastest; `per_filter` then does all at once.

    Call: maps `(N, H, W, F)`, ReLU output before the mask. Returns the mean over
    filters, a float32 scalar; `per_filter(maps)` gives `(F,)`.
    """

    def __init__(
        self,
        beta: float = 4.0,
        tau: float | None = None,
        temperature: float | None = 10.0,
        filters_per_chunk: int | None = None,
    ) -> None:
        if temperature is not None and not temperature > 0:
            raise ConfigError(
                f"temperature must be above 0 or None, got {temperature}."
            )
        if filters_per_chunk is not None and filters_per_chunk < 1:
            raise ConfigError(
                f"filters_per_chunk must be None or at least 1, got {filters_per_chunk}"
            )
        self.beta = float(beta)
        self.tau = None if tau is None else float(tau)
        self.temperature = None if temperature is None else float(temperature)
        self.filters_per_chunk = filters_per_chunk

    def __call__(self, maps: Any) -> Any:
        return global_batch.channel_mean(self._mean, global_batch.all_rows(maps))

    def _mean(self, maps: Any) -> Any:
        return -mean_information(
            ops.cast(maps, "float32"),
            self.beta,
            self._peak(maps.shape[1] * maps.shape[2]),
            self.temperature,
            self.filters_per_chunk,
        )

    def per_filter(self, maps: Any) -> Any:
        """`-MI` of each filter in nats, `(F,)` float32; differentiable at will."""
        filters = maps.shape[-1]
        chunk = self.filters_per_chunk or filters
        if chunk >= filters:
            return self._minus_information(maps)
        return ops.concatenate(
            [
                self._minus_information(maps[..., start : start + chunk])
                for start in range(0, filters, chunk)
            ]
        )

    def _minus_information(self, maps: Any) -> Any:
        height, width, filters = maps.shape[1:]
        cells = height * width
        flat = ops.reshape(ops.cast(maps, "float32"), (-1, cells, filters))
        if self.temperature is not None:
            mean = ops.mean(flat, axis=(0, 1), keepdims=True)
            flat = flat * (self.temperature / ops.maximum(mean, 1e-12))
        tau = self._peak(cells)
        templates = template_tensor(height, width, self.beta, tau)
        # tr(x·T), (N, F) for the absent template, (N, cells, F) for the others.
        absent = -tau * ops.sum(flat, axis=1)
        present = ops.matmul(templates, flat)
        # With q = p(x|T) and r = p(x), MI = Σ_T p(T) Σ_x q log q - Σ_x r log r: one
        # exponential of the large tensor, and no quotient of small numbers.
        q_absent, entropy_absent = _over_images(absent)
        q_present, entropy_present = _over_images(present)
        # p(T-) = 1 / (1 + n²), and each p(T_mu) = a / n² is the same number.
        prior = 1.0 / (1 + cells)
        r = prior * (q_absent + ops.sum(q_present, axis=1))
        information = prior * (entropy_absent + ops.sum(entropy_present, axis=0))
        information = information - ops.sum(r * ops.log(ops.maximum(r, 1e-30)), axis=0)
        return -information

    def _peak(self, cells: int) -> float:
        return 0.5 / cells if self.tau is None else self.tau

    def get_config(self) -> dict[str, Any]:
        return {
            "beta": self.beta,
            "tau": self.tau,
            "temperature": self.temperature,
            "filters_per_chunk": self.filters_per_chunk,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FilterLoss:
        return cls(**config)


def _over_images(scores: Any) -> tuple[Any, Any]:
    """Softmax `q` over axis 0 and `Σ q log q` over that axis."""
    shifted = scores - ops.stop_gradient(ops.max(scores, axis=0, keepdims=True))
    weights = ops.exp(shifted)
    total = ops.sum(weights, axis=0, keepdims=True)
    q = weights / total
    return q, ops.sum(q * shifted, axis=0) - ops.log(ops.squeeze(total, axis=0))
