"""A compiled, batched function of a frozen teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

Outputs = dict[str, np.ndarray]


class FrozenModel(keras.Model):
    """Runs a function of images through `predict_on_batch`, in few batch sizes.

    The teacher's layers are not tracked: Keras donates the buffers of a model's own
    variables to the compiled function on JAX, and an error in the middle would leave
    the teacher without weights. There the values go in with the images instead, so
    that they are arguments and no constants of the program; TensorFlow and PyTorch
    read the variables in place.

    Args:
        function: Maps an image tensor (n, H, W, C), or what else `run` is given, to a
            dict of tensors.
        variables: Gives all Keras variables that the function reads.
        name: Name of the model.
    """

    def __init__(
        self,
        function: Callable[[Any], dict[str, Any]],
        variables: Callable[[], Sequence[Any]],
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype="float32", autocast=False, trainable=False)
        self._function = function
        self._read = variables
        self._pass_values = keras.backend.backend() == "jax"
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> Any:
        variables = self._read()
        values = inputs.get("values") or [v.value for v in variables]
        scope = keras.StatelessScope(
            state_mapping=list(zip(variables, values, strict=True))
        )
        with scope:
            return self._function(inputs["images"])

    def run(
        self, images: np.ndarray | dict[str, np.ndarray], batch_size: int
    ) -> Outputs:
        """Computes the function for any number of images.

        A compiled program belongs to one batch size, so the last batch is filled up
        with copies of its last image: to `batch_size` after full ones, to the next
        power of two when there are fewer images than one batch.

        Args:
            images: (n, H, W, C), n >= 1; or a dict of arrays, each (n, ...).
            batch_size: Images per compiled call.

        Returns:
            float32 arrays, each (n, ...).
        """
        given = images if isinstance(images, dict) else {"": images}
        count = len(next(iter(given.values())))
        size = batch_size if count > batch_size else _next_power(count, batch_size)
        results: Outputs = {}
        for start in range(0, count, size):
            filled = min(size, count - start)
            batch = {
                name: _filled(array[start : start + size], size)
                for name, array in given.items()
            }
            chunk = batch if isinstance(images, dict) else batch[""]
            for name, part in self.predict_on_batch(self._batch(chunk)).items():
                part = np.asarray(part, "float32")[:filled]
                if name not in results:
                    results[name] = np.empty((count, *part.shape[1:]), "float32")
                results[name][start : start + filled] = part
        return results

    def _batch(self, images: Any) -> dict[str, Any]:
        if not self._pass_values:
            return {"images": images}
        return {"images": images, "values": [v.value for v in self._read()]}


def _filled(chunk: np.ndarray, size: int) -> np.ndarray:
    """float32, filled up to `size` rows with copies of the last one."""
    chunk = np.asarray(chunk, "float32")
    if len(chunk) == size:
        return chunk
    return np.concatenate([chunk, np.repeat(chunk[-1:], size - len(chunk), axis=0)])


def _next_power(count: int, most: int) -> int:
    size = 1
    while size < count:
        size *= 2
    return min(size, most)
