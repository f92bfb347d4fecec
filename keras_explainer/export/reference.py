"""`Reference`: what Keras says of some images, to hold an export against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_explainer.explanation import explain
from keras_explainer.explanation.answers import Answers
from keras_explainer.explanation.class_choice import no_contributions
from keras_explainer.explanation.readout import Readout
from keras_explainer.export.sample_images import as_png
from keras_explainer.results import Explanations, PartNames
from keras_explainer.teachers.teacher_computation import TAP

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

AGAIN = "reconstruction_"
"""Before the names of answers to the reconstruction."""
SHARED_OUT = 2
"""Images whose contributions are compared: they are what takes long."""

TIE = 1e-5
"""Cells whose maps differ by less, relative to the stronger, are a tie; or by less than
`ROUNDINGS` times `Reference.rounding`, if that is more."""
DARKER, ALSO_DARKER = 1e-6, (1e-7, 3e-6)
"""By how much images are darkened to see what rounding does to contributions; and where
that is not enough to explain a difference."""
ROUNDINGS = 2
"""Times what one unit in the last place does to Keras' own answers."""


class Reference:
    """Outputs of an explainer and its teacher in this process.

    Args:
        explainer: With its teacher.
        images: (n, H, W, C), RGB 0..255, of the teacher's size.
        names: Of the filters, or None.
        batch_size: Images at a time, None all: another order of sums is another
            rounding, which deep networks enlarge.

    Attributes:
        images, tap: (n, H, W, C): what is given to the export.
        maps, filter_maps: (n, H, W, P) of the parts, (n, H, W, F) of the filters.
        rounding: How far the teacher's features and answers move by rounding alone,
            relative to the largest of each.
        shared_rounding: The same of contributions.
        clear: (n,): whether rounding cannot move a mask of the first layer; images
            in which it can are not compared.
        parts: By kind ("explain", "explain_contributions"): `FilterValues` of images.
        values: {signature: {output: expected}} of continuous outputs.
    """

    def __init__(
        self,
        explainer: Explainer,
        images: np.ndarray,
        names: PartNames | None,
        batch_size: int | None = None,
    ) -> None:
        self.explainer = explainer
        self.images = np.asarray(images, "float32")
        self._batch = batch_size or len(self.images)
        told = self._of_teacher(self.images)
        self.tap = told[TAP]
        found = self._of_explainer(self.tap)
        answers = self._answers(told, found)
        self.rounding = self._rounding(told)
        self.maps = found["maps"]
        named = [None if names is None else names.of(f) for f in range(self.filters)]
        self.names = np.array(["" if one is None else one.name for one in named])
        self.levels = np.asarray(explainer.presence.levels)
        predicted = explainer.predict(
            self.images,
            batch_size=self._batch,
            verbose=0,
            outputs=("maps_1", "maps", "part_maps", "reconstructions"),
        )
        self.filter_maps = predicted["maps"]
        # Where the mask of the first layer is a tie, all that follows is.
        tie = max(TIE, ROUNDINGS * self.rounding)
        self.clear = (
            (gap(predicted["maps_1"]) > tie) | (predicted["maps_1"].max((1, 2)) <= 0)
        ).all(1)
        self.values: dict[str, dict[str, Any]] = {
            "explain": answers,
            "part_maps": {"part_maps": predicted["part_maps"]},
            "reconstruct": predicted["reconstructions"],
        }
        plain = self._explained(self.images, contributions=None)
        self.shared_rounding = 0.0
        self.parts = {"explain": self._filter_values(plain)}
        if no_contributions(explainer) is None:
            shared = self._explained(self.images[:SHARED_OUT])
            kind = "explain_contributions"
            self.parts[kind] = self._filter_values(shared)
            self._see_rounding(DARKER)
            self.values[kind] = {
                name: value[:SHARED_OUT] for name, value in answers.items()
            }

    def answers(self) -> dict[str, np.ndarray]:
        """Scores and logits, as they are now."""
        told = self._of_teacher(self.images)
        found = self._answers(told, self._of_explainer(told[TAP]))
        return {name: value for name, value in found.items() if name != "p"}

    def _answers(self, *told: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What an export says beside parts, of what teacher and explainer told."""
        every = {name: value for one in told for name, value in one.items()}
        names = [who + what for who in ("", AGAIN) for what in ("scores", "logits")]
        found = {name: every[name] for name in names if name in every}
        return {**found, "p": np.full(len(self.images), self.explainer.share)}

    def _of_teacher(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Features at the tap and the targets, and the answers that follow."""
        found = []
        for batch in self._batches(images):
            tap, targets = self.explainer.teacher.extract(batch, batch_size=self._batch)
            given = Readout.of(self.explainer).of_targets(targets, self._batch)
            found.append({TAP: tap, **targets, **_told("", given)})
        return _joined(found)

    def _of_explainer(self, tap: np.ndarray) -> dict[str, np.ndarray]:
        """Maps by part, and the answers to the reconstruction."""
        found = []
        for batch in self._batches(tap):
            read, again = Readout.of(self.explainer).of_tap(batch, self._batch)
            found.append({"maps": read["maps"], **_told(AGAIN, again)})
        return _joined(found)

    def _batches(self, values: np.ndarray) -> Iterator[np.ndarray]:
        for at in range(0, len(values), self._batch):
            yield values[at : at + self._batch]

    def _explained(self, images: np.ndarray, **settings: Any) -> Explanations:
        return explain(
            self.explainer, images, batch_size=self._batch, verbose=0, **settings
        )

    @property
    def filters(self) -> int:
        """Parts of the explainer."""
        return self.explainer.part_count

    def _rounding(self, told: dict[str, np.ndarray]) -> float:
        """What one unit in the images' last place does to the teacher's own answers.

        Deep networks enlarge rounding at every layer, those of random weights most: so
        much is the network's, and no export's fault.

        Args:
            told: `_of_teacher` of the images as they are.
        """
        moved = self._of_teacher(np.nextafter(self.images, np.float32(0)))
        return max(
            float(np.abs(moved[name] - value).max() / (np.abs(value).max() or 1.0))
            for name, value in told.items()
        )

    def look_closer(self) -> None:
        """Takes more of what rounding does to contributions into `shared_rounding`.

        An image may lie so near to a jump that it is chance which side it is on.
        """
        for share in ALSO_DARKER:
            self._see_rounding(share)

    def _see_rounding(self, share: float) -> None:
        """What images that are darker by a share do to Keras' own contributions.

        Gradients jump where a ReLU begins, and deep networks of random weights enlarge
        rounding at every layer: how much is the network's, not the export's.
        """
        values = self.parts["explain_contributions"]
        darker = self.images[:SHARED_OUT] * np.float32(1 - share)
        moved = self._filter_values(self._explained(darker))
        names = ("part_contributions", "ordinary_contribution", "completeness_error")
        away = max(float(np.abs(moved[n] - values[n]).max()) for n in names)
        away /= shared_scale(values) or 1.0
        self.shared_rounding = max(self.shared_rounding, away)

    def requests(self, signatures: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """{signature: {input: array}} for the signatures of an export.

        Args:
            signatures: {name: anything}.
        """
        found: dict[str, dict[str, Any]] = {}
        for name in signatures:
            some = SHARED_OUT if "contributions" in name else len(self.images)
            images = self.images[:some]
            if name == "describe":
                found[name] = {"requests": np.array([b"?"], object)}
                continue
            if name == "classify":
                found[name] = {"inputs": _objects([_example(x) for x in images])}
            elif name.endswith("_jpeg"):
                found[name] = {"images_bytes": _objects([as_png(x) for x in images])}
            elif "features" in signatures[name]:
                found[name] = {"features": self.tap[:some]}
            else:
                found[name] = {"images": images}
            if "contributions" in name:
                found[name]["class_index"] = np.full(len(images), -1, "int32")
        return found

    def _filter_values(self, explanations: Explanations) -> dict[str, np.ndarray]:
        """Of each image and filter what the explanation says, and the filters' order.

        Returns:
            `order` (n, F); `part_present`, `part_strengths`,
            `part_relative_strengths`, `part_contributions` (NaN without) (n, F);
            `part_positions`, `part_boxes` (n, F, 2 or 4), -1 where there is none; the
            sums of the contributions, each (n,).
        """
        shape = (len(explanations), self.filters)
        found: dict[str, np.ndarray] = {
            "order": np.zeros(shape, int),
            "part_present": np.zeros(shape, bool),
            "part_strengths": np.zeros(shape),
            "part_relative_strengths": np.zeros(shape),
            "part_contributions": np.full(shape, np.nan),
            "part_positions": np.full((*shape, 2), -1.0),
            "part_boxes": np.full((*shape, 4), -1.0),
        }
        for row, item in enumerate(explanations):
            for rank, part in enumerate(item.parts):
                at = (row, part.filter)
                found["order"][row, rank] = part.filter
                found["part_present"][at] = part.present
                found["part_strengths"][at] = part.strength
                found["part_relative_strengths"][at] = part.relative_strength
                if part.contribution is not None:
                    found["part_contributions"][at] = part.contribution
                if part.position is not None and part.box is not None:
                    found["part_positions"][at] = part.position
                    found["part_boxes"][at] = part.box
        if explanations[0].contributions is not None:
            every = [item.contributions for item in explanations]
            for name, value in (
                ("ordinary_contribution", "ordinary"),
                ("logit_change", "change"),
                ("completeness_error", "completeness_error"),
            ):
                found[name] = np.array([getattr(one, value) for one in every])
            found["class_index"] = np.array(
                [item.explained.class_index for item in explanations if item.explained]
            )
        return found


def shared_scale(values: dict[str, np.ndarray]) -> float:
    """The largest contribution, of a filter or of the ordinary track."""
    names = ("part_contributions", "ordinary_contribution")
    return max(float(np.abs(values[name]).max()) for name in names)


def gap(maps: np.ndarray) -> np.ndarray:
    """(n, F): by how much the strongest cell of a map is above the next, relative."""
    ordered = np.sort(maps.reshape(len(maps), -1, maps.shape[-1]), axis=1)
    if ordered.shape[1] == 1:
        return np.ones(ordered[:, 0].shape)
    highest = ordered[:, -1]
    return (highest - ordered[:, -2]) / np.where(highest > 0, highest, 1.0)


def _told(who: str, answer: Answers | None) -> dict[str, np.ndarray]:
    """`scores` and `logits` of an answer, as far as there are any."""
    if answer is None:
        return {}
    values = {"scores": answer.outputs, "logits": answer.logits}
    return {who + name: value for name, value in values.items() if value is not None}


def _joined(pieces: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([one[name] for one in pieces]) for name in pieces[0]}


def _objects(values: list[bytes]) -> np.ndarray:
    return np.array(values, object)


def _example(image: np.ndarray) -> bytes:
    import tensorflow as tf

    data = tf.train.Feature(bytes_list=tf.train.BytesList(value=[as_png(image)]))
    features = tf.train.Features(feature={"image": data})
    return tf.train.Example(features=features).SerializeToString()
