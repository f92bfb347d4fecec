"""`ExplainerSummary`: what all filters of an explainer do over many images."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_explainer.errors import DataError
from keras_explainer.results.filter_summary import FilterSummary
from keras_explainer.results.json_file import JsonFile
from keras_explainer.results.plain_text import (
    decimal,
    html_table,
    one_line,
    signed,
    text_table,
)
from keras_explainer.results.reading import (
    SCHEMA_VERSION,
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

_HEADER = ("filter", "use", "adds", "present", "tracks", "MI", "y", "x", "spread")
_HTML_ROWS = 100


@dataclass(frozen=True, kw_only=True)
class ExplainerSummary(JsonFile):
    """What the filters of an explainer do over many images.

    Attributes:
        teacher: Name of the teacher.
        tap: Path of the layer whose features are explained.
        fingerprint: Of the teacher, see `Teacher.fingerprint`.
        share: `p`, the share of the interpretable track, in (0, 1).
        images: Number of images.
        annotated_images: Those of them with part centres.
        image_size: (height, width) in pixels.
        map_size: (rows, columns) of the filters' maps.
        beta: Slope of the part masks.
        part_names: Of the annotated parts.
        presence_calibrated: See `Explanation.presence_calibrated`.
        contributions: How they were computed; None with the reason in
            `no_contributions`.
        no_contributions: Why there are none; None where there are.
        explained: The class that is explained in all images, None for the teacher's
            own answer, image by image.
        information_images: Images that the mutual information is of.
        information_limit: What it cannot exceed: `log(min(images, cells + 1))`.
        constant_instability: Location instability of a filter that always fires at the
            image's centre, to hold the filters' against; None without part centres.
        groups: Filters whose positions lie together, the largest group first.
        filters: One summary a filter, by index.
    """

    teacher: str
    tap: str
    fingerprint: str
    share: float
    images: int
    annotated_images: int
    image_size: tuple[int, int]
    map_size: tuple[int, int]
    beta: float
    part_names: tuple[str, ...] = ()
    presence_calibrated: bool = False
    contributions: str | None = None
    no_contributions: str | None = None
    explained: str | None = None
    information_images: int = 0
    information_limit: float = 0.0
    constant_instability: float | None = None
    groups: tuple[tuple[int, ...], ...] = ()
    filters: tuple[FilterSummary, ...] = ()

    def filter(self, index: int) -> FilterSummary:
        """The summary of a filter.

        Raises:
            DataError: There is no such filter.
        """
        if not 0 <= index < len(self.filters):
            raise DataError(
                f"There is no filter {index}: the explainer's are 0 to "
                f"{len(self.filters) - 1}."
            )
        return self.filters[index]

    @property
    def by_use(self) -> tuple[FilterSummary, ...]:
        """The filters, those first that count most; without contributions those whose
        part is present most often."""
        return tuple(
            sorted(
                self.filters,
                key=lambda one: (
                    -(one.present_share if one.use is None else one.use),
                    one.filter,
                ),
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "teacher": self.teacher,
            "tap": self.tap,
            "fingerprint": self.fingerprint,
            "share": self.share,
            "images": self.images,
            "annotated_images": self.annotated_images,
            "image_size": list(self.image_size),
            "map_size": list(self.map_size),
            "beta": self.beta,
            "part_names": list(self.part_names),
            "presence_calibrated": self.presence_calibrated,
            "contributions": self.contributions,
            "no_contributions": self.no_contributions,
            "explained": self.explained,
            "information_images": self.information_images,
            "information_limit": self.information_limit,
            "constant_instability": self.constant_instability,
            "groups": [list(group) for group in self.groups],
            "filters": [one.to_dict() for one in self.filters],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ExplainerSummary:
        """Of `to_dict`.

        Raises:
            DataError: It is something else, or of another schema version.
        """
        check_version(data, "summary of an explainer")
        with reading("summary of an explainer"):
            groups = listed(data["groups"], lambda group: listed(group, whole))
            return cls(
                teacher=text(data["teacher"]),
                tap=text(data["tap"]),
                fingerprint=text(data["fingerprint"]),
                share=number(data["share"]),
                images=whole(data["images"]),
                annotated_images=whole(data["annotated_images"]),
                image_size=two(data["image_size"]),
                map_size=two(data["map_size"]),
                beta=number(data["beta"]),
                part_names=tuple(listed(data["part_names"], text)),
                presence_calibrated=flag(data["presence_calibrated"]),
                contributions=optional(data["contributions"], text),
                no_contributions=optional(data["no_contributions"], text),
                explained=optional(data["explained"], text),
                information_images=whole(data["information_images"]),
                information_limit=number(data["information_limit"]),
                constant_instability=optional(data["constant_instability"], number),
                groups=tuple(tuple(group) for group in groups),
                filters=tuple(listed(data["filters"], FilterSummary.from_dict)),
            )

    def table(self, filters: int | None = None) -> str:
        """A text table, the filters first that count most.

        Args:
            filters: How many; None for all.
        """
        rows = [self._row(one) for one in self.by_use[:filters]]
        return "\n".join([one_line(self._summary()), "", text_table(_HEADER, rows)])

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<ExplainerSummary: {self._summary()}>"

    def _repr_html_(self) -> str:
        rows = [self._row(one) for one in self.by_use[:_HTML_ROWS]]
        left = len(self.filters) - len(rows)
        more = f"<p>and {left} more filters</p>" if left else ""
        head = html.escape(self._summary())
        return f"<div><p>{head}</p>{html_table(_HEADER, rows)}{more}</div>"

    def _summary(self) -> str:
        return (
            f"{len(self.filters)} filters on {self.teacher} at {self.tap}, p "
            f"{decimal(self.share, 3)}; {self.images} images; "
            f"{len(self.groups)} groups of filters that lie together"
        )

    def _row(self, one: FilterSummary) -> tuple[str, ...]:
        y, x = one.mean_position or (None, None)
        tracks = "-"
        if one.tracked_part is not None:
            tracks = f"{one.tracked_part} {decimal(one.tracking_share, 1)}"
        return (
            one.title + (" dead" if one.dead else ""),
            decimal(one.use, 3),
            signed(one.contribution, 2),
            decimal(one.present_share, 2),
            tracks,
            decimal(one.information, 2),
            decimal(y, 0),
            decimal(x, 0),
            decimal(one.position_spread, 2),
        )
