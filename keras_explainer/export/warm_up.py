"""Warm-up requests: TensorFlow Serving runs them before it serves a version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_explainer.errors import ExportError

if TYPE_CHECKING:
    from keras_explainer.export.sample_images import SampleImages
    from keras_explainer.teachers import Teacher

FILE = "tf_serving_warmup_requests"
"""In the folder `assets.extra` of a version."""
IMAGES = 4
"""In the larger of two requests with encoded images; arrays are large, and go alone."""


def check_serving_api() -> None:
    """Refuses to go on without the messages of TensorFlow Serving.

    Raises:
        ExportError: `tensorflow-serving-api` is not installed.
    """
    try:
        import tensorflow_serving.apis.prediction_log_pb2  # noqa: F401
    except ImportError as error:
        raise ExportError(
            "Warm-up requests are messages of TensorFlow Serving: install "
            "tensorflow-serving-api (pip install 'keras-explainer[serving]'), or "
            "export without them."
        ) from error


def write_warm_up(
    folder: Path,
    model: str,
    signatures: dict[str, Any],
    teacher: Teacher,
    images: SampleImages,
) -> int:
    """Writes requests for each endpoint.

    Args:
        folder: Of the version.
        model: Name of the served model.
        signatures: {name: names of its inputs}.
        teacher: Whose size and features the requests have.
        images: That are sent.

    Returns:
        How many requests were written.

    Raises:
        ExportError: See `check_serving_api`.
    """
    check_serving_api()
    import tensorflow as tf

    place = folder / "assets.extra"
    place.mkdir(exist_ok=True)
    count = 0
    with tf.io.TFRecordWriter(str(place / FILE)) as file:
        for name, inputs in sorted(signatures.items()):
            # The default is `explain` under another name.
            if name == "serving_default":
                continue
            encoded = not {"images", "features"} & set(inputs)
            sizes = {1, min(IMAGES, len(images.pixels))} if encoded else {1}
            for size in sorted(sizes):
                given = _given(inputs, teacher, images, size)
                file.write(_log(model, name, given).SerializeToString())
                count += 1
    return count


def _given(
    inputs: Any, teacher: Teacher, images: SampleImages, size: int
) -> dict[str, Any]:
    """{input: array}, of the first images."""
    makers = {
        "images": lambda: images.pixels[:size],
        "features": lambda: teacher.extract(images.pixels[:size])[0],
        "images_bytes": lambda: images.encoded(size),
        "inputs": lambda: images.encoded(size),
        "class_index": lambda: np.full(size, -1, "int32"),
        "requests": lambda: [b""] * size,
    }
    return {name: makers[name]() for name in sorted(inputs)}


def _log(model: str, signature: str, given: dict[str, Any]) -> Any:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    if signature == "classify":
        request = log.classify_log.request
        for data in given["inputs"]:
            example = request.input.example_list.examples.add()
            example.features.feature["image"].bytes_list.value.append(data)
    else:
        request = log.predict_log.request
        for name, value in given.items():
            text = isinstance(value, list)
            request.inputs[name].CopyFrom(
                tf.make_tensor_proto(value, tf.string if text else None)
            )
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    return log
