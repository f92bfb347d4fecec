"""Explainers of several CNNs on real photographs: teachers, then explainers, then rows.

    python -m benchmarks.zoo_explainers [--stage teachers|explainers] [--subjects a,b]
        [--categories antelope] [--work models/zoo_explainers] [--out DIR] [--page]

Data: the animal-part photographs and MobileNet 0.75 ImageNet weights in the folder
named by KERAS_EXPLAINER_SHARED (default ../shared). Teachers learn from the train rows
(`keras-explainer teacher fit`) and are measured on the test rows; explainers learn from
the train rows of a category and are measured on its test rows (`evaluate`). Everything
goes through the command line; rows are made by this file alone. What is done is kept: a
stopped benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_explainer.zoo import ZooConfig

from benchmarks.pages import fill, markdown
from keras_explainer.files import write_json
from keras_explainer.version import __version__

PAGE = Path(__file__).resolve().parents[1] / "docs" / "zoo.md"
PROGRAM = [sys.executable, "-m", "keras_explainer.cli"]
GOOD, BETTER = 0.6, 0.05
"""Accuracy, and how much more than of always the same answer, under which a teacher's
row says so."""
NARROW = "width 1/4, trained here from random weights"


@dataclass(frozen=True)
class Subject:
    """A teacher: how it comes about.

    Attributes:
        cnn: its name in the zoo.
        what: for the table.
        arguments: of the constructor.
        pretrained: whether the MobileNet weights are begun with.
        fit: arguments of `teacher fit`; None for a teacher that is used as it is.
        category: of a single-category teacher.
    """

    cnn: str
    what: str
    arguments: tuple[str, ...] = ()
    pretrained: bool = False
    fit: tuple[str, ...] | None = None
    category: str | None = None


_FRESH = ("--learning-rate", "5e-4", "--epochs")
SUBJECTS = {
    "mobilenet": Subject(
        "MobileNet", "width 0.75, ImageNet", ("alpha=0.75",), pretrained=True
    ),
    "mobilenet-20": Subject(
        "MobileNet",
        "width 0.75, ImageNet, fine-tuned to the 20 categories",
        ("alpha=0.75",),
        pretrained=True,
        fit=("--train", "top", "--epochs", "4"),
    ),
    "mobilenet-dog": Subject(
        "MobileNet",
        "width 0.75, ImageNet, fine-tuned to dog against negatives",
        ("alpha=0.75",),
        pretrained=True,
        fit=("--train", "top", "--epochs", "4"),
        category="dog",
    ),
    "alexnet": Subject("AlexNet", NARROW, ("alpha=0.25",), fit=(*_FRESH, "30")),
    "vgg-m": Subject("VGG-M", NARROW, ("alpha=0.25",), fit=(*_FRESH, "12")),
    "resnet50": Subject(
        "ResNet50",
        "trained here from random weights to dog against negatives, images of 112",
        fit=("--image-size", "112", *_FRESH, "8"),
        category="dog",
    ),
}


def shared_folder() -> Path:
    """Where the photographs are."""
    default = Path(__file__).resolve().parents[1].parent / "shared"
    return Path(os.environ.get("KERAS_EXPLAINER_SHARED", default)) / "animalparts"


def fit_command(subject: Subject, out: Path) -> list[str]:
    """`keras-explainer teacher fit` for a subject."""
    data = shared_folder()
    weights = str(data / "mobilenet_075_224.weights.h5")
    command = [
        *PROGRAM, "teacher", "fit", subject.cnn, "--data", str(data), "--out", str(out),
        "--weights", weights if subject.pretrained else "none", "--resume",
    ]  # fmt: skip
    for argument in subject.arguments:
        command += ["--teacher-arg", argument]
    if subject.category is not None:
        command += ["--category", subject.category]
        command += ["--negatives", str(data / "negatives")]
    return [*command, *(subject.fit or ())]


def teacher_row(name: str, work: Path) -> dict[str, Any]:
    """Fits a teacher, or goes on with it; its record's figures."""
    subject, out = SUBJECTS[name], work / name
    row: dict[str, Any] = {"subject": name, "cnn": subject.cnn, "what": subject.what}
    if subject.fit is None:
        # Its 1000 classes are not the photographs' categories: no accuracy.
        return {**row, "figures": None}
    began = time.perf_counter()
    subprocess.run(fit_command(subject, out), check=True)
    record = json.loads((out / "teacher.json").read_text())
    return {
        **row,
        "classes": len(record["labels"]),
        "parameters": record["params"],
        "train_images": record["data"]["train_images"],
        "figures": record["figures"],
        "training": record["training"],
        "history": record["history"],
        "seconds": round(time.perf_counter() - began, 1),
    }


def settings(subject: Subject) -> list[str]:
    """What the network's configuration says of its explainer, for `train`."""
    config = ZooConfig.named(subject.cnn)
    found = ["--recipe", config.training.recipe, "--filters", str(config.filters)]
    if config.decoder is not None:
        found += ["--decoder", config.decoder]
    for key, value in config.training.settings.items():
        found += ["--set", f"{key}={json.dumps(value)}"]
    return found


def explainer_row(name: str, category: str, work: Path) -> dict[str, Any]:
    """Learns and measures an explainer of a subject's teacher on one category."""
    subject, data = SUBJECTS[name], shared_folder()
    run, metrics = work / f"{name}-{category}", work / f"{name}-{category}.json"
    where = ["--data", str(data), "--category", category]
    if subject.fit is None:
        weights = str(data / "mobilenet_075_224.weights.h5")
        build = ["zoo", "build", subject.cnn, "--weights", weights]
        for argument in subject.arguments:
            build += ["--teacher-arg", argument]
    else:
        build = ["train", "--teacher", str(work / name), *settings(subject)]
    began = time.perf_counter()
    subprocess.run(
        [*PROGRAM, *build, *where, "--out", str(run), "--resume"], check=True
    )
    seconds = time.perf_counter() - began
    subprocess.run(
        [*PROGRAM, "evaluate", str(run), *where, "--json", str(metrics)], check=True
    )
    measured = json.loads(metrics.read_text())
    # Where the photographs lie is no result.
    measured["data"].pop("directory", None)
    return {
        "subject": name,
        "category": category,
        "seconds": round(seconds, 1),
        "metrics": measured,
    }


def tables(rows: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """The rows as Markdown, by the table's name in the page."""
    return {
        "teachers": markdown(
            ("teacher", "what", "classes", "accuracy", "always the same answer", ""),
            [_teacher_cells(row) for row in rows["teachers"]],
        ),
        "parts of explainers": markdown(
            (
                "teacher, category",
                "tracking (teacher)",
                "instability (constant)",
                "landmark error (mean)",
                "distinct positions (teacher)",
                "concentration (teacher)",
                "correlation (teacher)",
                "dead",
            ),
            [_part_cells(row) for row in rows["explainers"]],
        ),
        "fidelity of explainers": markdown(
            (
                "teacher, category",
                "EV last target",
                "EV logits",
                "parts alone",
                "ordinary alone",
                "agreement (constant)",
                "KL",
                "p (share of variance)",
                "learned in, s",
            ),
            [_fidelity_cells(row) for row in rows["explainers"]],
        ),
    }


def _teacher_cells(row: dict[str, Any]) -> list[str]:
    figures = row["figures"]
    if figures is None:
        return [row["cnn"], row["what"], "1000", "not measured: other classes", "–", ""]
    return [
        row["cnn"],
        row["what"],
        str(row["classes"]),
        f"{figures['accuracy']:.3f}",
        f"{figures['constant_accuracy']:.3f}",
        _said(figures["accuracy"], figures["constant_accuracy"]),
    ]


def _said(accuracy: float, constant: float) -> str:
    """Of a teacher that has learned little."""
    if accuracy < GOOD:
        return f"under {GOOD:.0%}: a weak teacher"
    if accuracy < constant + BETTER:
        return "hardly better than always the same answer"
    return ""


def _part_cells(row: dict[str, Any]) -> list[str]:
    mine, theirs = row["metrics"]["explainer"], row["metrics"]["teacher"]
    constant = row["metrics"]["baselines"]["constant_position"]
    controls = (
        ("part_tracking_share", theirs["part_tracking_share"]),
        ("location_instability", constant["location_instability"]),
        ("landmark_error", mine["landmark_mean_predictor"]),
        ("distinct_positions", theirs["distinct_positions"]),
        ("concentration", theirs["concentration"]),
        ("filter_correlation", theirs["filter_correlation"]),
    )
    return [
        _name(row),
        *(f"{_n(mine[name])} ({_n(control)})" for name, control in controls),
        f"{mine['dead_filters']} of {mine['filters']}",
    ]


def _fidelity_cells(row: dict[str, Any]) -> list[str]:
    mine = row["metrics"]["explainer"]
    explained = mine["explained_variance"]
    last = [name for name in explained if name != "logits"][-1]
    return [
        _name(row),
        _n(explained[last]),
        *(
            _n(figures["explained_variance"].get("logits"))
            for figures in (
                mine,
                mine["without_ordinary"],
                mine["without_interpretable"],
            )
        ),
        f"{_n(mine['top1_agreement'])} ({_n(mine['top1_constant'])})",
        _n(mine["kl"]),
        f"{_n(mine['p'])} ({_n(mine['p_variance_share'])})",
        f"{row['seconds']:.0f}",
    ]


def _name(row: dict[str, Any]) -> str:
    return f"{row['subject']}, {row['category']}"


def _n(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def main() -> None:
    """Runs what is missing, writes rows and table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", choices=["teachers", "explainers"])
    parser.add_argument("--subjects", default=",".join(SUBJECTS))
    parser.add_argument("--categories", default="antelope")
    parser.add_argument("--work", type=Path, default=Path("models/zoo_explainers"))
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parent / "results" / "zoo_explainers",
    )
    parser.add_argument("--page", action="store_true", help="only fill docs/zoo.md")
    options = parser.parse_args()
    if options.page:
        fill(PAGE, tables(json.loads((options.out / "rows.json").read_text())))
        return
    subjects = options.subjects.split(",")
    if unknown := [name for name in subjects if name not in SUBJECTS]:
        sys.exit(f"Unknown subjects {unknown}; known: {', '.join(SUBJECTS)}.")
    if not shared_folder().is_dir():
        sys.exit(f"There are no photographs at {shared_folder()}.")
    place = options.out / "rows.json"
    rows: dict[str, Any] = {"teachers": [], "explainers": []}
    if place.exists():
        rows = json.loads(place.read_text())

    def keep(part: str, row: dict[str, Any]) -> None:
        rows[part].append(row)
        order = list(SUBJECTS)
        rows[part].sort(key=lambda r: (order.index(r["subject"]), r.get("category")))
        rows["version"] = __version__
        rows["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
        write_json(place, rows)

    def known(part: str, **wanted: str) -> bool:
        return any(wanted.items() <= row.items() for row in rows[part])

    for name in subjects:
        if not known("teachers", subject=name):
            keep("teachers", teacher_row(name, options.work))
    if options.stage != "teachers":
        for name in subjects:
            own = SUBJECTS[name].category
            for category in [own] if own else options.categories.split(","):
                if not known("explainers", subject=name, category=category):
                    row = explainer_row(name, category, options.work)
                    keep("explainers", row)
    for name, table in tables(rows).items():
        sys.stdout.write(f"{name}\n\n{table}\n\n")


if __name__ == "__main__":
    main()
