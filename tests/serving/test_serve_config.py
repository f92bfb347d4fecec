"""What `serve-config` writes: parsed as the server would, and refused where it must."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml
from conformance_server import ConformanceServer
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2
from typer.testing import CliRunner

from keras_explainer.cli.main import app
from keras_explainer.errors import ConfigError, ExportError
from keras_explainer.serving import ServedModel, ServerSettings, serve_config

FIELD = descriptor_pb2.FieldDescriptorProto


def message(name, fields):
    """A message class of {field: (type, repeated)}, as the server's own files have it.

    `tensorflow-serving-api` has no protocol files for batching and monitoring.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)

    def add(name, fields):
        kind = file.message_type.add(name=name)
        for number, (field, (type_, repeated)) in enumerate(fields.items(), 1):
            one = kind.field.add(name=field, number=number)
            one.label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
            if isinstance(type_, dict):
                add(field, type_)
                one.type, one.type_name = FIELD.TYPE_MESSAGE, f".{field}"
            elif isinstance(type_, str):
                one.type = FIELD.TYPE_MESSAGE
                one.type_name = f".google.protobuf.{type_}"
            else:
                one.type = type_

    add(name, fields)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


# tensorflow_serving/servables/tensorflow/session_bundle_config.proto
BATCHING = {
    "max_batch_size": ("Int64Value", False),
    "batch_timeout_micros": ("Int64Value", False),
    "max_enqueued_batches": ("Int64Value", False),
    "num_batch_threads": ("Int64Value", False),
    "thread_pool_name": ("StringValue", False),
    "allowed_batch_sizes": (FIELD.TYPE_INT64, True),
    "pad_variable_length_inputs": (FIELD.TYPE_BOOL, False),
}
# tensorflow_serving/config/monitoring_config.proto
MONITORING = {
    "prometheus_config": (
        {"enable": (FIELD.TYPE_BOOL, False), "path": (FIELD.TYPE_STRING, False)},
        False,
    ),
}


@pytest.fixture
def folders(tmp_path):
    """Two models that look as exports do."""
    for name, versions in (("dog", (1, 2, 10)), ("cat_2.b", (7,))):
        for version in versions:
            folder = tmp_path / "models" / name / str(version)
            folder.mkdir(parents=True)
            (folder / "saved_model.pb").write_bytes(b"program")
    (tmp_path / "models" / "dog" / "11").mkdir()  # half-written
    (tmp_path / "models" / "dog" / ".tmp-x").mkdir()
    return tmp_path / "models"


def run(*arguments):
    done = CliRunner().invoke(app, ["serve-config", *map(str, arguments)])
    return done.exit_code, " ".join(done.output.split())


def parsed(out):
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((out / "config" / "models.config").read_text(), config)
    return list(config.model_config_list.config)


def service(out):
    return yaml.safe_load((out / "docker-compose.yaml").read_text())["services"][
        "serving"
    ]


def test_several_models(folders, tmp_path):
    out = tmp_path / "serving"
    code, told = run(
        *(folders / "dog", f"cat={folders / 'cat_2.b'}", "--out", out),
        *("--label", "dog:stable=1", "--label", "dog:canary=10", "--version", "dog:2"),
    )
    assert code == 0, told
    assert "docker compose up" in told
    dog, cat = parsed(out)
    assert (dog.name, dog.base_path, dog.model_platform) == (
        "dog",
        "/models/dog",
        "tensorflow",
    )
    assert list(dog.model_version_policy.specific.versions) == [1, 2, 10]
    assert dict(dog.version_labels) == {"stable": 1, "canary": 10}
    assert (cat.name, cat.base_path) == ("cat", "/models/cat")
    assert cat.model_version_policy.latest.num_versions == 1

    batching = message("BatchingParameters", BATCHING)()
    text_format.Parse((out / "config" / "batching.config").read_text(), batching)
    assert batching.max_batch_size.value == 32
    assert batching.batch_timeout_micros.value == 2000
    assert batching.num_batch_threads.value == 2
    assert batching.max_enqueued_batches.value == 100
    assert not batching.pad_variable_length_inputs


def test_the_container(folders, tmp_path):
    out = tmp_path / "serving"
    assert run(folders / "dog", "--out", out, "--label", "stable=2")[0] == 0
    made = service(out)
    assert made["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    assert made["deploy"]["resources"]["limits"] == {
        "cpus": "2",
        "memory": "4g",
        "pids": 512,
    }
    assert made["read_only"] is True
    assert made["cap_drop"] == ["ALL"]
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert made["user"] == "65534:65534"
    assert all(mount["read_only"] is True for mount in made["volumes"])
    places = {mount["target"]: mount["source"] for mount in made["volumes"]}
    assert places == {"/config": "./config", "/models/dog": "../models/dog"}
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", made["image"])
    flags = dict(flag.removeprefix("--").split("=") for flag in made["command"])
    assert flags["model_config_file"] == "/config/models.config"
    assert flags["allow_version_labels_for_unavailable_models"] == "true"
    assert flags["enable_batching"] == "true"
    assert "monitoring_config_file" not in flags
    assert not (out / "config" / "monitoring.config").exists()


def test_settings(folders, tmp_path):
    out = tmp_path / "serving"
    code, told = run(
        *(folders / "dog", "--out", out, "--latest", 2, "--monitoring"),
        *("--no-publish", "--batch-size", 0, "--cpus", 1.5, "--memory", "512m"),
        *("--image", "registry.example:5000/serving:2@sha256", "--user", "1000:100"),
    )
    assert code == 0, told
    made = service(out)
    assert "ports" not in made
    whole = yaml.safe_load((out / "docker-compose.yaml").read_text())
    assert whole["networks"] == {"explainers": {"internal": True}}
    assert made["deploy"]["resources"]["limits"]["cpus"] == "1.5"
    assert made["user"] == "1000:100"
    flags = " ".join(made["command"])
    assert "batching" not in flags
    assert "labels" not in flags
    assert not (out / "config" / "batching.config").exists()
    (dog,) = parsed(out)
    assert dog.model_version_policy.latest.num_versions == 2
    monitoring = message("MonitoringConfig", MONITORING)()
    text_format.Parse((out / "config" / "monitoring.config").read_text(), monitoring)
    assert monitoring.prometheus_config.enable
    assert monitoring.prometheus_config.path == "/monitoring/prometheus/metrics"


def test_the_health_check_asks_the_server(models, store, tmp_path):
    """The command itself, at the port of the tests' server."""
    names = ("small", "plain")
    out = tmp_path / "serving"
    serve_config([ServedModel(path=models / name) for name in names], out)
    kind, *command = service(out)["healthcheck"]["test"]
    assert kind == "CMD"

    def healthy(port):
        # As `docker compose` replaces `$$`.
        here = [part.replace("$$", "$").replace("8501", port) for part in command]
        return subprocess.run(here, timeout=20, capture_output=True).returncode == 0

    with ConformanceServer(store) as server:
        port = server.rest.rpartition(":")[2]
        assert healthy(port)
        taken = store.loaded["plain"]
        store.loaded["plain"] = {}
        try:
            assert not healthy(port)
        finally:
            store.loaded["plain"] = taken
    assert not healthy(port)


def test_nothing_is_replaced_without_being_told_to(folders, tmp_path):
    out = tmp_path / "serving"
    assert run(folders / "dog", "--out", out)[0] == 0
    (out / ".env").write_text("KEEP=1\n")
    before = (out / "config" / "models.config").read_text()
    code, told = run(folders / "cat_2.b", "--out", out)
    assert code == 2
    assert "--force" in told
    assert (out / "config" / "models.config").read_text() == before
    assert run(folders / "cat_2.b", "--out", out, "--force")[0] == 0
    assert [one.name for one in parsed(out)] == ["cat_2.b"]
    assert (out / ".env").exists()


def test_a_failure_leaves_nothing(folders, tmp_path, monkeypatch):
    from keras_explainer.serving import serve_config as module

    write = module.__globals__["write_text"]

    def fails(path, text):
        if path.name == "docker-compose.yaml":
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setitem(module.__globals__, "write_text", fails)
    out = tmp_path / "serving"
    with pytest.raises(ExportError, match="No space left"):
        serve_config([ServedModel(path=folders / "dog")], out)
    assert not [path for path in out.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none"], "There is no folder"),
        (["dog/1"], "It is a version itself"),
        (["dog", "dog"], "one name"),
        (["a b=dog"], "letters, digits"),
        (["dog", "--version", "3"], "no complete version 3; it has 1, 2, 10"),
        (["dog", "--version", "11"], "no complete version 11"),
        (["dog", "--version", "x"], "whole number"),
        (["dog", "--label", "stable"], "LABEL=N"),
        (["dog", "--label", "a=1", "--label", "a=2"], "twice"),
        (["dog", "--label", "a/b=1"], "letters, digits"),
        (["dog", "cat_2.b", "--label", "stable=1"], "say of which model"),
        (["dog", "--label", "dgo:stable=1"], "no model 'dgo'. Nearest valid: dog"),
        (["dog", "--memory", "much"], "memory is something like"),
        (["dog", "--user", "root"], "user is something like"),
        (["dog", "--cpus", "0"], "cpus is above 0"),
        (["dog", "--grpc-port", "8501"], "both 8501"),
        (["dog", "--rest-port", "99999"], "1 to 65535"),
        (["dog", "--image", "a b"], "image is something like"),
    ],
)
def test_what_is_refused(folders, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(folders)
    out = tmp_path / "serving"
    code, told = run(*arguments, "--out", out)
    assert code == 2, told
    assert said in told
    assert not out.exists()


def test_files_that_the_server_could_not_read(folders, tmp_path):
    (folders / "dog" / "1" / "saved_model.pb").chmod(0o600)
    model = ServedModel(path=folders / "dog")
    with pytest.raises(ConfigError, match="chmod"):
        serve_config([model], tmp_path / "out")
    serve_config([model], tmp_path / "out", ServerSettings(user="1000:1000"))
    with pytest.raises(ConfigError, match="a model at least"):
        serve_config([], tmp_path / "out")
