"""Steps of a model whose loss is that of the whole batch, on any number of devices."""

from __future__ import annotations

from typing import Any

from keras_explainer import global_batch


class GlobalBatchSteps:
    """For a `keras.Model` whose losses are made with `keras_explainer.global_batch`.

    To stand before `keras.Model` among the bases.
    """

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """As `keras.Model.compile`; the loss' mean belongs to the model's strategy."""
        with global_batch.strategy_scope(self):
            super().compile(*args, **kwargs)  # type: ignore[misc]

    def train_step(self, *args: Any) -> Any:
        """A step of Keras; its arguments are the backend's."""
        return global_batch.step_logs(super().train_step(*args))  # type: ignore[misc]

    def test_step(self, *args: Any) -> Any:
        """A step of Keras; its arguments are the backend's."""
        return global_batch.step_logs(super().test_step(*args))  # type: ignore[misc]

    def _maybe_symbolic_build(self, *_: Any, **__: Any) -> None:
        """Builds the optimiser; the network is built when it is made.

        TensorFlow traces twice a step that makes variables, which is most of the wait
        for the first one. Under a strategy Keras would look at the first batch, as the
        mean of the replicas' parts of it, and fail where these are of unequal size.
        """
        if getattr(self, "optimizer", None) is not None:
            global_batch.build_optimizer(self)
