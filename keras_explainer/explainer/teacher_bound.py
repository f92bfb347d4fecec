"""What an explainer knows of the teacher that it is bound to."""

from __future__ import annotations

from typing import Any

from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.errors import ConfigError, DataError, TeacherError
from keras_explainer.teachers import Teacher


class TeacherBound:
    """Holds the teacher beside its card: the facts that stay in a saved file.

    The teacher itself is no part of the model: it is neither tracked nor saved.
    """

    teacher_card: dict[str, Any]
    _teacher: Teacher | None

    def _bind(self, teacher: Teacher | None, card: dict[str, Any] | None) -> None:
        if teacher is not None:
            _check_kind(teacher)
        facts = card if teacher is None else teacher.card()
        if facts is None:
            raise ConfigError(
                "An explainer is made for a teacher: "
                "Explainer(kx.Teacher(model, tap=…))."
            )
        self.teacher_card = facts
        self._teacher = teacher

    @property
    def teacher(self) -> Teacher:
        """The frozen CNN.

        Raises:
            TeacherError: the explainer was loaded without it.
        """
        if self._teacher is None:
            card = self.teacher_card
            raise TeacherError(
                f"This explainer was loaded without its teacher, {card['name']} "
                f"cut at {card['tap']!r}. Give it: kx.load(path, teacher=teacher), "
                "or explainer.attach(teacher)."
            )
        return self._teacher

    @property
    def has_teacher(self) -> bool:
        """Whether the teacher is at hand."""
        return self._teacher is not None

    def load_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """As `keras.Model.load_weights`; weights that do not fit change nothing.

        Raises:
            ConfigError: a file that is missing, damaged, or of another explainer.
        """
        before = self.get_weights()  # type: ignore[attr-defined]
        try:
            super().load_weights(filepath, *args, **kwargs)  # type: ignore[misc]
        except (ValueError, TypeError, KeyError, OSError) as error:
            self.set_weights(before)  # type: ignore[attr-defined]
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"{filepath} has no weights for this explainer of "
                f"{self.teacher_card['name']} cut at {self.teacher_card['tap']!r}; its "
                "own were kept. Make it with the filters, recipe and decoder that the "
                f"file was saved with, or load a .keras file with kx.load. ({reason})"
            ) from error

    def attach(self, teacher: Teacher) -> None:
        """Gives a loaded explainer its teacher.

        Raises:
            TeacherError: another teacher, or the same with other weights, tap, targets
                or preprocessing.
        """
        card = self.teacher_card
        _check_kind(teacher)
        if teacher.fingerprint != card["fingerprint"]:
            differs = [
                f"{key}: learned on {card[key]!r}, given {value!r}"
                for key, value in teacher.card().items()
                if key in ("name", "tap", "targets", "preprocessing", "tap_shape")
                and value != card[key]
            ]
            raise TeacherError(
                "This is not the teacher that the explainer learned on: "
                + ("; ".join(differs) or "the weights differ")
                + "."
            )
        self._teacher = teacher

    def check_features(self, cache: FeatureCache) -> None:
        """Refuses features of another teacher, also where their shapes are the same.

        Raises:
            DataError: see above.
        """
        shapes = {name: array.shape[2:] for name, array in cache.targets.items()}
        if (
            cache.fingerprint not in (None, self.teacher_card["fingerprint"])
            or cache.tap.shape[2:] != self.tap_shape
            or shapes != self.target_shapes
        ):
            raise DataError(
                f"These features are of another teacher: {cache.tap.shape[2:]} at the "
                f"tap, {shapes}. This explainer's are {self.tap_shape} at "
                f"{self.teacher_card['tap']!r}, {self.target_shapes}; its weights and "
                "preprocessing count too. Build the cache with this teacher."
            )

    @property
    def tap_shape(self) -> tuple[int, int, int]:
        """`(H, W, C)` of the features that are explained."""
        height, width, channels = self.teacher_card["tap_shape"]
        return height, width, channels

    @property
    def target_shapes(self) -> dict[str, tuple[int, ...]]:
        """`{target: shape without batch}` in graph order."""
        card = self.teacher_card
        return {name: tuple(card["target_shapes"][name]) for name in card["targets"]}


def _check_kind(teacher: Any) -> None:
    if not isinstance(teacher, Teacher):
        raise ConfigError(
            f"teacher is a kx.Teacher, got {type(teacher).__name__}. Wrap a Keras "
            "model: kx.Teacher(model, tap=…)."
        )
