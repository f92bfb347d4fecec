"""Which files are held out for testing where no split is given."""

from __future__ import annotations

import hashlib
import math
import os
from collections import defaultdict
from collections.abc import Sequence


def held_out(
    files: Sequence[str], strata: Sequence[str], share: float, seed: int
) -> set[str]:
    """A seeded share of the files, the same share of each stratum.

    Files are ranked by sha256 of seed and name, so that the choice depends neither on
    the order of the list, nor on NumPy's version, nor on other strata. Of a stratum of
    n >= 2 files, `share * n` rounded half up are taken, at least 1 and at most n - 1;
    strata of one file are treated as one stratum together.

    Args:
        files: all files, all different.
        strata: the stratum of each (its category).
        share: 0 <= share < 1; 0 holds out nothing.
        seed: any whole number.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for file, stratum in zip(files, strata, strict=True):
        groups[stratum].append(file)
    alone = [group[0] for group in groups.values() if len(group) == 1]
    chosen: set[str] = set()
    for group in [*(g for g in groups.values() if len(g) > 1), alone]:
        if len(group) < 2 or share == 0:
            continue
        count = min(max(1, math.floor(share * len(group) + 0.5)), len(group) - 1)
        chosen.update(sorted(group, key=lambda file: _rank(file, seed))[:count])
    return chosen


def _rank(file: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:".encode() + os.fsencode(file)).digest()
