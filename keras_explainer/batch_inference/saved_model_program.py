"""`SavedModelProgram`: an exported explainer in this process."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer.errors import (
    BadAnswerError,
    ConfigError,
    DatasetJobError,
    UnknownSignatureError,
    one_line,
)
from keras_explainer.results import Explanation
from keras_explainer.serving.answer_reader import AnswerReader, bad_rows
from keras_explainer.serving.model_description import ModelDescription

logger = logging.getLogger(__name__)


class SavedModelProgram:
    """A version of an export, loaded by TensorFlow alone.

    Args:
        folder: Of the version.
        class_: Index or label of the class that is explained; None for the teacher's
            own, image by image.
        contributions: Whether they are asked for; where the model has none the reason
            is in `Explanation.no_contributions`.

    Attributes:
        description: What the model says of itself.

    Raises:
        DatasetJobError: There is no SavedModel, or it cannot be loaded.
        UnknownSignatureError: It is no explainer that takes encoded images.
        ConfigError: No such class.
    """

    def __init__(
        self, folder: Path, class_: int | str | None, contributions: bool
    ) -> None:
        if not (folder / "saved_model.pb").is_file():
            raise DatasetJobError(
                f"The machine {socket.gethostname()} has no SavedModel at {folder}: "
                "put it where every worker reads it, or have it sent along "
                "(--ship-model)."
            )
        import tensorflow as tf

        try:
            # Kept: its functions need it.
            self._program = tf.saved_model.load(str(folder))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise DatasetJobError(
                f"The SavedModel {folder} cannot be loaded: {one_line(error)}"
            ) from error
        signatures = self._program.signatures
        if "describe" not in signatures:
            raise UnknownSignatureError(
                f"{folder} is no export of an explainer: it has no endpoint 'describe'."
            )
        told = signatures["describe"](requests=tf.constant([b""]))["description"]
        self.description = about = ModelDescription.of_text(told.numpy()[0])
        self._shared = contributions and about.no_contributions is None
        name = "explain_contributions_jpeg" if self._shared else "explain_jpeg"
        if name not in signatures:
            raise UnknownSignatureError(
                f"{folder} takes no encoded images: it has no endpoint '{name}' "
                f"(teacher '{about.teacher}' of {about.channels} channels, input "
                f"'{about.input}')."
            )
        self._function = signatures[name]
        scores = self._function.structured_outputs.get("scores")
        classes = None if scores is None else scores.shape[-1]
        self._class = about.class_index(class_, classes)
        if self._class is not None and scores is None:
            raise ConfigError(
                "There is no class to explain: the model's answer has no scores."
            )
        self._reader = AnswerReader(about, self._class, contributions, None)

    def explain(self, images: Sequence[bytes]) -> list[Explanation | str]:
        """Of each encoded image its explanation, or why there is none.

        Args:
            images: One or more.
        """
        import tensorflow as tf

        inputs: dict[str, Any] = {"images_bytes": tf.constant(list(images), tf.string)}
        if self._shared:
            chosen = -1 if self._class is None else self._class
            inputs["class_index"] = tf.fill([len(images)], chosen)
        answer = self._function(**inputs)
        found = {name: np.asarray(value.numpy()) for name, value in answer.items()}
        wrong = bad_rows(found)
        return [
            wrong[row] if row in wrong else self._explanation(found, row)
            for row in range(len(images))
        ]

    def _explanation(self, found: dict[str, np.ndarray], row: int) -> Explanation | str:
        try:
            return self._reader.explanation(found, row, 0, None)
        except BadAnswerError as error:
            # One image shall not end the job of millions.
            logger.warning("%s", error)
            return str(error)
