"""`SavedModelTeacher`: a teacher that gives features, but not its layers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from keras_explainer.errors import ConfigError, TeacherError, did_you_mean, one_line
from keras_explainer.teachers.fingerprint import tree_sha256
from keras_explainer.teachers.image_checks import check_images
from keras_explainer.teachers.layer_choice import checked_labels
from keras_explainer.teachers.preprocessing import Preprocessing
from keras_explainer.teachers.tap_geometry import TapGeometry
from keras_explainer.teachers.teacher import Teacher
from keras_explainer.teachers.trainable_copy import Kinds


class SavedModelTeacher(Teacher):
    """A SavedModel whose signature gives a map and later features.

    It is a program, not layers: there is no way from the tap to the targets without
    the image, so the explainer's decoder is learned anew, the answer has no head, and
    that the tap is a cut must be taken from who made the file. Needs TensorFlow. A
    SavedModel can do what TensorFlow can: load those that you trust.

    Args:
        path: folder of the SavedModel.
        tap: name of the output that is explained, a map (n, H, W, C).
        targets: names of the outputs that are reconstructed.
        output: name of the answer, one vector an image; the last target by default.
        signature: which of the file's.
        preprocessing: a mode's name.
        input_shape: (H, W, C), where the signature leaves it open.
        labels, name, source: as for `Teacher`.

    Raises:
        TeacherError: another backend, no such folder, signature or output (those that
            there are get listed), outputs of a shape that cannot be used.
    """

    def __init__(
        self,
        path: Path,
        tap: str | None,
        targets: Sequence[str] | None,
        *,
        output: str | None = None,
        signature: str = "serving_default",
        preprocessing: str = "identity",
        input_shape: Sequence[int] | None = None,
        labels: Sequence[str] | None = None,
        name: str | None = None,
        source: dict[str, Any] | None = None,
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise TeacherError(
                "A SavedModel runs on TensorFlow; this is "
                f"{keras.backend.backend()}. Set KERAS_BACKEND=tensorflow."
            )
        self.name = name or path.name
        self.source = source
        self.preprocessing = Preprocessing(preprocessing)
        # The program must live as long as its function.
        self._program, self._function = _load(path, signature)
        self.input_shape = self._shape(input_shape)
        self.preprocessing.check_channels(self.input_shape[2])
        shapes = self._output_shapes()
        if tap is None or not targets:
            raise TeacherError(
                f"Name the tap and the targets among the outputs of '{path}': {shapes}."
            )
        if isinstance(targets, str):
            raise TeacherError(
                f"targets is a list, got the string '{targets}'. Use ['{targets}']."
            )
        for wanted in (tap, *targets, *([] if output is None else [output])):
            if wanted not in shapes:
                raise TeacherError(
                    f"'{path}' has no output '{wanted}' in its signature "
                    f"'{signature}'. {did_you_mean(wanted, shapes)}"
                )
        if len(shapes[tap]) != 3 or None in shapes[tap]:
            raise TeacherError(
                f"The tap '{tap}' has the shape {shapes[tap]}, no map (height, width, "
                "channels)."
            )
        if tap in targets or len(set(targets)) != len(targets):
            raise TeacherError(
                f"The targets {list(targets)} are to be all different, and not the tap."
            )
        self.tap, self.targets = tap, tuple(targets)
        self.tap_shape = shapes[tap]
        self.target_shapes = {name: shapes[name] for name in targets}
        self.output = output or self.targets[-1]
        self.answer_shape = shapes[self.output]
        self.num_outputs = int(self.answer_shape[-1])
        self.labels = checked_labels(labels, self.num_outputs)
        self.has_head, self.logits_activation = False, None
        # Its variables are the program's: none is Keras'.
        self.graph: Any = SimpleNamespace(variables=[])
        self.model: Any = self._program
        height, width = self.input_shape[:2]
        rows, columns = self.tap_shape[:2]
        self.geometry = TapGeometry(
            (height, width),
            (rows, columns),
            (height / rows, width / columns),
            None,
            None,
        )
        parts = [tree_sha256(path), signature, tap, self.targets, self.output]
        text = json.dumps([*parts, self.preprocessing.mode, self.input_shape])
        self._fingerprint = hashlib.sha256(text.encode()).hexdigest()

    @property
    def expects_255(self) -> bool:
        """See `Teacher.expects_255`."""
        return self.preprocessing.expects_255

    @property
    def has_upper(self) -> bool:
        """False: there is no way from the tap to the targets."""
        return False

    @property
    def valid_taps(self) -> list[str]:
        """The tap alone: no other could be proved."""
        return [self.tap]

    # Facts of the program

    def _shape(self, given: Sequence[int] | None) -> tuple[int, int, int]:
        """(H, W, C) of the signature's one image input."""
        specs = list(self._function.structured_input_signature[1].values())
        if len(specs) != 1 or len(specs[0].shape) != 4:
            raise TeacherError(
                "A SavedModel teacher takes one batch of images (n, height, width, "
                f"channels); this signature takes {specs}."
            )
        (self._argument,) = self._function.structured_input_signature[1]
        shape = list(specs[0].shape[1:])
        if given is not None:
            if len(given) != 3 or any(
                known not in (None, size)
                for known, size in zip(shape, given, strict=True)
            ):
                raise TeacherError(
                    f"input_shape {tuple(given)} does not fit the signature's {shape}."
                )
            shape = list(given)
        if None in shape:
            raise TeacherError(
                f"The signature takes images of any size {shape}; give "
                "input_shape=(height, width, channels)."
            )
        height, width, channels = (int(size) for size in shape)
        return height, width, channels

    def _output_shapes(self) -> dict[str, Any]:
        """{output: shape without the batch}, from one grey image."""
        grey = np.full((1, *self.input_shape), 127.0, "float32")
        try:
            found = self._run(grey)
        except Exception as error:
            reason = one_line(error)
            raise TeacherError(
                f"The SavedModel does not take images of {self.input_shape}: {reason}"
            ) from error
        return {name: tuple(value.shape[1:]) for name, value in found.items()}

    def _run(self, images: Any) -> dict[str, Any]:
        found = self._function(**{self._argument: self.preprocessing(images)})
        return {str(name): value for name, value in found.items()}

    # What the teacher gives

    def _parameters(self) -> int | None:
        """None: they are the program's."""
        return None

    def check_images(self, images: Any) -> None:
        """As for `Teacher`."""
        check_images(images, self.input_shape, expects_255=self.expects_255)

    def extract(
        self, images: Any, *, batch_size: int = 32
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """As for `Teacher`."""
        found = self._arrays(images, batch_size, (self.tap, *self.targets))
        return found[self.tap], {name: found[name] for name in self.targets}

    def classify(
        self, images: Any, *, batch_size: int = 32
    ) -> dict[str, np.ndarray | None]:
        """As for `Teacher`; without logits."""
        found = self._arrays(images, batch_size, (self.output,))
        return {"logits": None, "outputs": found[self.output]}

    def lower(self, images: Any) -> Any:
        """As for `Teacher`."""
        return keras.ops.cast(self._run(images)[self.tap], "float32")

    def preprocess(self, images: Any) -> Any:
        """As for `Teacher`."""
        return self.preprocessing(images)

    def upper(self, tap: Any) -> dict[str, Any]:
        """There is none.

        Raises:
            TeacherError: always.
        """
        raise TeacherError(self._nothing("from the tap to the targets"))

    def head(self, target: Any) -> dict[str, Any]:
        """There is none.

        Raises:
            TeacherError: always.
        """
        raise TeacherError(self._nothing("from a target to the answer"))

    def copy_upper(
        self, trainable: bool = True, kinds: Kinds | None = None
    ) -> keras.Model:
        """There is none.

        Raises:
            TeacherError: always.
        """
        raise TeacherError(self._nothing("to copy from the tap to the targets"))

    def _nothing(self, what: str) -> str:
        return (
            f"Teacher '{self.name}' is a SavedModel, a program without layers: there "
            f"is no way {what}. Use the model's .keras file where you have it."
        )

    def _arrays(
        self, images: Any, batch_size: int, wanted: Sequence[str]
    ) -> dict[str, np.ndarray]:
        if batch_size < 1:
            raise ConfigError(f"batch_size is at least 1, got {batch_size}.")
        if keras.ops.is_tensor(images):
            images = keras.ops.convert_to_numpy(images)
        check_images(
            images,
            self.input_shape,
            expects_255=self.preprocessing.expects_255,
            allow_empty=True,
        )
        shapes = {self.tap: self.tap_shape, **self.target_shapes}
        parts: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
        for batch in _batches(images, batch_size):
            found = self._run(batch)
            for name in wanted:
                parts[name].append(np.asarray(found[name], "float32"))
        return {
            name: np.concatenate(arrays)
            if arrays
            else np.empty((0, *shapes.get(name, (self.num_outputs,))), "float32")
            for name, arrays in parts.items()
        }


def _load(path: Path, signature: str) -> tuple[Any, Any]:
    """The loaded program and one of its signatures."""
    import tensorflow as tf

    if not (path / "saved_model.pb").is_file():
        raise TeacherError(f"'{path}' is no SavedModel: it has no saved_model.pb.")
    try:
        program = tf.saved_model.load(str(path))
        signatures = dict(program.signatures)
    except Exception as error:
        reason = one_line(error)
        raise TeacherError(f"'{path}' cannot be loaded: {reason}") from error
    if signature not in signatures:
        raise TeacherError(
            f"'{path}' has no signature '{signature}'. "
            f"{did_you_mean(signature, signatures)}"
        )
    return program, signatures[signature]


def _batches(images: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(images), size):
        yield np.asarray(images[start : start + size], "float32")
