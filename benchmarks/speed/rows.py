"""All rows by name: what measures them, and how thoroughly by preset."""

from __future__ import annotations

import importlib
from typing import Any

PRESETS = ("short", "full")


def _step(network: str, recipe: str, repeats: int) -> tuple[Any, ...]:
    return (
        "steps",
        "measure",
        (network, recipe, repeats),
        (network, recipe, 2 * repeats),
    )


# Row: module, function, arguments of the short preset, of the full one; None: not run.
_ROWS: dict[str, tuple[str, str, tuple[Any, ...] | None, tuple[Any, ...]]] = {
    "filter loss": ("filter_loss", "measure", (9,), (25,)),
    "step MobileNet, places": _step("MobileNet", "places", 15),
    "step MobileNet, single": _step("MobileNet", "single", 15),
    "step VGG16, places": _step("VGG16", "places", 7),
    "step VGG16, single": _step("VGG16", "single", 7),
    "epochs MobileNet": (
        "caching",
        "measure",
        ("MobileNet", 2, 3),
        ("MobileNet", 8, 5),
    ),
    "epochs VGG16": ("caching", "measure", ("VGG16", 1, 1), ("VGG16", 2, 3)),
    "stages": ("stages", "measure", (64, 3), (256, 5)),
    "flops": ("gpu_work", "measure", None, ()),
    "fits": ("fits", "measure", None, ()),
}
_SHORT_SIZES = ("start", "batch 64", "filters 512", "side 28", "channels 4096")
_SIZES = (
    "start", "batch 4", "batch 64", "filters 32", "filters 512", "side 7", "side 28",
    "side 56", "side 100", "channels 4096",
)  # fmt: skip
for _size in _SIZES:
    _ROWS[f"growth {_size}"] = (
        "growth",
        "measure",
        (_size, 3) if _size in _SHORT_SIZES else None,
        (_size, 9),
    )
for _count in (256, 1024, 4096):
    _ROWS[f"images {_count}"] = (
        "growth",
        "measure_images",
        (_count,) if _count < 4096 else None,
        (_count,),
    )


def names(preset: str) -> list[str]:
    """The rows of a preset, in their order."""
    if preset == "full":
        return list(_ROWS)
    return [name for name, row in _ROWS.items() if row[2] is not None]


def all_names() -> list[str]:
    return list(_ROWS)


def run(name: str, preset: str) -> dict[str, Any]:
    """Measures a row, here and now."""
    module, function, short, full = _ROWS[name]
    arguments = full if preset == "full" or short is None else short
    found = importlib.import_module(f"benchmarks.speed.{module}")
    return getattr(found, function)(*arguments)
