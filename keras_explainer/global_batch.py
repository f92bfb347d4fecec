"""The batch of all replicas together: sums and rows, with gradients.

Some of what is learned from is no mean over images: the filter loss compares all images
of a batch, the norms divide by its mean. Under `tf.distribute` each replica holds a part
of the batch, and these functions reach over the replicas. Everywhere else they are the
identity: on one device, and on JAX under `keras.distribution`, where an array is the
whole batch wherever its rows lie.

What a replica computes with them is the loss of the whole batch, the same number on each
replica. Keras sums the gradients of the replicas, so a model divides it by their number
once (`replica_share`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


def _replica_context() -> Any:
    """TensorFlow's context of one replica of several; None anywhere else."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    if not tf.distribute.has_strategy() or tf.distribute.in_cross_replica_context():
        return None
    context = tf.distribute.get_replica_context()
    return context if context.num_replicas_in_sync > 1 else None


def replica_share(loss: Any) -> Any:
    """The part of the whole batch's loss that each replica is to differentiate."""
    context = _replica_context()
    return loss if context is None else loss / context.num_replicas_in_sync


def all_sum(values: Sequence[Any]) -> list[Any]:
    """Sums of tensors over the replicas, one exchange for all of them.

    Args:
        values: float tensors, of the same shapes on each replica.

    Returns:
        Tensors of these shapes, the same on each replica. The gradient is that of
        the sum over the replicas of what they compute with it.
    """
    context = _replica_context()
    if context is None:
        return list(values)
    return list(context.all_reduce("SUM", list(values)))


def all_rows(values: Any) -> Any:
    """The rows of all replicas, with gradient.

    Args:
        values: `(n, ...)`; `n` may differ between replicas, and be 0.

    Returns:
        `(N, ...)`, the same on each replica.
    """
    context = _replica_context()
    if context is None:
        return values
    rows = context.all_gather(values, axis=0)
    rows.set_shape((None, *values.shape[1:]))  # which gathering forgets
    return rows


def image_mean(values: Any) -> Any:
    """Mean over the rows of all replicas, with gradient.

    Replicas may have unequal numbers of rows: it is no mean of their means.

    Args:
        values: `(n, ...)` float.

    Returns:
        `(...)`, the same on each replica.
    """
    if _replica_context() is None:
        return ops.mean(values, axis=0)
    dtype = keras.backend.standardize_dtype(values.dtype)
    wide = "float64" if dtype == "float64" else "float32"
    count = ops.cast(ops.shape(values)[0], wide)
    total, images = all_sum([ops.sum(ops.cast(values, wide), axis=0), count])
    return ops.cast(total / images, dtype)


def own_part(count: Any) -> tuple[Any, Any]:
    """Where the rows of this replica lie among those of all.

    Args:
        count: rows of this replica.

    Returns:
        Rows before its own, and rows of all replicas.
    """
    context = _replica_context()
    if context is None:
        return 0, count
    counts = all_rows(ops.reshape(ops.cast(count, "int32"), (1,)))
    before = ops.arange(context.num_replicas_in_sync, dtype="int32") < ops.cast(
        context.replica_id_in_sync_group, "int32"
    )
    return ops.sum(ops.where(before, counts, 0)), ops.sum(counts)


def step_logs(logs: Any) -> Any:
    """What `train_step` and `test_step` return, as Keras can average it over replicas.

    With several workers Keras averages over the first axis, which a scalar lacks
    (keras issue 20585).
    """
    if keras.backend.backend() != "tensorflow":
        return logs
    import tensorflow as tf

    if not _has_workers(tf.distribute.get_strategy()):
        return logs
    return {name: tf.reshape(value, (1,)) for name, value in logs.items()}


def _has_workers(strategy: Any) -> bool:
    import tensorflow as tf

    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def replicas(model: keras.Model) -> int:
    """Devices among which the batches of a model are shared out."""
    strategy = getattr(model, "_distribute_strategy", None)
    if strategy is not None:
        return int(strategy.num_replicas_in_sync)
    distribution = keras.distribution.distribution()
    if distribution is None:
        return 1
    mesh = distribution.device_mesh
    return int(mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)])


def from_first_worker(model: keras.Model) -> None:
    """Gives a model's float variables, on all workers, the values of the first one.

    What each worker has computed for itself may differ in the last digit.
    """
    strategy = getattr(model, "_distribute_strategy", None)
    if strategy is None or not _has_workers(strategy):
        return
    import tensorflow as tf

    def first(value: Any) -> Any:
        context = tf.distribute.get_replica_context()
        mine = tf.cast(context.replica_id_in_sync_group == 0, value.dtype)
        return context.all_reduce("SUM", value * mine)

    for variable in model.variables:
        if "float" in str(variable.dtype):
            shared = strategy.run(first, args=(ops.convert_to_tensor(variable),))
            variable.assign(strategy.experimental_local_results(shared)[0])


def strategy_scope(model: keras.Model) -> Any:
    """The scope of the strategy that a model was made under, as a context."""
    strategy = getattr(model, "_distribute_strategy", None)
    return contextlib.nullcontext() if strategy is None else strategy.scope()
