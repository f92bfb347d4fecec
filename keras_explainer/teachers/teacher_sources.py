"""Where teachers come from: the constructors of `Teacher` besides its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import keras

from keras_explainer.teachers import teacher_source
from keras_explainer.teachers.teacher_folder import read_teacher_folder

if TYPE_CHECKING:
    from keras_explainer.teachers.teacher import Teacher

Tap = str | Mapping[str, int] | None
# What of a teacher's arguments its source records as given.
_RECORDED = ("tap", "targets", "labels", "output")


class TeacherSources:
    """Class methods that make a teacher and record how it can be had again."""

    @classmethod
    def from_applications(
        cls,
        name: str,
        *,
        weights: str | PathLike[str] | None = None,
        tap: Tap = None,
        targets: Sequence[str] | None = None,
        input_shape: Sequence[int] | None = None,
        preprocessing: str | None = None,
        labels: Sequence[str] | None = None,
        output: str | None = None,
        **arguments: Any,
    ) -> Teacher:
        """A network of `keras.applications`.

        Args:
            name: Constructor, for instance 'MobileNet'.
            weights: Path of a `.weights.h5`, `.h5` or `.keras` file; 'imagenet' for
                Keras' own (downloaded); None for random weights.
            tap, targets, labels, output: As for `Teacher`.
            input_shape: (H, W, C); the network's own size by default, 224 x 224 for
                one that takes any.
            preprocessing: A mode's name; None takes the network's own.
            **arguments: Arguments of the constructor, for instance `alpha=0.75`.

        Raises:
            TeacherError: An unknown constructor or argument, weights that do not fit.
        """
        model, mode, source = teacher_source.application(
            name, weights, input_shape, preprocessing, arguments
        )
        return cls._recorded(
            model, source, mode, tap=tap, targets=targets, labels=labels, output=output
        )

    @classmethod
    def from_file(
        cls,
        path: str | PathLike[str],
        tap: Tap = None,
        targets: Sequence[str] | None = None,
        *,
        preprocessing: str = "identity",
        labels: Sequence[str] | None = None,
        output: str | None = None,
        input_shape: Sequence[int] | None = None,
        custom_objects: dict[str, Any] | None = None,
    ) -> Teacher:
        """A model in a `.keras` or `.h5` file, loaded in safe mode and not compiled.

        Args:
            path: The file.
            tap, targets, labels, output, input_shape: As for `Teacher`.
            preprocessing: A mode's name (a layer cannot be recorded).
            custom_objects: Classes of the user's by name. They are not recorded:
                `from_source` needs them registered with Keras.

        Raises:
            TeacherError: A file that is missing, damaged or unsafe; as for `Teacher`.
        """
        model, mode, source = teacher_source.model_file(
            path, preprocessing, input_shape, custom_objects
        )
        return cls._recorded(
            model, source, mode, tap=tap, targets=targets, labels=labels, output=output
        )

    @classmethod
    def from_folder(
        cls,
        path: str | PathLike[str],
        tap: Tap = None,
        targets: Sequence[str] | None = None,
    ) -> Teacher:
        """A teacher that was kept in a folder, as `keras-explainer teacher fit` does.

        Args:
            path: The folder, with `teacher.json` and the model's file.
            tap, targets: As for `Teacher`; the record's by default.

        Raises:
            TeacherError: No such folder; a file that is not the recorded one; as for
                `Teacher`.
        """
        file, record = read_teacher_folder(path)
        model, mode, source = teacher_source.model_file(
            file, record["preprocessing"], None, sha256=record["sha256"]
        )
        return cls._recorded(
            model,
            source,
            mode,
            tap=tap or record["tap"],
            targets=targets or record["targets"],
            labels=record.get("labels"),
            output=None,
        )

    @classmethod
    def from_saved_model(
        cls,
        path: str | PathLike[str],
        tap: str | None = None,
        targets: Sequence[str] | None = None,
        *,
        output: str | None = None,
        signature: str = "serving_default",
        preprocessing: str = "identity",
        input_shape: Sequence[int] | None = None,
        labels: Sequence[str] | None = None,
    ) -> Teacher:
        """A SavedModel whose signature gives a map and later features.

        Args:
            path: Folder of the SavedModel. It is a program: load those that you trust.
            tap, targets, output, signature, preprocessing, input_shape, labels: See
                `SavedModelTeacher`.

        Raises:
            TeacherError: As for `SavedModelTeacher`.
        """
        from keras_explainer.teachers.saved_model_source import saved_model

        given = (tap, targets, output, signature, preprocessing, input_shape, labels)
        return saved_model("saved_model", str(path), *given)

    @classmethod
    def from_hub(
        cls,
        handle: str,
        tap: str | None = None,
        targets: Sequence[str] | None = None,
        *,
        output: str | None = None,
        signature: str = "serving_default",
        preprocessing: str = "unit",
        input_shape: Sequence[int] | None = None,
        labels: Sequence[str] | None = None,
    ) -> Teacher:
        """A TensorFlow Hub module whose signature gives a map and later features.

        Args:
            handle: Address (https) or folder, as `tensorflow_hub.resolve` takes it.
            tap, targets, output, signature, input_shape, labels: See
                `SavedModelTeacher`.
            preprocessing: A mode's name; modules of images take 0..1 as a rule.

        Raises:
            TeacherError: The module cannot be had; as for `SavedModelTeacher`.
        """
        from keras_explainer.teachers.saved_model_source import saved_model

        given = (tap, targets, output, signature, preprocessing, input_shape, labels)
        return saved_model("hub", handle, *given)

    @classmethod
    def from_keras_hub(
        cls,
        preset: str | PathLike[str],
        tap: Tap = None,
        targets: Sequence[str] | None = None,
        *,
        preprocessing: str = "identity",
        input_shape: Sequence[int] | None = None,
        labels: Sequence[str] | None = None,
        output: str | None = None,
    ) -> Teacher:
        """A backbone or image classifier of keras-hub (extra `keras-hub`).

        Args:
            preset: Name, address (`kaggle://`, `hf://`) or folder of a preset.
            tap, targets, labels, output, input_shape: As for `Teacher`.
            preprocessing: A mode's name; a preset's own converter is not read.

        Raises:
            TeacherError: keras-hub is missing, or the preset cannot be had; as for
                `Teacher`.
        """
        model, mode, source = teacher_source.keras_hub_preset(
            str(preset), preprocessing, input_shape
        )
        return cls._recorded(
            model, source, mode, tap=tap, targets=targets, labels=labels, output=output
        )

    @classmethod
    def from_source(
        cls, source: dict[str, Any], *, path: str | PathLike[str] | None = None
    ) -> Teacher:
        """The teacher that a `source` describes, with the same weights.

        Args:
            source: The attribute `source` of a teacher, possibly through JSON.
            path: Where the weights or model file is now, if it has been moved.

        Raises:
            TeacherError: An unknown kind; random weights, which cannot be had again;
                a file that is missing or whose sha256 is another.
        """
        if isinstance(source, dict) and source.get("kind") in ("saved_model", "hub"):
            from keras_explainer.teachers.saved_model_source import rebuild

            return rebuild(source, path)
        model, mode, rebuilt = teacher_source.rebuild(source, path)
        layers = {key: source.get(key) for key in _RECORDED}
        return cls._recorded(model, rebuilt, mode, **layers)

    @classmethod
    def _recorded(
        cls, model: keras.Model, source: dict[str, Any], mode: str, **layers: Any
    ) -> Teacher:
        """A teacher with its choice of layers, as given, recorded in `source`."""
        recorded = {
            key: list(value) if isinstance(value, list | tuple) else value
            for key, value in layers.items()
        }
        make: Any = cls
        return make(
            model,
            preprocessing=mode,
            input_shape=source["input_shape"],
            source={**source, **recorded},
            **layers,
        )
