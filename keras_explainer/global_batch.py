"""The batch of all replicas together: sums and rows, with gradients.

Some of what is learned from is no mean over images: the filter loss compares all images
of a batch, the norms divide by its mean. Under `tf.distribute` a replica holds a part
of the batch, and these functions reach over the replicas. Everywhere else they are the
identity: on one device, and on JAX under `keras.distribution`, where an array is the
whole batch wherever its rows lie.

What a replica computes with them is the loss of the whole batch, on each replica the
same number. Keras sums the gradients of the replicas, so a model divides it by their
number, once (`replica_share`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_explainer.errors import ConfigError


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


def also_of_no_row(function: Callable[[Any], Any], values: Any) -> Any:
    """`function(values)`, where a replica may have no row.

    On some processors TensorFlow 2.21 gives a convolution of no row the channels of its
    input (oneDNN). So replicas take a row of zeros along, and leave it out again.

    Args:
        function: of rows, each for itself, to tensors (or None) with as many rows, in
            any structure.
        values: `(n, ...)`; `n` may be 0.
    """
    if _replica_context() is None:
        return function(values)
    count = ops.shape(values)[0]
    row = ops.zeros((1, *values.shape[1:]), values.dtype)
    found = function(ops.concatenate([values, row], axis=0))
    return keras.tree.map_structure(
        lambda value: None if value is None else value[:count], found
    )


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


def channel_mean(function: Callable[[Any], Any], values: Any) -> Any:
    """Mean of what a function gives for each channel; replicas share them out.

    Args:
        function: from `(..., c)` to the mean over these channels of what it makes of
            each for itself, a scalar.
        values: `(N, ..., C)`, the same on each replica, as `all_rows` gives them. Each
            replica takes its channels, or all where they cannot be shared out evenly.

    Returns:
        A scalar, the same on each replica.
    """
    context = _replica_context()
    channels = values.shape[-1]
    if context is None or channels % context.num_replicas_in_sync:
        return function(values)
    size = channels // context.num_replicas_in_sync
    first = (0,) * (len(values.shape) - 1) + (context.replica_id_in_sync_group * size,)
    inner = tuple(values.shape[1:-1])
    own = ops.slice(values, first, (ops.shape(values)[0], *inner, size))
    own.set_shape((None, *inner, size))
    (total,) = all_sum([function(own)])
    return total / context.num_replicas_in_sync


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

    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return False
    tasks = strategy.cluster_resolver.cluster_spec().as_dict()
    return sum(len(addresses) for addresses in tasks.values()) > 1


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


def check_batch(model: keras.Model, images: int) -> None:
    """Refuses a batch to learn from that the devices of a model cannot share.

    TensorFlow gives each replica the same number of images but for the last ones, which
    get what is left; JAX knows equal parts only.

    Raises:
        ConfigError: a device would have no image; the message has the nearest sizes.
    """
    count = replicas(model)
    part = -(-images // count)
    if _fits(images, count) and images > part * (count - 1):
        return
    below = images // count * count
    sizes = f"{below} or {below + count}" if below else str(count)
    raise ConfigError(
        f"A batch of {images} images cannot be shared among {count} devices. Give a "
        f"batch_size (and images) of {sizes}, or learn on fewer devices."
    )


def check_pass(model: keras.Model, images: int, batch_size: int) -> None:
    """Refuses images to measure on that the devices of a model cannot share.

    Raises:
        ConfigError: on JAX, a batch that cannot be shared in equal parts. On
            TensorFlow a replica may well have none.
    """
    count = replicas(model)
    for batch in (min(batch_size, images), images % batch_size):
        if not _fits(batch, count):
            raise ConfigError(
                f"{images} images in batches of {batch_size} cannot be shared among "
                f"{count} devices in equal parts, as JAX needs. Give multiples of "
                f"{count}, or leave the distribution to measure on one device."
            )


def _fits(images: int, count: int) -> bool:
    return keras.backend.backend() != "jax" or images % count == 0


def refuse_workers(what: str) -> None:
    """Refuses to go on in one of several worker processes.

    Args:
        what: cannot be done there, and what can instead.

    Raises:
        ConfigError: the present strategy has several workers.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if _has_workers(tf.distribute.get_strategy()):
        raise ConfigError(what)


def check_optimizer(model: keras.Model, optimizer: Any) -> None:
    """Refuses an optimiser whose strategy is not the model's.

    Raises:
        ConfigError: see above. TensorFlow would refuse it in the first step.
    """
    made = getattr(optimizer, "_distribution_strategy", None)
    strategy = getattr(model, "_distribute_strategy", None)
    if made is None or made is strategy:
        return
    if strategy is not None or made.num_replicas_in_sync > 1:
        raise ConfigError(
            "Explainer and optimiser were not made under the same strategy. Make both, "
            "and compile, within `with strategy.scope():`."
        )


def from_first_worker(model: keras.Model) -> None:
    """Gives the float variables, on all workers, the values of the first one.

    Of the model and, if that is built, of its optimiser.

    What each worker has computed for itself may differ in the last digit.
    """
    strategy = getattr(model, "_distribute_strategy", None)
    if strategy is None or not _has_workers(strategy):
        return
    import tensorflow as tf

    def first(values: list[Any]) -> Any:
        context = tf.distribute.get_replica_context()
        mine = context.replica_id_in_sync_group == 0
        own = [tf.where(mine, value, tf.zeros_like(value)) for value in values]
        return context.all_reduce("SUM", own)

    state = [*model.variables, *model.optimizer.variables]
    variables = [v for v in state if "float" in str(v.dtype)]
    values = [ops.convert_to_tensor(variable) for variable in variables]
    shared = tf.function(lambda given: strategy.run(first, args=(given,)))(values)
    for variable, value in zip(variables, shared, strict=True):
        variable.assign(strategy.experimental_local_results(value)[0])


def build_optimizer(model: keras.Model) -> None:
    """Makes the variables of a compiled model's optimiser, where its own are."""
    if not model.optimizer.built:
        with strategy_scope(model):
            model.optimizer.build(model.trainable_variables)


def strategy_scope(model: keras.Model) -> Any:
    """The scope of the strategy that a model was made under, as a context."""
    strategy = getattr(model, "_distribute_strategy", None)
    return contextlib.nullcontext() if strategy is None else strategy.scope()
