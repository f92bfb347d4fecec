"""`onnx`: an explainer with its teacher as an ONNX file, checked by onnxruntime."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_explainer.errors import ConfigError, ExportError, one_line, whole_number
from keras_explainer.explanation.weight_check import check_weights
from keras_explainer.export.agreement import Agreement
from keras_explainer.export.precision import PRECISIONS
from keras_explainer.export.reference import Reference
from keras_explainer.export.sample_images import SampleImages
from keras_explainer.files import atomic_path

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

OPSET = 18
TOLERANCE = 1e-4
"""Of continuous outputs, relative to the largest value: onnxruntime's own kernels."""
MARGIN = 1e-3
"""Of decisions, see `Agreement`."""


def onnx(
    explainer: Explainer,
    path: str | os.PathLike[str],
    part_count: int = 8,
    images: Any = None,
) -> Path:
    """Writes an ONNX file: images in, explanations without contributions out.

    Input `images` (n, H, W, C) float32, RGB 0..255, of the teacher's size;
    preprocessing is inside. Outputs are those of the endpoint `explain` of a
    SavedModel, without `status` and `part_names`: ONNX has no resizing as Pillow's,
    and its texts are seldom supported. Converted by tf2onnx; run by onnxruntime before
    the file appears, and compared with Keras.

    Args:
        explainer: With its teacher.
        path: Of the file; one that is there is replaced.
        part_count: Parts an image, the first by rank.
        images: On which it is compared; see `saved_model`.

    Returns:
        The path.

    Raises:
        TeacherError: No teacher.
        ConfigError: Another backend than TensorFlow; `part_count`.
        DataError: Weights that are not finite; images that cannot be read.
        ExportError: tf2onnx, onnx or onnxruntime is missing; an operation that ONNX
            does not have; a file that does not say what Keras says, or cannot be
            written.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            "tf2onnx converts programs of TensorFlow; Keras runs on "
            f"{keras.backend.backend()} here. Explainers are the same files on every "
            "backend: set KERAS_BACKEND=tensorflow and load it."
        )
    tf2onnx, runtime = _required("tf2onnx"), _required("onnxruntime")
    teacher = explainer.teacher
    part_count = whole_number("part_count", part_count)
    check_weights(explainer)
    sample = SampleImages.of(teacher, images)

    import tensorflow as tf

    from keras_explainer.export.networks import Networks

    networks = Networks(explainer, part_count, None, PRECISIONS["float32"], True)

    def explain(images: Any) -> dict[str, Any]:
        found = networks.explain(images)
        del found["part_names"]
        return found

    spec = tf.TensorSpec(networks.row.shape, "float32", "images")
    try:
        model, _ = tf2onnx.convert.from_function(
            tf.function(explain, [spec], autograph=False),
            [spec],
            opset=OPSET,
            custom_op_handlers={"Bitcast": (_sign, [])},
        )
    except Exception as error:
        reason = one_line(error)
        raise ExportError(
            f"Teacher '{teacher.name}' cannot be converted to ONNX: {reason}"
        ) from error
    path = Path(path)
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(model.SerializeToString())
            _verify(temporary, runtime, Reference(explainer, sample.pixels, None))
    except OSError as error:
        raise ExportError(
            f"{path} cannot be written ({error.strerror or error})."
        ) from error
    return path


def _sign(context: Any, node: Any, name: str, arguments: Any) -> None:
    """For Keras' argmax, which reads the sign off the bits: ONNX has no such cast.

    Only -0 has another one, and maps that are 0 everywhere have no strongest cell.
    """
    output = node.output[0]
    shape, kind = context.get_shape(output), context.get_dtype(output)
    sign = context.make_node("Sign", [node.input[0]])
    context.remove_node(node.name)
    context.make_node(
        "Cast",
        [sign.output[0]],
        attr={"to": kind},
        name=node.name,
        outputs=[output],
        shapes=[shape],
        dtypes=[kind],
    )


def _required(name: str) -> Any:
    try:
        importlib.import_module("onnx")
        return importlib.import_module(name)
    except ImportError as error:
        raise ExportError(
            f"ONNX needs {name}: pip install 'keras-explainer[onnx]' ({error})."
        ) from error


def _verify(file: Path, runtime: Any, reference: Reference) -> None:
    """Compares what onnxruntime makes of the file with Keras."""
    try:
        session = runtime.InferenceSession(
            str(file), providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]
        values = session.run(names, {"images": reference.images})
    except Exception as error:
        reason = one_line(error)
        raise ExportError(f"onnxruntime does not run the file: {reason}") from error
    found = dict(zip(names, values, strict=True))
    found["part_names"] = np.full(found["part_filters"].shape, b"")
    agreement = Agreement(reference, MARGIN, TOLERANCE)
    agreement.compare("explain", found)
    difference, output, accepted = agreement.largest()
    fault = agreement.faults[0] if agreement.faults else agreement.wrong()
    if fault is None and not difference <= accepted:
        fault = f"{output} differs by {difference:.2g} of the largest value"
    if fault is not None:
        raise ExportError(
            f"The ONNX file does not say what Keras says: {fault.rstrip('.')} "
            f"({accepted:g} is accepted). Nothing was written."
        )
