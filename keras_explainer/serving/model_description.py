"""`ModelDescription`: what a served explainer says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_explainer.errors import (
    BadAnswerError,
    ConfigError,
    did_you_mean,
    nearest,
)
from keras_explainer.results import PartNames
from keras_explainer.results.reading import (
    check_version,
    flag,
    listed,
    number,
    optional,
    reading,
    text,
    two,
    whole,
)


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """What the endpoint `describe` gives, the same for every request.

    Attributes:
        teacher, tap, fingerprint, output: See `Explanations`.
        image_size: (height, width) of the teacher's input.
        channels: Of the teacher's input.
        labels: Of the teacher's classes, or None.
        activation: See `Explanation.activation`; None without logits.
        filters, map_size, beta, share, presence_calibrated: See `Explanation`.
        part_count: Parts an image.
        part_names: Of the filters, or None.
        steps: Points of the path of contributions, None where there are none.
        no_contributions: Why there are none; None where there are.
        package_version: Of keras_explainer that wrote the export.
        input: "images", or "features" of the teacher's tap: an export without the
            teacher's lower layers.
    """

    teacher: str
    tap: str
    fingerprint: str
    output: str | None
    image_size: tuple[int, int]
    channels: int
    labels: tuple[str, ...] | None
    activation: str | None
    filters: int
    map_size: tuple[int, int]
    beta: float
    share: float
    presence_calibrated: bool
    part_count: int
    part_names: PartNames | None
    steps: int | None
    no_contributions: str | None
    package_version: str
    input: str = "images"

    @classmethod
    def of_text(cls, given: bytes) -> ModelDescription:
        """Of the JSON that the endpoint gives.

        Raises:
            BadAnswerError: It is something else, or of another schema version.
        """
        try:
            data = json.loads(given)
            check_version(data, "description of a served explainer")
            with reading("description of a served explainer"):
                return cls._of(data)
        except (ValueError, RecursionError) as error:
            raise BadAnswerError(str(error)) from error

    @classmethod
    def _of(cls, data: Mapping[str, Any]) -> ModelDescription:
        names = optional(data["part_names"], PartNames.from_dict)
        shared = data["contributions"]
        labels = optional(data["labels"], lambda given: listed(given, text))
        return cls(
            teacher=text(data["teacher"]),
            tap=text(data["tap"]),
            fingerprint=text(data["fingerprint"]),
            output=optional(data["output"], text),
            image_size=two(data["image_size"]),
            channels=whole(data["channels"]),
            labels=None if labels is None else tuple(labels),
            activation=optional(data["activation"], text),
            filters=whole(data["filters"]),
            map_size=two(data["map_size"]),
            beta=number(data["beta"]),
            share=number(data["share"]),
            presence_calibrated=flag(data["presence_calibrated"]),
            part_count=whole(data["part_count"]),
            part_names=names,
            steps=None if shared is None else whole(shared["steps"]),
            no_contributions=optional(data["no_contributions"], text),
            package_version=text(data["package_version"]),
            input=text(data.get("input", "images")),
        )

    def class_index(
        self, given: int | str | None, classes: int | None = None
    ) -> int | None:
        """The index of the class that a user asks for; None for the teacher's own.

        Args:
            given: Index or label.
            classes: How many there are, if it is known.

        Raises:
            ConfigError: A label that no class has, or more than one; no index.
        """
        if given is None:
            return None
        if isinstance(given, str):
            return self._of_label(given)
        if isinstance(given, bool) or not hasattr(given, "__index__"):
            raise ConfigError(
                "class_index is the index of one class or its label, got "
                f"{type(given).__name__} {given!r}."
            )
        index = int(given)
        if index < 0 or (classes is not None and index >= classes):
            known = "" if classes is None else f" to {classes - 1}"
            raise ConfigError(
                f"class_index {index} is out of range: the classes of teacher "
                f"'{self.teacher}' are 0{known}."
            )
        return index

    def _of_label(self, label: str) -> int:
        if self.labels is None:
            raise ConfigError(
                f"Teacher '{self.teacher}' has no labels, so class {label!r} is not "
                "known: give its index."
            )
        found = [at for at, name in enumerate(self.labels) if name == label]
        if len(found) == 1:
            return found[0]
        fault = "no class" if not found else f"{len(found)} classes"
        close = nearest(label, self.labels, 1)
        raise ConfigError(
            f"Teacher '{self.teacher}' has {fault} with the label {label!r}. "
            + (did_you_mean(label, self.labels) if close else "Give its index.")
        )
