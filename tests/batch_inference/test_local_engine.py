"""Jobs on worker processes: every image exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import odd_worker
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from job_output import expected, ids, leftovers

from keras_explainer.batch_inference import explain_dataset, read_results
from keras_explainer.batch_inference.dataset_row import DatasetRow
from keras_explainer.batch_inference.part_file import (
    SCHEMA,
    read_facts,
    read_rows,
    write_part,
)
from keras_explainer.errors import ConfigError, DataError, DatasetJobError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


# What a part file holds


def test_rows_come_back_as_they_were_written(tmp_path):
    whole = odd_worker.explanation(b"x" * 5)
    whole = replace(whole, index=1, image="b")
    silent = replace(whole.parts[0], cell=None, position=None, box=None, filter=2)
    other = replace(whole, index=2, image="c", parts=(silent, *whole.parts))
    rows = [
        DatasetRow(image_id="a", shard=7, row=0, status="error", error="Why."),
        DatasetRow.of(7, 1, "b", whole),
        DatasetRow.of(7, 2, "c", other),
        DatasetRow(image_id="d", shard=7, row=3, status="unreadable", error="So."),
    ]
    facts = write_part(tmp_path / "part.parquet", 7, rows)
    assert (facts.rows, facts.errors, facts.unreadable) == (4, 1, 1)
    assert read_facts(tmp_path / "part.parquet") == facts
    assert list(read_rows(tmp_path / "part.parquet")) == rows
    assert pq.read_schema(tmp_path / "part.parquet").equals(SCHEMA)
    write_part(tmp_path / "bad.parquet", 7, rows[:1])
    assert list(read_rows(tmp_path / "bad.parquet")) == rows[:1]


def test_facts_of_what_is_no_part(tmp_path):
    path = tmp_path / "x.parquet"
    assert read_facts(path) is None
    path.write_bytes(b"PAR1")
    assert read_facts(path) is None
    pq.write_table(pa.table({"a": [1]}), path)
    assert read_facts(path) is None


# Whole jobs


def test_a_job(photos, light, odd_workers, tmp_path):
    odd_workers("right")
    told = []
    output = tmp_path / "out"
    manifest = explain_dataset(
        light.parent,  # the folder of the versions
        photos,
        output,
        workers=2,
        rows_per_part=3,
        batch_size=2,
        progress=lambda *counts: told.append(counts),
    )
    assert manifest["status"] == "complete"
    counts = [manifest[name] for name in ("rows", "errors", "unreadable", "parts")]
    assert counts == [12, 2, 0, 4]
    assert told[0] == (0, 12) and told[-1] == (12, 12)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert json.loads((output / "_manifest.json").read_text()) == manifest
    assert ids(output) == expected(photos)
    rows = {row.image_id: row for row in read_results(output)}
    assert rows["a/none.jpg"].error == "It is no image."
    assert rows["c.png"].error == "The image has 0 bytes."
    for name, row in rows.items():
        if row.status == "ok":
            size = (photos / name).stat().st_size
            assert row.explanation.parts[0].strength == size, name
            assert row.explanation.image == name
    # As any reader of Parquet sees it.
    table = pyarrow.dataset.dataset(output).to_table()
    assert table.num_rows == 12
    assert table.schema.equals(SCHEMA)
    assert not leftovers(output)

    # Once more: nothing is done, as no worker would survive to do it.
    odd_workers("unready")
    again = explain_dataset(light, photos, output, workers=2, batch_size=2)
    assert again == manifest


def test_more_workers_than_images(photos, light, odd_workers, tmp_path):
    odd_workers("right")
    out = tmp_path / "out"
    manifest = explain_dataset(light, photos / "b", out, workers=40)
    assert (manifest["rows"], manifest["parts"]) == (5, 1)
    assert len(list((out / "_job" / "logs").iterdir())) == 1


def test_no_images(light, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no images"):
        explain_dataset(light, tmp_path / "empty", tmp_path / "out")
    pq.write_table(
        pa.table({"image": pa.array([], pa.binary())}), tmp_path / "x.parquet"
    )
    with pytest.raises(DataError, match="has no images"):
        explain_dataset(light, tmp_path / "x.parquet", tmp_path / "out")
    assert not (tmp_path / "out" / "_manifest.json").exists()


# Going on


def test_going_on_makes_what_is_missing_alone(photos, light, odd_workers, tmp_path):
    odd_workers("right")
    output = tmp_path / "out"
    explain_dataset(light, photos, output, rows_per_part=3)
    parts = sorted(output.glob("part-*.parquet"))
    parts[1].unlink()
    parts[2].write_bytes(parts[2].read_bytes()[:-7])
    (output / ".tmp-half.parquet").write_bytes(b"PAR1")
    untouched = [path.stat().st_mtime_ns for path in (parts[0], parts[3])]
    # Files that are new are of another dataset: the plan stands.
    (photos / "new.png").write_bytes(b"x")
    manifest = explain_dataset(light, photos, output, workers=2, rows_per_part=100)
    assert (manifest["rows"], manifest["parts"]) == (12, 4)
    assert untouched == [path.stat().st_mtime_ns for path in (parts[0], parts[3])]
    assert ids(output) == expected(photos) - Counter(["new.png"])
    assert not leftovers(output)


def test_another_job_is_refused(photos, light, odd_workers, tmp_path):
    odd_workers("right")
    output = tmp_path / "out"
    explain_dataset(light, photos, output)
    with pytest.raises(DatasetJobError, match="contributions True there, False now"):
        explain_dataset(light, photos, output, contributions=False)
    with pytest.raises(DatasetJobError, match="of another job: input"):
        explain_dataset(light, photos / "a", output)
    (light / "saved_model.pb").write_bytes(b"another")
    with pytest.raises(DatasetJobError, match="model_sha256"):
        explain_dataset(light, photos, output)
    (output / "_job" / "job.json").write_text("{}")
    with pytest.raises(DatasetJobError, match="is no job"):
        explain_dataset(light, photos, output)
    with pytest.raises(DatasetJobError, match="has other files"):
        explain_dataset(light, photos / "a", photos)


def test_a_second_process_is_refused(photos, light, tmp_path):
    """While the first is killed in the middle, a third goes on where it was."""
    output = tmp_path / "out"
    process = start(light, photos, output, "slow")
    wait_for_parts(output, 1, process)
    with pytest.raises(
        DatasetJobError, match=rf"out is being written by process {process.pid} on"
    ):
        explain_dataset(light, photos, output)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(list(output.glob("part-*.parquet")))
    assert 1 <= done < 12
    again = start(light, photos, output, "right")
    assert again.wait(60) == 0, again.stderr.read()
    assert ids(output) == expected(photos)
    assert not leftovers(output)


def test_interrupted(photos, light, tmp_path):
    output = tmp_path / "out"
    process = start(light, photos, output, "slow")
    wait_for_parts(output, 1, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert not leftovers(output)
    assert "give the same command to go on" in process.stderr.read()
    assert json.loads((output / "_manifest.json").read_text())["status"] == "running"
    again = start(light, photos, output, "right")
    assert again.wait(60) == 0
    assert ids(output) == expected(photos)


def start(model, folder, output, fault):
    """The command in a process of its own, with odd workers, an image a part."""
    code = (
        "import signal\n"
        # A shell's background jobs are started with interrupts ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from keras_explainer.batch_inference import local_engine\n"
        "from keras_explainer.cli.main import main\n"
        "local_engine._WORKER = 'odd_worker'\n"
        "main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "explain-dataset", str(model)]
        + ["--input", str(folder), "--output", str(output), "--rows-per-part", "1"],
        env={
            **os.environ,
            "ODD_WORKER": fault,
            "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)]),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_parts(output, count, process):
    end = time.monotonic() + 60
    while len(list(output.glob("part-*.parquet"))) < count:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_output_where_nothing_can_be_written(photos, light, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetJobError, match="cannot be written"):
        explain_dataset(light, photos, tmp_path / "file" / "out")


def test_arguments(photos, light, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match=r"got 'sparc'. Nearest valid: spark"):
        explain_dataset(light, photos, out, engine="sparc")
    with pytest.raises(ConfigError, match="workers is a whole number from 1, got 0"):
        explain_dataset(light, photos, out, workers=0)
    with pytest.raises(ConfigError, match="are for engine='spark'"):
        explain_dataset(light, photos, out, master="yarn")
    with pytest.raises(DatasetJobError, match="is no SavedModel and has no version"):
        explain_dataset(photos, photos, out)
    with pytest.raises(DataError, match="has no results"):
        list(read_results(photos))
    assert not out.exists()


# The model itself


def test_as_the_explainer_itself_says(
    explainer, model, pixels, photos, tmp_path, command
):
    """By the command, two processes with the exported model."""
    from compared import assert_same, first_parts
    from served_models import NAMES

    output = tmp_path / "out"
    done = command(
        *("explain-dataset", model, "--input", photos, "--output", output),
        *("--workers", 2, "--rows-per-part", 6, "--no-contributions"),
    )
    assert done.exit_code == 0, done.output
    assert "12 images, 2 of them bad" in done.output
    rows = {row.image_id: row for row in read_results(output)}
    assert "cannot be decoded" in rows["a/none.jpg"].error
    whole = first_parts(explainer.explain(pixels, part_names=NAMES, contributions=None))
    for number, one in enumerate(whole["explanations"]):
        name = f"{'b' if number % 2 else 'a'}/{number}.png"
        found = rows[name].explanation.to_dict()
        assert_same(found, {**one, "image": name, "index": rows[name].row})


def test_models_that_cannot_be_used(explainer, model, encoded, tmp_path):
    import served_models

    from keras_explainer.batch_inference.saved_model_program import SavedModelProgram
    from keras_explainer.errors import UnknownSignatureError

    with pytest.raises(DatasetJobError, match=r"has no SavedModel at .*--ship-model"):
        SavedModelProgram(tmp_path, None, True)
    half = tmp_path / "half"
    half.mkdir()
    (half / "saved_model.pb").write_bytes((model / "saved_model.pb").read_bytes()[:99])
    with pytest.raises(DatasetJobError, match="cannot be loaded"):
        SavedModelProgram(half, None, True)
    tap = tmp_path / "tap"
    served_models._write(explainer, tap, 2, None, with_teacher=False)
    with pytest.raises(UnknownSignatureError, match="input 'features'"):
        SavedModelProgram(tap, None, True)
    with pytest.raises(ConfigError, match=r"no class with the label 'hen'"):
        SavedModelProgram(model, "hen", True)
    program = SavedModelProgram(model, "eel", True)
    found, bad = program.explain([encoded[0], b"none"])
    assert found.explained.label == "eel" and found.contributions is not None
    assert (
        bad == "The image cannot be decoded: it is no JPEG, PNG or BMP, or is damaged."
    )


@pytest.mark.slow
def test_contributions_as_the_explainer_itself_says(
    explainer, model, pixels, photos, tmp_path
):
    from compared import assert_same, first_parts
    from served_models import NAMES

    explain_dataset(model, photos, tmp_path / "out", class_index="owl")
    rows = {row.image_id: row for row in read_results(tmp_path / "out")}
    whole = first_parts(explainer.explain(pixels, "owl", part_names=NAMES))
    for number, one in enumerate(whole["explanations"]):
        name = f"{'b' if number % 2 else 'a'}/{number}.png"
        found = rows[name].explanation.to_dict()
        assert_same(found, {**one, "image": name, "index": rows[name].row})
