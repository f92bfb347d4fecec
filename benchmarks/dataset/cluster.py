"""What a cluster would take and cost for any number of images: a simulation.

    python -m benchmarks.dataset.cluster [--images 1000000] [--price 0.05]

From what `python -m benchmarks.dataset` measured on one machine (CPU seconds of an
image, seconds until a worker's first part), or, where that has not been run for the
model, `python -m benchmarks.serving` (its endpoint alone). Each worker takes the next
shard when it is free, as both engines do. Shards differ in their time (log-normal), a
task costs something beside its images, workers are lost at random moments and come
back after their start-up, and the shard that they had is done again.

What it leaves out: a network or a store of images that is slower than the workers
together (the megabytes a second that they read are in the table), and machines that
differ.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.rows import read_rows
from keras_explainer.files import write_json

RESULTS = Path(__file__).resolve().parents[1] / "results" / "dataset"
JOBS = RESULTS / "rows.json"
ENDPOINTS = RESULTS.parent / "serving" / "cost.json"


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Attributes:
        images: Of the dataset.
        workers: Of one core each.
        rows_per_part: Images of a shard.
        image_seconds: Of a core.
        task_seconds: Of a core, for each shard beside its images.
        start_seconds: Until a worker has its model.
        driver_seconds: Of the driver for each shard, one after the other.
        spread: Coefficient of variation of a shard's time.
        losses_per_hour: Of a worker, on average.
    """

    images: int
    workers: int
    rows_per_part: int
    image_seconds: float
    task_seconds: float
    start_seconds: float
    driver_seconds: float
    spread: float
    losses_per_hour: float


def simulate(setting: Setting, seed: int) -> dict[str, float]:
    """A job, event by event.

    Returns:
        `seconds` until the last part; `core_seconds` that are paid; `repeated_images`
        of shards that were lost with their worker.
    """
    chance = random.Random(seed)
    full, rest = divmod(setting.images, setting.rows_per_part)
    shards = [setting.rows_per_part] * full + ([rest] if rest else [])
    shards.reverse()  # the last is taken first from a list's end
    sigma = setting.spread

    def loss(now: float) -> float:
        if not setting.losses_per_hour:
            return float("inf")
        return now + chance.expovariate(setting.losses_per_hour / 3600)

    # (moment at which it is free, its number); the moment at which it will be lost.
    free = []
    lost_at = {}
    for worker in range(setting.workers):
        start = setting.start_seconds * chance.uniform(0.8, 1.5)
        heapq.heappush(free, (start, worker))
        lost_at[worker] = loss(start)
    driver = end = 0.0
    repeated = 0
    while shards:
        now, worker = heapq.heappop(free)
        rows = shards.pop()
        driver = max(now, driver) + setting.driver_seconds
        work = (
            rows
            * setting.image_seconds
            * chance.lognormvariate(-sigma * sigma / 2, sigma)
        )
        done = driver + setting.task_seconds + work
        if lost_at[worker] < done:
            shards.append(rows)
            repeated += rows
            back = max(lost_at[worker], driver) + setting.start_seconds
            lost_at[worker] = loss(back)
            heapq.heappush(free, (back, worker))
            continue
        end = max(end, done)
        heapq.heappush(free, (done, worker))
    return {
        "seconds": end,
        "core_seconds": end * setting.workers,
        "repeated_images": float(repeated),
    }


def measured(model: str, contributions: bool, start_seconds: float) -> dict[str, Any]:
    """What an image costs: the job's own figures, else those of the endpoint alone.

    Args:
        model: See `benchmarks.dataset`; a network of `benchmarks.serving`.
        contributions: Whether they are computed.
        start_seconds: Where the job was not measured.

    Returns:
        `image_seconds` of a core and `start_seconds`, and where they come from: medians
        of the runs with Spark and two workers, or the nearest to it; else batches of 32
        images of the endpoint in one thread, without reading, decoding and writing.

    Raises:
        SystemExit: Nothing was measured.
    """
    rows = [
        row
        for row in read_rows(JOBS)
        if row["key"]["model"] == model and row["key"]["contributions"] == contributions
    ]
    for engine, workers in (("spark", 2), ("spark", 1), ("local", 2), ("local", 1)):
        chosen = [
            row
            for row in rows
            if (row["key"]["engine"], row["key"]["workers"]) == (engine, workers)
        ]
        if chosen:
            return {
                "source": f"{JOBS.name}: {engine}, {workers} workers",
                "image_seconds": statistics.median(
                    row["steady"]["cpu_seconds_per_image"] for row in chosen
                ),
                "start_seconds": statistics.median(
                    row["first_part_after_seconds"] for row in chosen
                ),
            }
    endpoint = "explain_contributions" if contributions else "explain"
    for row in read_rows(ENDPOINTS):
        if row["network"] == model:
            rate = row["batches"]["32"][endpoint]["images_per_second"]
            return {
                "source": f"serving/{ENDPOINTS.name}: {endpoint}, one thread, arrays",
                "image_seconds": round(1 / rate, 5),
                "start_seconds": start_seconds,
            }
    raise SystemExit(
        f"{model} was not measured: python -m benchmarks.dataset --model {model}"
    )


def main() -> None:
    """Prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument(
        "--workers", nargs="+", type=int, default=[1, 2, 8, 32, 128, 512]
    )
    parser.add_argument("--model", default="MobileNet")
    parser.add_argument("--contributions", action="store_true")
    parser.add_argument("--rows-per-part", type=int, default=1024)
    parser.add_argument(
        "--price", type=float, default=0.05, help="of a core-hour, an assumption"
    )
    parser.add_argument(
        "--losses", type=float, default=0.05, help="of a worker an hour"
    )
    parser.add_argument(
        "--image-bytes", type=float, default=110_000, help="of an encoded image"
    )
    parser.add_argument("--spread", type=float, default=0.15)
    parser.add_argument("--task-seconds", type=float, default=0.3)
    parser.add_argument("--driver-seconds", type=float, default=0.01)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--start-seconds", type=float, default=60.0, help="if it was not measured"
    )
    parser.add_argument("--json", type=Path, default=RESULTS / "cluster.json")
    options = parser.parse_args()
    basis = measured(options.model, options.contributions, options.start_seconds)
    rows = []
    for workers in options.workers:
        setting = Setting(
            images=options.images,
            workers=workers,
            rows_per_part=options.rows_per_part,
            image_seconds=basis["image_seconds"],
            task_seconds=options.task_seconds,
            start_seconds=basis["start_seconds"],
            driver_seconds=options.driver_seconds,
            spread=options.spread,
            losses_per_hour=options.losses,
        )
        runs = [simulate(setting, seed) for seed in range(options.seeds)]
        found = {name: statistics.mean(run[name] for run in runs) for name in runs[0]}
        ideal = options.images * basis["image_seconds"] / workers
        hours = found["core_seconds"] / 3600
        rows.append(
            {
                "setting": asdict(setting),
                **{name: round(value, 1) for name, value in found.items()},
                "efficiency": round(ideal / found["seconds"], 3),
                "images_per_second": round(options.images / found["seconds"], 1),
                "megabytes_read_per_second": round(
                    options.images * options.image_bytes / found["seconds"] / 1e6, 1
                ),
                "core_hours": round(hours, 2),
                "cost_per_million": round(
                    hours * options.price * 1e6 / options.images, 3
                ),
            }
        )
    result = {
        "model": options.model,
        "contributions": options.contributions,
        "measured": basis,
        "price_of_a_core_hour": options.price,
        "seeds": options.seeds,
        "rows": rows,
    }
    key = ("model", "contributions")
    kept = [
        one
        for one in read_rows(options.json)
        if any(one[name] != result[name] for name in key)
    ]
    write_json(options.json, [*kept, result])
    table = Table(
        *("workers", "hours", "images/s", "efficiency", "MB/s read", "core-hours"),
        *("cost of a million", "images done twice"),
        title=f"{options.images} images, {options.model}, {basis['image_seconds']:.4f} "
        f"CPU seconds each, {options.price} a core-hour",
    )
    for row in rows:
        table.add_row(
            str(row["setting"]["workers"]),
            f"{row['seconds'] / 3600:.2f}",
            f"{row['images_per_second']:.0f}",
            f"{row['efficiency']:.2f}",
            f"{row['megabytes_read_per_second']:.0f}",
            f"{row['core_hours']:.1f}",
            f"{row['cost_per_million']:.2f}",
            f"{row['repeated_images']:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
