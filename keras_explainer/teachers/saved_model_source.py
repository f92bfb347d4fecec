"""Teachers of SavedModels and of TensorFlow Hub modules, and from their sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_explainer.errors import TeacherError, one_line
from keras_explainer.teachers.fingerprint import tree_sha256
from keras_explainer.teachers.saved_model_teacher import SavedModelTeacher


def saved_model(
    kind: str,
    place: str,
    tap: str | None,
    targets: Sequence[str] | None,
    output: str | None,
    signature: str,
    preprocessing: str,
    input_shape: Sequence[int] | None,
    labels: Sequence[str] | None,
    sha256: str | None = None,
) -> SavedModelTeacher:
    """A teacher of a folder ("saved_model") or a handle ("hub"), with its source.

    Args:
        sha256: of the folder's content, if it is known.

    Raises:
        TeacherError: as for `SavedModelTeacher`; another content than the recorded one.
    """
    folder = Path(place).expanduser().resolve() if kind == "saved_model" else None
    folder = folder or hub_folder(place)
    found = tree_sha256(folder)
    if sha256 is not None and found != sha256:
        raise TeacherError(
            f"'{place}' is not what the teacher was made from: its sha256 is "
            f"{found[:16]}…, recorded was {sha256[:16]}…. Put the recorded one back, "
            "or make the teacher anew and learn from it again."
        )
    source = {
        "kind": kind,
        "path": str(folder) if kind == "saved_model" else place,
        "sha256": found,
        "signature": signature,
        "preprocessing": preprocessing,
        "input_shape": None if input_shape is None else list(input_shape),
        "tap": tap,
        "targets": None if targets is None else list(targets),
        "output": output,
        "labels": None if labels is None else list(labels),
    }
    return SavedModelTeacher(
        folder,
        tap,
        targets,
        output=output,
        signature=signature,
        preprocessing=preprocessing,
        input_shape=input_shape,
        labels=labels,
        source=source,
    )


def rebuild(source: dict[str, Any], path: Any = None) -> SavedModelTeacher:
    """The teacher of a source, from `path` if it has been moved.

    Raises:
        TeacherError: an incomplete source; as for `saved_model`.
    """
    keys = ("tap", "targets", "output", "signature", "preprocessing", "input_shape")
    wanted = (*keys, "labels", "sha256", "path")
    if missing := [key for key in wanted if key not in source]:
        raise TeacherError(f"The source {source!r} is incomplete: {missing} missing.")
    return saved_model(
        source["kind"] if path is None else "saved_model",
        source["path"] if path is None else str(path),
        **{key: source[key] for key in (*keys, "labels", "sha256")},
    )


def hub_folder(handle: str) -> Path:
    """The folder of a TensorFlow Hub module, downloaded by `tensorflow_hub`.

    Args:
        handle: a URL (https) or the path of a folder.

    Raises:
        TeacherError: tensorflow_hub is missing, or the module cannot be had.
    """
    if handle.startswith(("http:", "gs:", "s3:")):
        raise TeacherError(f"A handle is an https address or a folder, got '{handle}'.")
    try:
        import tensorflow_hub
    except ImportError as error:
        raise TeacherError(
            "A TensorFlow Hub handle needs tensorflow-hub (and TensorFlow)."
        ) from error
    try:
        return Path(tensorflow_hub.resolve(handle))
    except Exception as error:
        reason = one_line(error)
        raise TeacherError(
            f"The module '{handle}' cannot be had ({reason}). Without a network, "
            "download and unpack it elsewhere and give the path of its folder."
        ) from error
