"""`FilterSummary`: what one filter does over many images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_explainer.results.reading import (
    flag,
    listed,
    number,
    optional,
    reading,
    text,
    whole,
)
from keras_explainer.results.top_image import TopImage

_NUMBERS = (
    "name_confidence",
    "position_spread",
    "information",
    "location_instability",
    "tracking_share",
    "tracking_r2",
    "contribution",
    "use",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSummary:
    """What one filter does over many images.

    Figures are None where they cannot be had: without part centres, without
    contributions, or of a filter that never fires.

    Attributes:
        filter: Index of the filter, from 0.
        name: Name of its part, None if it has none.
        name_confidence: How sure the name is, 0 to 1; None for one given by hand.
        dead: Silent on more than 99 % of the images.
        present_share: Share of the images in which its part is present, 0 to 1.
        mean_position: (y, x) mean of its positions in pixels, over the images in which
            it fires.
        position_spread: Root of the summed variances of y and x of these positions,
            over the image's diagonal.
        information: Mutual information of its maps and the part templates, in nats
            (minus the filter loss; arXiv 1710.00935, section 3).
        location_instability: Of this filter alone; it says nothing without tracking,
            since a filter that ignores the image has it low too.
        tracked_part: The annotated part that it follows most often, of those whose
            tracking is proved on images that did not choose it.
        tracking_share: Share of the halvings of the images in which it tracks a part,
            0 to 1; 0 for a dead filter.
        tracking_r2: R² of its position and the tracked part's over all images.
        activation_share: Its share of the masked activations of all filters, 0 to 1.
            Filters have scales of their own: no measure of how much they count.
        contribution: Mean contribution to the explained class' logit.
        use: Share of the absolute contributions of all filters, mean over the images,
            0 to 1.
        group: Number of its group, see `ExplainerSummary.groups`; None without one.
        look_alikes: (filter, share of the images in which their positions lie
            together), the most alike first.
        top: The images in which it fires most strongly, the strongest first.
    """

    filter: int
    name: str | None = None
    name_confidence: float | None = None
    dead: bool
    present_share: float
    mean_position: tuple[float, float] | None
    position_spread: float | None
    information: float | None
    location_instability: float | None
    tracked_part: str | None
    tracking_share: float | None
    tracking_r2: float | None
    activation_share: float
    contribution: float | None
    use: float | None
    group: int | None = None
    look_alikes: tuple[tuple[int, float], ...] = ()
    top: tuple[TopImage, ...] = ()

    @property
    def title(self) -> str:
        """'filter 7', with the part's name where it has one."""
        return f"filter {self.filter}" + (f" ({self.name})" if self.name else "")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        place = self.mean_position
        return {
            "filter": self.filter,
            "name": self.name,
            "dead": self.dead,
            "present_share": self.present_share,
            "mean_position": None if place is None else list(place),
            "tracked_part": self.tracked_part,
            "activation_share": self.activation_share,
            **{name: getattr(self, name) for name in _NUMBERS},
            "group": self.group,
            "look_alikes": [[other, share] for other, share in self.look_alikes],
            "top": [image.to_dict() for image in self.top],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FilterSummary:
        """Of `to_dict`.

        Raises:
            DataError: It is something else.
        """
        with reading("summary of a filter"):
            place = optional(
                data["mean_position"], lambda pair: listed(pair, number, 2)
            )
            alike = listed(data["look_alikes"], lambda pair: listed(pair, number, 2))
            return cls(
                filter=whole(data["filter"]),
                name=optional(data["name"], text),
                dead=flag(data["dead"]),
                present_share=number(data["present_share"]),
                mean_position=None if place is None else (place[0], place[1]),
                tracked_part=optional(data["tracked_part"], text),
                activation_share=number(data["activation_share"]),
                **{name: optional(data[name], number) for name in _NUMBERS},
                group=optional(data["group"], whole),
                look_alikes=tuple((whole(pair[0]), pair[1]) for pair in alike),
                top=tuple(listed(data["top"], TopImage.from_dict)),
            )
