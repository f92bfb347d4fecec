"""`keras-explainer call`, and the example that calls a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from compared import assert_same, first_parts
from PIL import Image
from typer.testing import CliRunner

from keras_explainer.cli.main import app

ROOT = Path(__file__).resolve().parents[2]


def call(*arguments):
    return CliRunner().invoke(app, ["call", *map(str, arguments)])


@pytest.fixture
def files(images, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return paths


def test_call(server, explainer, images, files, tmp_path):
    from served_models import NAMES

    expected = first_parts(
        explainer.explain(
            images, part_names=NAMES, names=list(map(str, files)), verbose=0
        )
    )
    for address in (server.grpc, server.rest):
        done = call(address, "small", *files, "--label", "stable", "--json", "-")
        assert done.exit_code == 0, done.output
        assert_same(json.loads(done.stdout), expected)
    done = call(server.rest, "small", *files, "--version", 1, "--to", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "5 images explained" in done.stdout
    written = json.loads((tmp_path / "out" / "explanations.json").read_text())
    assert_same(written, expected)
    done = call(
        *(server.grpc, "small", files[0], "--no-contributions", "--class", "cow"),
        *("--json", tmp_path / "one.json"),
    )
    assert done.exit_code == 0, done.output
    one = json.loads((tmp_path / "one.json").read_text())["explanations"][0]
    assert one["explained"]["label"] == "cow"
    assert one["contributions"] is None


def test_a_table_for_each_image(server, files):
    done = call(server.rest, "small", *files[:2], "--parts", 1)
    assert done.exit_code == 0, done.output
    assert str(files[1]) in done.stdout
    assert done.stdout.count("teacher: ") == 2
    assert "contribution" in done.stdout


def test_bad_files_are_listed(server, files, tmp_path):
    (tmp_path / "text.png").write_text("hello")
    given = [files[0], tmp_path / "text.png", tmp_path / "none.png"]
    done = call(server.rest, "small", *given, "--json", "-")
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["explanations"]) == 1
    assert "2 files were left out" in done.stderr
    assert "none.png" in done.stderr
    done = call(server.rest, "small", *given, "--json", "-", "--on-bad", "raise")
    assert done.exit_code == 2
    done = call(server.rest, "small", tmp_path / "text.png")
    assert done.exit_code == 2
    assert "None of the images" in done.stderr


LIGHT = """
import sys
from typer.testing import CliRunner
from keras_explainer.cli.main import app

done = CliRunner().invoke(app, ["call", *sys.argv[1:]])
print(done.exit_code, {"keras", "tensorflow", "grpc"} & set(sys.modules))
"""


def test_a_call_by_rest_loads_no_framework(server, files):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, server.rest, "small", files[0]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "0 set()", done.stderr


def test_what_is_refused(server, files, tmp_path):
    for arguments, said in (
        (("ftp://a", "small", files[0]), "address"),
        ((server.rest, "cat", files[0]), "no model 'cat'"),
        ((server.rest, "small", files[0], "--version", 9), "versions: 1 AVAILABLE"),
        ((server.rest, "small", files[0], "--class", "cwo"), "cow"),
        ((server.rest, "small", files[0], "--to", "a", "--json", "-"), "both say"),
        ((server.grpc, "small", files[0], "--ca", tmp_path / "none"), "no file"),
    ):
        done = call(*arguments)
        assert done.exit_code == 2, done.output
        assert said in " ".join(done.stderr.split())


@pytest.mark.slow
def test_the_example(tmp_path):
    """It exports, says how a server is started, and calls one."""
    from conformance_server import ConformanceServer
    from model_store import ModelStore

    def example(*arguments):
        script = ROOT / "examples" / "serve_and_call.py"
        return subprocess.run(
            [sys.executable, script, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    done = example("--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "docker compose up" in done.stdout
    config = tmp_path / "serving" / "config" / "models.config"
    place = {"/models/creatures": tmp_path / "models" / "creatures"}
    with ConformanceServer(ModelStore(config.read_text(), place)) as server:
        done = example("--address", server.rest, "--images", 4)
    assert done.returncode == 0, done.stderr
    assert "1 AVAILABLE" in done.stdout
    assert "in 4 of 4" in done.stdout
