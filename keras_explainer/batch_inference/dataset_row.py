"""`DatasetRow`: what came out for one image of a dataset."""

from __future__ import annotations

from dataclasses import dataclass

from keras_explainer.results import Explanation

OK, ERROR, UNREADABLE = "ok", "error", "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """An image and its explanation, or why there is none.

    Attributes:
        image_id: Path of the file in the folder, or the dataset's own name.
        shard: The number of its shard, from 0.
        row: The image's number in its file, or in its shard of image files, from 0.
            No two rows have both numbers in common.
        status: "ok"; "error" for an image that cannot be explained; "unreadable" for
            all of a shard from `row` on that could not be read.
        error: Why, None where all is well.
        explanation: None where there is none.
    """

    image_id: str
    shard: int
    row: int
    status: str
    error: str | None = None
    explanation: Explanation | None = None

    @classmethod
    def of(
        cls, shard: int, row: int, image_id: str, found: Explanation | str
    ) -> DatasetRow:
        """Of what the model says."""
        if isinstance(found, str):
            return cls(
                image_id=image_id, shard=shard, row=row, status=ERROR, error=found
            )
        return cls(
            image_id=image_id, shard=shard, row=row, status=OK, explanation=found
        )
