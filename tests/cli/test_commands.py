"""The commands: what they write, print and refuse, and their exit codes."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from PIL import Image

from keras_explainer import runs
from keras_explainer.explanation.path_gradients import SECANTS
from keras_explainer.version import __version__


def json_of(path: Path):
    return json.loads(path.read_text())


def test_train_evaluate_explain(command, run, images, tmp_path):
    config = json_of(run / "config.json")
    assert config["status"] == "complete"
    assert config["explainer"]["filters"] == 4
    assert config["explainer"]["recipe"]["views"] == 2
    assert config["learning"]["epochs"] == 1

    done = command("evaluate", run, "--category", "dog")
    assert done.exit_code == 0, done.output
    metrics = json_of(run / "metrics.json")
    assert metrics["data"]["category"] == "dog"
    share = metrics["explainer"]["part_tracking_share"]
    assert f"{share:.4g}" in done.stdout
    words = done.stdout.split()
    for text in ("position", "instability", "Without", "agreement", "interpretable"):
        assert text in words, text

    printed = command("evaluate", run, "--data", images, "--json", "-")
    assert printed.exit_code == 0
    found = json.loads(printed.stdout)
    assert found["data"]["images"] == 40
    assert json_of(run / "metrics.json") == metrics
    assert found == runs.evaluate(run, images)

    files = [images / "images" / f"{number:03}.png" for number in (20, 21)]
    out = tmp_path / "explained"
    done = command("explain", run, *files, "--out", out, "--parts", 2)
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in out.iterdir()) == [
        "020.png",
        "021.png",
        "explanations.json",
    ]
    assert Image.open(out / "020.png").size[0] > 48
    explained = json_of(out / "explanations.json")
    printed = command("explain", run, *files, "--json", "-")
    assert json.loads(printed.stdout) == explained
    assert str(files[0]) in json.dumps(explained)


def test_explain_a_class_and_without_contributions(command, run, images):
    file = images / "images" / "020.png"
    own = json.loads(command("explain", run, file, "--json", "-").stdout)
    assert own["explanations"][0]["contributions"]["steps"] == SECANTS
    done = command("explain", run, file, "--class", 1, "--json", "-")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["explanations"][0]
    assert found["explained"]["class_index"] == 1
    assert found["contributions"] is not None
    done = command("explain", run, file, "--no-contributions", "--json", "-")
    found = json.loads(done.stdout)["explanations"][0]
    assert found["contributions"] is None
    for given, message in (("99", "out of range"), ("a dog", "has no labels")):
        done = command("explain", run, file, "--class", given, "--json", "-")
        assert done.exit_code == 2
        assert message in done.stderr


def test_names_of_parts(command, run, images, tmp_path):
    """Made beside the run, and shown by explain; others can be given."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    done = command("name-parts", copy, "--data", images)
    assert done.exit_code == 0, done.output
    assert "filters have a name" in done.stdout
    names = json_of(copy / "part_names.json")
    assert names["filters"] == 4
    file = images / "images" / "020.png"
    for entry in names["names"]:
        entry["name"] = "chosen"
    names["names"] = names["names"] or [{"filter": 2, "name": "chosen"}]
    (copy / "part_names.json").write_text(json.dumps(names))
    found = json.loads(command("explain", copy, file, "--json", "-").stdout)
    shown = {p["filter"]: p["name"] for p in found["explanations"][0]["parts"]}
    assert {f for f, name in shown.items() if name} == {
        entry["filter"] for entry in names["names"]
    }
    names["filters"] = 5
    other = tmp_path / "other.json"
    other.write_text(json.dumps(names))
    done = command("explain", copy, file, "--names", other, "--json", "-")
    assert done.exit_code == 2
    assert "of 5 filters, the explainer has 4" in done.stderr
    (copy / "part_names.json").write_text("{")
    done = command("explain", copy, file, "--json", "-")
    assert done.exit_code == 2
    assert "Name the parts again" in done.stderr
    done = command("name-parts", run, "--data", images, "--json", tmp_path / "n.json")
    assert done.exit_code == 0
    assert json_of(tmp_path / "n.json")["schema_version"] == 1
    assert not (run / "part_names.json").exists()


def test_images_that_cannot_be_read_are_listed_or_refused(
    command, run, images, tmp_path
):
    good = images / "images" / "020.png"
    same = tmp_path / "elsewhere" / "020.png"
    same.parent.mkdir()
    shutil.copy(images / "images" / "021.png", same)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    out = tmp_path / "out"
    done = command("explain", run, good, bad, tmp_path, same, "--out", out)
    assert done.exit_code == 0
    assert "2 files were left out" in done.stderr
    assert "bad.png is empty" in done.stderr
    assert sorted(p.name for p in out.iterdir()) == [
        "020-2.png",
        "020.png",
        "explanations.json",
    ]
    done = command("explain", run, good, bad, "--out", out, "--on-bad", "raise")
    assert done.exit_code == 2
    assert "bad.png: is empty" in done.stderr
    done = command("explain", run, bad, "--out", out)
    assert done.exit_code == 2
    assert "None of the images can be read" in done.stderr
    done = command("explain", run, good)
    assert done.exit_code == 2
    assert "--out FOLDER" in done.stderr
    done = command("explain", run, good, "--out", bad / "sub")
    assert done.exit_code == 2
    assert "cannot be made" in done.stderr


def test_a_run_is_kept_unless_overwritten(command, run, train_options):
    before = (run / "explainer.keras").read_bytes()
    done = command("train", *train_options, "--epochs", 1, "--out", run)
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "--overwrite" in done.stderr
    assert (run / "explainer.keras").read_bytes() == before


def test_an_interrupted_run_goes_on(command, train_options, tmp_path, monkeypatch):
    out = tmp_path / "run"
    save = runs.RunFolder.save_explainer

    def interrupted(self, explainer):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs.RunFolder, "save_explainer", interrupted)
    done = command("train", *train_options, "--epochs", 2, "--out", out)
    assert done.exit_code == 130
    assert "--resume" in done.stderr
    monkeypatch.setattr(runs.RunFolder, "save_explainer", save)
    done = command("evaluate", out)
    assert done.exit_code == 2
    assert "interrupted after 2 of 2 epochs" in done.stderr

    done = command("train", "--out", out, "--resume", "--seed", 0, "--tap", "tap")
    assert done.exit_code == 2
    assert "leave --tap, --seed out" in done.stderr
    done = command("train", *train_options, "--epochs", 3, "--out", out, "--resume")
    assert done.exit_code == 2
    assert "learning.epochs 3, not 2" in done.stderr
    done = command("train", "--out", out, "--resume")
    assert done.exit_code == 0, done.output
    assert "in 2 epochs" in done.stdout
    done = command("train", *train_options, "--epochs", 2, "--out", out, "--resume")
    assert done.exit_code == 0, done.output


def test_divergence_is_told_and_its_weights_kept(command, train_options, tmp_path):
    out = tmp_path / "run"
    options = [*train_options, "--epochs", 3, "--set", "learning_rate=1e30"]
    done = command("train", *options, "--out", out)
    assert done.exit_code == 2
    assert "last good epoch" in done.stderr
    assert (out / "explainer.keras").exists()
    done = command("evaluate", out)
    assert done.exit_code == 0
    assert "diverged" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--category", "dgo"], "no category 'dgo'. Nearest valid: dog"),
        (["--tap", "tapp"], "tap"),
        (["--target", "hihg"], "high"),
        (["--set", "etta=1"], "no setting 'etta'"),
        (["--set", "eta"], "--set takes key=value"),
        (["--set", "eta=big"], "recipe.eta must be a finite number, got 'big'"),
        (["--recipe", "papers"], "paper"),
        (["--on-bad", "ignore"], "skip, raise"),
        (["--weights", "w.h5"], "weights goes with a network's name"),
        (["--image-size", "big"], "--image-size is"),
        (["--labels", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["--teacher", "nowhere.keras"], "'nowhere.keras' does not exist"),
        (["--teacher", "MobilNet", "--weights", "imagenet"], "MobileNet"),
        (["--data", "nowhere"], "There is no folder nowhere"),
        (["--epochs", "0"], "epochs must be at least 1"),
        (["--resume", "--overwrite"], "either resumed or overwritten"),
    ],
)
def test_input_that_cannot_be_used_is_one_line(
    command, train_options, tmp_path, options, message
):
    out = tmp_path / "run"
    done = command("train", *train_options, "--out", out, *options)
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert message in done.stderr
    assert not out.exists()


def test_needed_options(command, tmp_path):
    done = command("train", "--out", tmp_path / "x")
    assert done.exit_code == 2
    assert "--teacher and --data" in done.stderr
    done = command("train")
    assert done.exit_code == 2
    assert "--out" in done.stderr
    done = command("evaluate", tmp_path / "x")
    assert done.exit_code == 2
    assert "no run folder" in done.stderr


def test_moved_weights(command, run, teacher_file, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(run, moved, ignore=shutil.ignore_patterns("metrics.json"))
    config = json_of(moved / "config.json")
    config["teacher"]["path"] = "/nowhere/small.keras"
    (moved / "config.json").write_text(json.dumps(config))
    done = command("evaluate", moved, "--json", "-")
    assert done.exit_code == 2
    assert "--weights PATH" in done.stderr
    target = tmp_path / "figures.json"
    done = command("evaluate", moved, "--weights", teacher_file, "--json", target)
    assert done.exit_code == 0, done.output
    assert json_of(target)["schema_version"] == 1
    assert not (moved / "metrics.json").exists()


def test_an_unexpected_error_has_a_hint_and_with_debug_its_traceback(
    command, run, monkeypatch
):
    def broken(*arguments, **settings):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(runs, "evaluate", broken)
    done = command("evaluate", run)
    assert done.exit_code == 1
    assert "ZeroDivisionError: by zero" in done.stderr
    assert "--debug" in done.stderr
    done = command("--debug", "evaluate", run)
    assert isinstance(done.exception, ZeroDivisionError)
    assert not logging.getLogger("keras_explainer").handlers


def test_help_and_version(command):
    assert command("--version").stdout.strip() == f"keras-explainer {__version__}"
    for name in ("train", "evaluate", "explain"):
        done = command(name, "--help")
        assert done.exit_code == 0
        assert "Examples" in done.stdout
        assert f"keras-explainer {name}" in done.stdout


# Commands in one process, each as the installed script runs it.
COMMANDS = """
import json, sys
from keras_explainer.cli.main import main

for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as done:
        for stream in (sys.stdout, sys.stderr):
            print("exit", done.code or 0, file=stream, flush=True)
"""


def test_as_a_process(images, teacher_file, tmp_path):
    """A user's three commands, with nothing but results on the terminal."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TF_CPP")
    }
    environment["KERAS_BACKEND"] = keras.backend.backend()
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    train = [
        *("train", "--teacher", str(teacher_file), "--tap", "tap"),
        *("--data", str(images), "--category", "dog", "--out", "run"),
        *("--recipe", "single", "--filters", "3", "--epochs", "1", "--batch-size", "8"),
        *("--set", "views=1", "--set", "views_per_step=1"),
        *("--set", "equivariance_weight=0"),
    ]
    evaluate = ["evaluate", "run", "--json", "-"]

    def process(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    done = process("-m", "keras_explainer.cli", "--version")
    assert done.stdout == f"keras-explainer {__version__}\n", done.stderr
    commands = [train, evaluate, ["evaluate", "nowhere"]]
    done = process("-c", COMMANDS, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    learned, figures, nothing = done.stdout.split("exit 0\n")
    assert "3 filters for small, learned from 8 images" in learned
    assert json.loads(figures)["data"]["category"] == "dog"
    assert nothing == "exit 2\n"
    assert done.stderr.startswith(
        "exit 0\nexit 0\nError: There is no run folder nowhere."
    )


@pytest.mark.one_backend
def test_a_dry_run_says_what_would_be_learned(command, train_options, tmp_path):
    out = tmp_path / "new"
    done = command("train", *train_options, "--epochs", 3, "--out", out, "--dry-run")
    assert done.exit_code == 0, done.output
    assert not out.exists()
    for text in ("16 to learn from, 40 to measure on", "4 filters", "3 epochs", "tap"):
        assert text in done.stdout
    done = command("train", "--out", out, "--resume", "--dry-run")
    assert done.exit_code == 2 and "--dry-run" in done.output


@pytest.mark.one_backend
def test_names_are_printed(command, run, images):
    done = command("name-parts", run, "--data", images, "--json", "-")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["filters"] == 4


@pytest.mark.one_backend
def test_report(command, run, images, tmp_path):
    """A run's own curves, names and figures are in its report."""
    pytest.importorskip("jinja2")
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    done = command("report", copy, "--to", tmp_path / "report", "--shown", 2)
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "Learning curves" in page and '<circle class="dot"' in page
    assert "run: small" in page
    assert {path.name for path in copy.iterdir()} == {p.name for p in run.iterdir()}
    again = command("report", copy, "--to", tmp_path / "report")
    assert again.exit_code == 2 and "--force" in again.output
    wrong = command("report", copy, "--to", tmp_path / "b.html", "--class", "7")
    assert wrong.exit_code == 2 and "out of range" in wrong.output
