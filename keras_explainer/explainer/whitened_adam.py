"""Adam in coordinates in which a kernel's inputs are white."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainer.registration import registered

RIDGE = 0.01
"""Of the mean variance of the inputs: directions that vary less are not stretched."""


@registered
class WhitenedAdam(keras.optimizers.Adam):
    """Adam that takes the kernels of 1 x 1 layers as `kernel = B kernel'`.

    `B = (E[x xᵀ] + r I)^(-1/2)` of the layer's inputs `x`; the moments and the step are
    those of `kernel'`. Inputs that are all positive and go up and down together, as
    part maps do, have a few directions of a thousand times the power of the others;
    steps of one size for each weight (Adam's) shake what is read along these, and
    hardly move the rest. (Ours; preconditioning by the inputs as in K-FAC, Adam in
    its coordinates as in SOAP.)

    The network is the same as with Adam: nothing has to be undone after learning.
    `B` is the identity before `whiten`.

    Args:
        learning_rate: as of `keras.optimizers.Adam`.
        whitened: ends of the paths of the variables, `(..., C, F)`, that are taken so.
        **kwargs: as of `keras.optimizers.Adam`.
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        whitened: Sequence[str] = (),
        name: str = "whitened_adam",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name=name, **kwargs)
        self.whitened = tuple(whitened)

    def build(self, variables: Sequence[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self._bases = [
            self.add_variable(
                (variable.shape[-2],) * 2,
                initializer=keras.initializers.Identity(),
                dtype=variable.dtype,
                name="basis",
            )
            if variable.path.endswith(self.whitened)
            else None
            for variable in variables
        ]
        self._measured = self.add_variable((), name="measured")

    @property
    def is_measured(self) -> bool:
        """Whether `whiten` has been called, here or before it was saved."""
        return float(ops.convert_to_numpy(self._measured)) > 0

    def whiten(self, inputs: dict[str, np.ndarray]) -> None:
        """Sets the coordinates from examples.

        Args:
            inputs: `(n, C)` of the layers, by the ends of their kernels' paths.
        """
        for variable, basis in zip(self._trainable_variables, self._bases, strict=True):
            for name, values in inputs.items():
                if basis is not None and variable.path.endswith(name):
                    basis.assign(whitening(values))
        self._measured.assign(1.0)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        basis = self._bases[self._get_variable_index(variable)]
        if basis is None:
            super().update_step(gradient, variable, learning_rate)
            return
        basis = ops.convert_to_tensor(basis)
        # A sum, not the variable itself: PyTorch changes that in place.
        before = variable + ops.zeros_like(gradient)
        super().update_step(ops.matmul(basis, gradient), variable, learning_rate)
        step = variable - before
        self.assign(variable, before + ops.matmul(basis, step))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "whitened": self.whitened}


def whitening(inputs: np.ndarray) -> np.ndarray:
    """`(E[x xᵀ] + r I)^(-1/2)` of `(n, C)` inputs, `(C, C)`; `r` see `RIDGE`."""
    inputs = np.asarray(inputs, "float32")
    square = (inputs.T @ inputs).astype("float64") / max(len(inputs), 1)
    ridge = RIDGE * float(inputs.var(axis=0).mean()) + 1e-9
    powers, directions = np.linalg.eigh(square)
    scale = (np.maximum(powers, 0) + ridge) ** -0.5
    return ((directions * scale) @ directions.T).astype("float32")
