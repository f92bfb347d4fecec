"""Batches of features in the form that Keras reads with the least waiting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from keras_explainer.datasets.feature_sequence import FeatureSequence


def feature_views(data: Any) -> int | None:
    """Views of each image, of batches of features; None of anything else."""
    if isinstance(data, FeatureSequence):
        return data.views
    spec = getattr(data, "element_spec", None)
    x = spec[0] if isinstance(spec, tuple) and spec else None
    if isinstance(x, dict) and "features" in x:
        return int(x["features"].shape[1])
    return None


def feature_dataset(sequence: Any) -> Any:
    """The sequence; on TensorFlow a `tf.data.Dataset` of it, one pass an iterator.

    Keras would make such a dataset itself, with tf.data's autotuning, whose thread now
    and then holds up the end of an iterator, which is that of an epoch, for two
    seconds. There is nothing to tune here.

    Args:
        sequence: a `PyDataset` of batches that differ in the number of their images
            alone; the first is read here, the others when they are asked for. What
            was made by this function is given back.
    """
    plain = isinstance(sequence, keras.utils.PyDataset)
    if keras.backend.backend() != "tensorflow" or not plain:
        return sequence
    import tensorflow as tf

    def batches() -> Iterator[Any]:
        for index in range(sequence.num_batches):
            yield sequence[index]

    signature = keras.tree.map_structure(
        lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype),
        sequence[0],
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    counted = tf.data.experimental.assert_cardinality(sequence.num_batches)
    return dataset.apply(counted).with_options(options).prefetch(1)
