"""`Survey`: what all filters do over many images, while batches go by."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_explainer.explanation.explanation_job import ExplanationJob
from keras_explainer.explanation.filter_groups import (
    LEAST_SHARE,
    agreement,
    filter_groups,
)
from keras_explainer.explanation.read_batch import ReadBatch
from keras_explainer.explanation.top_images import TopImages
from keras_explainer.losses import FilterLoss
from keras_explainer.metrics import Positions, constant_position, r2
from keras_explainer.metrics.location_instability import instability_by_filter
from keras_explainer.metrics.part_tracking import THRESHOLD
from keras_explainer.metrics.selection import SPLITS, TOP
from keras_explainer.metrics.tracked_parts import tracked_parts
from keras_explainer.results import ExplainerSummary, FilterSummary, TopImage

INFORMATION_IMAGES = 256
"""Mutual information is of this many images at most, evenly spread."""
INFORMATION_BYTES = 256 << 20
"""And of no more maps than take this much memory."""
GROUPED = 1024
"""Look-alikes are sought among this many filters, those first that count most."""
LOOK_ALIKES = 5


class Survey:
    """Gathers what an `ExplainerSummary` says; `result` ends it.

    Beside a batch, it keeps 12 bytes for each filter and image, the maps of the images
    that the mutual information is of (`INFORMATION_BYTES` at most), and the findings of
    the top images.

    Args:
        job: With explainer, images and names.
        top: Images kept for each filter.
        centres: (N, P, 2) part centres in pixels (y, x), checked; None without.
        part_names: P names.
    """

    def __init__(
        self,
        job: ExplanationJob,
        top: int,
        centres: np.ndarray | None = None,
        part_names: tuple[str, ...] = (),
    ) -> None:
        self.job = job
        filters = job.explainer.part_count
        self._centres, self._part_names = centres, part_names
        self._cells: list[np.ndarray] = []
        self._strengths: list[np.ndarray] = []
        self._top = TopImages(filters, top)
        self._activation = np.zeros(filters)
        self._present = np.zeros(filters)
        self._added, self._used = np.zeros(filters), np.zeros(filters)
        self._maps: list[np.ndarray] = []
        self._images = 0
        self._first: ReadBatch | None = None
        rows, columns = job.teacher.tap_shape[:2]
        room = INFORMATION_BYTES // (4 * rows * columns * filters)
        self._wanted = max(2, min(INFORMATION_IMAGES, room))

    def update(self, batch: ReadBatch) -> None:
        """Takes a batch."""
        found = batch.findings
        self._cells.append(found.positions.cell.astype("int32"))
        self._strengths.append(found.positions.strength)
        self._present += found.present.sum(0)
        mask = self.job.explainer.encoder.conv_2.part_mask
        masked = mask(ops.convert_to_tensor(batch.maps))
        self._activation += ops.convert_to_numpy(ops.sum(masked, axis=(0, 1, 2)))
        shares = None
        if batch.shared is not None:
            shares = batch.shared.shares[:, :-1]
            self._added += shares.sum(0)
            total = np.abs(shares).sum(1, keepdims=True)
            self._used += (np.abs(shares) / np.where(total > 0, total, 1)).sum(0)
        relative = found.positions.strength / self.job.scales
        self._top.update(
            batch.index,
            found.positions.strength,
            lambda row, filter: found.part(
                row,
                filter,
                float(relative[row, filter]),
                None if shares is None else float(shares[row, filter]),
                self.job.part_names,
            ),
        )
        self._maps += [batch.maps[at - batch.index] for at in self._sampled(batch)]
        self._images += len(batch)
        self._first = self._first or batch

    def _sampled(self, batch: ReadBatch) -> list[int]:
        """The images of a batch whose maps are kept: evenly spread, or the first."""
        if self.job.count is None:
            numbers = np.arange(self._wanted)
        else:
            few = min(self._wanted, self.job.count)
            numbers = np.arange(few) * self.job.count // few
        last = batch.index + len(batch)
        return numbers[(numbers >= batch.index) & (numbers < last)].tolist()

    def result(self) -> ExplainerSummary:
        """The summary of all images seen, at least one."""
        job, first = self.job, self._first
        if first is None:
            raise ValueError("A survey needs a batch before its result.")
        found = Positions(
            np.concatenate(self._cells),
            np.concatenate(self._strengths),
            first.findings.map_size,
            first.findings.image_size,
        )
        card = job.explainer.teacher_card or {}
        groups, alike = self._groups(found)
        annotated = 0
        if self._centres is not None:
            annotated = int((~np.isnan(self._centres[..., 0]).all(-1)).sum())
        cells = found.map_shape[0] * found.map_shape[1]
        constant = None
        if annotated and self._centres is not None:
            fixed = constant_position(self._centres, found.image_size)
            constant = fixed["location_instability"]
        chosen = None
        if job.class_index is not None and first.given is not None:
            chosen = first.given.score(0, job.class_index).title
        return ExplainerSummary(
            teacher=str(card["name"]),
            tap=str(card["tap"]),
            fingerprint=str(card["fingerprint"]),
            share=job.share,
            images=self._images,
            annotated_images=annotated,
            image_size=first.findings.image_size,
            map_size=first.findings.map_size,
            beta=first.findings.beta,
            part_names=self._part_names if annotated else (),
            presence_calibrated=first.findings.calibrated,
            contributions=job.method,
            no_contributions=None if job.method else job.why_not,
            explained=chosen,
            information_images=len(self._maps),
            information_limit=float(np.log(min(len(self._maps), cells + 1))),
            constant_instability=constant,
            groups=groups,
            filters=self._filters(found, groups, alike, annotated > 0),
        )

    def _filters(
        self,
        found: Positions,
        groups: tuple[tuple[int, ...], ...],
        alike: dict[int, tuple[tuple[int, float], ...]],
        annotated: bool,
    ) -> tuple[FilterSummary, ...]:
        group_of = {f: at for at, group in enumerate(groups) for f in group}
        means, spreads = _mean_positions(found)
        information = self._information()
        tracking = self._tracking(found) if annotated else {}
        unstable = np.full(len(self._present), np.nan)
        if annotated:
            unstable = instability_by_filter(found, self._centres)
        activation = self._activation / max(float(self._activation.sum()), 1e-30)
        shared = self.job.method is not None
        names = self.job.part_names
        summaries = []
        for f in range(len(self._present)):
            named = None if names is None else names.of(f)
            part, share, score = tracking.get(f, (None, None, None))
            summaries.append(
                FilterSummary(
                    filter=f,
                    name=None if named is None else named.name,
                    name_confidence=None if named is None else named.confidence,
                    dead=not found.live[f],
                    present_share=float(self._present[f] / self._images),
                    mean_position=means[f],
                    position_spread=spreads[f],
                    information=_known(information[f]),
                    location_instability=_known(unstable[f]),
                    tracked_part=part,
                    tracking_share=share,
                    tracking_r2=score,
                    activation_share=float(activation[f]),
                    contribution=float(self._added[f] / self._images)
                    if shared
                    else None,
                    use=float(self._used[f] / self._images) if shared else None,
                    group=group_of.get(f),
                    look_alikes=alike.get(f, ()),
                    top=tuple(
                        TopImage(index=index, image=self._name(index), finding=finding)
                        for index, finding in self._top.of(f)
                    ),
                )
            )
        return tuple(summaries)

    def _name(self, index: int) -> str | None:
        return None if self.job.names is None else self.job.names[index]

    def _information(self) -> np.ndarray:
        """(F,) nats; NaN from fewer than two images."""
        recipe = self.job.explainer.recipe
        if len(self._maps) < 2:
            return np.full(len(self._present), np.nan)
        maps = np.stack(self._maps)
        per_filter = 8 * len(maps) * int(np.prod(maps.shape[1:3]))
        loss = FilterLoss(
            recipe.beta,
            recipe.tau,
            recipe.temperature,
            filters_per_chunk=max(1, (32 << 20) // per_filter),
        )
        return -ops.convert_to_numpy(loss.per_filter(maps)).astype("float64")

    def _groups(
        self, found: Positions
    ) -> tuple[tuple[tuple[int, ...], ...], dict[int, tuple[tuple[int, float], ...]]]:
        """Groups of filters, and the look-alikes of each."""
        weight = self._used if self.job.method is not None else self._present
        live = np.flatnonzero(found.live)
        chosen = np.sort(live[np.argsort(-weight[live], kind="stable")][:GROUPED])
        if len(chosen) < 2:
            return (), {}
        some = Positions(
            found.cell[:, chosen],
            found.strength[:, chosen],
            found.map_shape,
            found.image_size,
        )
        groups = tuple(
            tuple(int(chosen[f]) for f in group) for group in filter_groups(some)
        )
        share = agreement(some)
        np.fill_diagonal(share, 0.0)
        alike = {}
        for row, f in enumerate(chosen.tolist()):
            order = np.argsort(-share[row], kind="stable")[:LOOK_ALIKES]
            alike[f] = tuple(
                (int(chosen[other]), float(share[row, other]))
                for other in order
                if share[row, other] >= LEAST_SHARE
            )
        return groups, alike

    def _tracking(
        self, found: Positions
    ) -> dict[int, tuple[str | None, float | None, float | None]]:
        """The part that each filter tracks, in how many halvings, and its R²."""
        centres: Any = self._centres
        filters = found.cell.shape[1]
        wins = np.zeros((filters, centres.shape[1]))
        every = np.arange(filters)
        for split in tracked_parts(
            found, centres, threshold=THRESHOLD, splits=SPLITS, top=TOP
        ):
            wins[every, split.part] += split.tracks
        score = r2(found, centres)
        best = wins.argmax(1)
        tracks: dict[int, tuple[str | None, float | None, float | None]] = {}
        for f in range(filters):
            share = float(wins[f].sum() / SPLITS)
            part = self._part_names[best[f]] if share else None
            tracks[f] = (part, share, _known(score[f, best[f]]) if share else None)
        return tracks


def _mean_positions(
    found: Positions,
) -> tuple[list[tuple[float, float] | None], list[float | None]]:
    """Mean position in pixels, and spread over the diagonal, where a filter fires."""
    means: list[tuple[float, float] | None] = []
    spreads: list[float | None] = []
    for f in range(found.cell.shape[1]):
        fires = ~found.silent[:, f]
        if not fires.any():
            means.append(None)
            spreads.append(None)
            continue
        row, column = np.divmod(found.cell[fires, f], found.map_shape[1])
        y = (row + 0.5) * found.image_size[0] / found.map_shape[0]
        x = (column + 0.5) * found.image_size[1] / found.map_shape[1]
        means.append((float(y.mean()), float(x.mean())))
        spreads.append(float(np.sqrt(y.var() + x.var())) / found.diagonal)
    return means, spreads


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
