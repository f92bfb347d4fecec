"""Tables of the rows, and the page that shows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import pages
from benchmarks.pages import markdown
from benchmarks.speed.rows import all_names

Rows = dict[str, dict[str, Any]]


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Markdown tables by name; of rows that were not measured, the reason."""
    rows = {name: found["rows"][name] for name in all_names() if name in found["rows"]}
    return {
        "filter loss": _filter_loss(rows),
        "steps": _steps(rows),
        "epochs": _epochs(rows),
        "stages": _stages(rows),
        "growth": _growth(rows),
        "images": _images(rows),
        "fits": _fits(rows),
        "gpu": _gpu(found.get("gpu", {})),
        "machine": _machine(found, rows),
    }


def fill(page: Path, found: dict[str, Any]) -> None:
    """Writes each table between its marks in a Markdown page."""
    pages.fill(page, tables(found))


def _some(
    rows: Rows, start: str, line: Callable[[dict[str, Any]], list[str]], columns: int
) -> list[list[str]]:
    """A line for each row whose name starts so."""
    lines = []
    for name, row in rows.items():
        if not name.startswith(start):
            continue
        if "not_measured" in row:
            empty = [""] * (columns - 2)
            lines.append([name, f"not measured: {row['not_measured']}", *empty])
        else:
            lines.append(line(row))
    return lines


def _filter_loss(rows: Rows) -> str:
    row = rows.get("filter loss")
    if row is None or "not_measured" in row:
        return "not measured"
    times, direct = row["milliseconds"], row["direct_way"]
    lines = [
        ["two products and the exponentials (the floor)", f"{row['floor_ms']:.0f}", ""],
        *(
            [name, f"{times[name]:.0f}", f"{share:.0%}"]
            for name, share in row["reached"].items()
        ),
        [
            f"one template at a time ({direct['filters']} filters, op by op)",
            f"{direct['milliseconds']['direct']:.0f}",
            f"{direct['times_as_long']:.0f} × as long as ours on them",
        ],
    ]
    return markdown(["filter loss, forward and backward", "ms", "of the floor"], lines)


def _steps(rows: Rows) -> str:
    def line(row: dict[str, Any]) -> list[str]:
        times = row["milliseconds"]
        return [
            f"{row['network']}, {' × '.join(map(str, row['tap']))}",
            f"{row['recipe']}, {row['filters']}",
            f"{row['images']} × {row['views']}",
            f"{times['full']:.0f}",
            f"{row['floor_ms']:.0f}",
            f"{row['reached']:.0%}",
            f"{row['share_of_masks_and_filter_loss']:.1%}",
        ]

    head = ["tap", "recipe, filters", "images × views", "step, ms", "floor, ms"]
    head += ["reached", "masks and filter loss"]
    return markdown(head, _some(rows, "step ", line, len(head)))


def _epochs(rows: Rows) -> str:
    def line(row: dict[str, Any]) -> list[str]:
        seconds = row["seconds"]
        return [
            row["network"],
            f"{row['images']} × {row['views']}",
            f"{seconds['with cache']:.2f}",
            f"{seconds['without']:.2f}",
            f"{row['times_faster']:.1f} ×",
            f"{row['floor_times_faster']:.1f} ×",
        ]

    head = ["teacher", "images × views", "epoch with cache, s", "without, s", "faster"]
    return markdown([*head, "by the floors"], _some(rows, "epochs ", line, 6))


def _stages(rows: Rows) -> str:
    row = rows.get("stages")
    if row is None or "not_measured" in row:
        return "not measured"
    lines = [
        [name, f"{s['seconds']:.3f}", f"{s['floor']:.3f}", f"{s['reached']:.0%}"]
        for name, s in row["stages"].items()
    ]
    head = [f"stage ({row['images']} images)", "s", "floor, s", "reached"]
    return markdown(head, lines)


def _growth(rows: Rows) -> str:
    def line(row: dict[str, Any]) -> list[str]:
        return [
            row["size"],
            f"{row['batch']} × 2",
            f"{row['side']} × {row['side']} × {row['channels']}",
            f"{row['filters']}",
            f"{row['milliseconds']:.0f}",
            f"{row['reached']:.0%}",
            f"{row['peak_mib']:,.0f}",
        ]

    head = ["size", "images × views", "tap", "filters", "step, ms", "reached"]
    return markdown([*head, "peak, MiB"], _some(rows, "growth ", line, 7))


def _images(rows: Rows) -> str:
    def line(row: dict[str, Any]) -> list[str]:
        return [
            f"{row['images']:,}",
            f"{row['cache_ms_an_image']:.2f}",
            f"{row['epoch_ms_an_image']:.2f}",
            f"{row['anonymous_mib']:,.0f}",
        ]

    head = ["images", "cache, ms an image", "epoch, ms an image", "memory, MiB"]
    return markdown(head, _some(rows, "images ", line, len(head)))


def _fits(rows: Rows) -> str:
    row = rows.get("fits")
    if row is None or "not_measured" in row:
        return "not measured" + (f": {row['not_measured']}" if row else "")
    lines = []
    for views, seconds in row["features_seconds"].items():
        what = f"the teacher's features in {views} views"
        lines.append([what, f"{seconds:.0f}", "", "", ""])
    for name, one in row["methods"].items():
        if "not_measured" in one:
            lines.append([name, "not measured", one["not_measured"], "", ""])
            continue
        figures = ("part_tracking_share", "ev_logits", "ev_parts")
        shares = [f"{one[figure]:.2f}" for figure in figures]
        lines.append([name, f"{one['seconds']:.0f}", *shares])
    title = f"fit on {row['images']} images, {row['category']}"
    head = [title, "s", "tracking share", "EV of logits", "of the parts alone"]
    return markdown(head, lines)


def _gpu(rows: Rows) -> str:
    names = ("MobileNet", "ResNet50", "VGG16")
    lines = []
    for name in names:
        row = rows.get(name)
        if row is None:
            lines.append([name, "not measured", "", ""])
            continue
        lines.append(
            [
                name,
                f"{row['uncached_images_per_second']:,.0f}",
                f"{row['cached_images_per_second']:,.0f}",
                f"{row['uncached_share_of_matmul_rate']:.0%}",
            ]
        )
    head = ["teacher", "images/s uncached", "images/s cached"]
    return markdown([*head, "of the chip's matmul rate, uncached"], lines)


def _machine(found: dict[str, Any], rows: Rows) -> str:
    rates = rows.get("stages", {}).get("rates")
    lines = []
    if rates:
        lines = [
            ["3 × 3 convolution", f"{rates['conv'] / 1e9:,.0f} GFLOP/s"],
            ["matrix product", f"{rates['matmul'] / 1e9:,.0f} GFLOP/s"],
            ["memory, read and written", f"{rates['memory'] / 1e9:,.1f} GB/s"],
            ["exponentials", f"{rates['exponentials'] / 1e6:,.0f} million/s"],
        ]
    shares = [r["others_share"] for r in rows.values() if "others_share" in r]
    if shares:
        worst = f"{min(shares):.0%} to {max(shares):.0%}, by row"
        lines.append(["cores used by others meanwhile", worst])
    return markdown([found.get("machine", "machine"), "rate"], lines)
