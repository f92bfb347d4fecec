"""Batch inference: any number of images through an exported explainer, into Parquet.

On worker processes of one machine, or on Spark. Needs pyarrow (extra `dataset`), and
TensorFlow where the model runs; no Keras.
"""

from __future__ import annotations

from keras_explainer.batch_inference.dataset_row import DatasetRow
from keras_explainer.batch_inference.explain_dataset import (
    explain_dataset,
    read_results,
)

__all__ = ["DatasetRow", "explain_dataset", "read_results"]
