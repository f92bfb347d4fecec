"""The configurations of the zoo: complete, valid, and what bad ones are told."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from keras_explainer.zoo import ZooConfig, ZooRecord
from keras_explainer.zoo.zoo_config import CONFIGS, SCHEMA
from keras_explainer.zoo.zoo_record import UNVERIFIED, config_sha256
from keras_explainer.zoo.zoo_table import COLUMNS, markdown, zoo_rows

from keras_explainer.errors import ConfigError, ZooError
from keras_explainer.teachers.applications import (
    application_names,
    preprocessing_mode,
)
from keras_explainer.teachers.networks import NETWORKS

pytestmark = pytest.mark.one_backend
NAMES = ZooConfig.names()
ROOT = Path(__file__).resolve().parents[2]


def test_there_is_one_for_each_constructor() -> None:
    made = [ZooConfig.named(name).constructor for name in NAMES]
    assert sorted(made) == sorted([*application_names(), *NETWORKS])


@pytest.mark.parametrize("name", NAMES)
def test_configuration(name: str) -> None:
    config = ZooConfig.named(name)
    assert config.preprocessing == preprocessing_mode(config.constructor)
    assert config.weights, "a CNN without a public weights file"
    for weights in config.weights:
        assert weights.licence and weights.licence_source
        assert weights.sha256 is None or weights.md5 is None
    if config.decoder == "fc":
        assert len(config.targets or ()) == 2
    assert config.tap.layer is not None or config.tap.stride in (16, 32)


def plain(schema: Any) -> Any:
    """The schema with `allOf` of one reference, as pydantic 2.8 has it, as that one."""
    if isinstance(schema, list):
        return [plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: plain(part) for name, part in schema.items()}
    if [set(part) for part in found.get("allOf", [])] == [{"$ref"}]:
        found |= found.pop("allOf")[0]
    return found


def test_schema_is_current() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert plain(schema) == plain(json.loads(ZooConfig.schema_text())), (
        "run `keras-explainer zoo schema > zoo/config.schema.json`"
    )
    assert schema["additionalProperties"] is False


def changed(folder: Path, change) -> Path:
    content = yaml.safe_load((CONFIGS / "ResNet50.yaml").read_text())
    change(content)
    path = folder / "ResNet50.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(filterz=1), r"unknown key 'filterz'.*filters"),
        (lambda c: c["tap"].update(layr="a"), r"unknown key 'tap\.layr'.*layer"),
        (
            lambda c: c["weights"][0].update(licens="a"),
            r"unknown key 'weights\.0\.licens'.*licence",
        ),
        (lambda c: c.update(filters="many"), r"filters: .*integer, got 'many'"),
        (lambda c: c.update(filters=0), r"filters: .*greater than or equal to 1"),
        (lambda c: c.update(filters=True), r"filters: .*valid integer"),
        (lambda c: c.pop("licence"), r"licence is missing"),
        (lambda c: c.update(preprocessing="cafe"), r"preprocessing: .*'caffe'"),
        (lambda c: c.update(tap={}), r"either `layer`, or `stride` and `position`"),
        (lambda c: c.update(tap={"stride": 16}), r"go together"),
        (lambda c: c.update(name="../x"), r"name: "),
        (lambda c: c.update(name="ResNet51"), r"it must be the file's, 'ResNet50'"),
        (lambda c: c["weights"][0].update(file="../x.h5"), r"weights\.0\.file"),
        (lambda c: c["weights"][0].update(url="http://a/b"), r"weights\.0\.url"),
        (lambda c: c["weights"][0].update(sha256="0"), r"weights\.0\.sha256"),
    ],
)
def test_bad_configurations_name_file_key_and_what_is_accepted(
    tmp_path: Path, change, message: str
) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(ConfigError, match=message) as caught:
        ZooConfig.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1]", "a: [", "!!python/object:os.system {}"])
def test_files_that_are_no_configuration(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"x\.yaml"):
        ZooConfig.read(path)


def bomb(depth: int) -> str:
    """2 to the power of `depth` values in a line for each power."""
    lines = [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, depth)]
    return "\n".join(["a0: &a0 [x, x]", *lines, f"name: *a{depth - 1}"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(40), "aliases .* are not accepted"),
        ("a: &a [*a]", "aliases"),
        ("x: " + "y" * (256 << 10), "more than 256 KiB"),
        ("family: 0x" + "f" * 9_000, "too long to be written"),
        ("name: 0x" + "f" * 9_000, "too long to be written"),
        ("- 0x" + "f" * 9_000, "must hold keys and values"),
        ("licence: 1" + ":59" * 9_000, "too long to be written"),
        ("a: " + "[" * 20_000, "cannot be read"),
        ("when: 2001-02-30", "cannot be read"),
        ("!!python/object/apply:os.system ['exit 9']", "could not determine"),
    ],
    ids=lambda value: value[:12],
)
def test_hostile_yaml_is_refused_at_once(tmp_path, text: str, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    start = time.process_time()
    with pytest.raises(ConfigError, match=message) as caught:
        ZooConfig.read(path)
    assert time.process_time() - start < 10
    assert len(str(caught.value)) < 5_000


@pytest.mark.parametrize("name", ["ResNet51", "resnet50", "../x", "/etc/passwd", ""])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ZooError, match="The zoo has no CNN"):
        ZooConfig.named(name)
    if name:
        with pytest.raises(ZooError, match=r"ResNet50|Valid|Nearest"):
            ZooConfig.named(name)


# Records and the table


def record(**changes) -> ZooRecord:
    values = {
        "name": "ResNet50",
        "status": "passed",
        "date": "2026-01-01",
        "config_sha256": config_sha256("ResNet50"),
        "weights": "random",
        "versions": {"keras": "3", "backend": "x", "backend_version": "1"},
        "machine": {},
        "figures": {"cut_difference": 1e-6, "seconds": 3.0},
    }
    return ZooRecord(**{**values, **changes})


def test_a_record_comes_back_and_knows_when_it_is_current(tmp_path: Path) -> None:
    made = record()
    made.write(tmp_path)
    assert ZooRecord.read("ResNet50", tmp_path) == made
    assert ZooRecord.read("ResNet101", tmp_path) is None
    assert made.is_current(made.versions)
    assert not made.is_current({**made.versions, "keras": "4"})
    assert not record(status="failed").is_current(made.versions)
    assert not record(config_sha256="0").is_current(made.versions)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema_version": 9}'])
def test_damaged_records(tmp_path: Path, text: str) -> None:
    (tmp_path / "ResNet50.json").write_text(text)
    with pytest.raises(ZooError, match="verify ResNet50 again"):
        ZooRecord.read("ResNet50", tmp_path)


def test_what_was_not_measured_reads_unverified(tmp_path: Path) -> None:
    (row,) = zoo_rows("ResNet50V2", records=tmp_path)
    cells = dict(zip(COLUMNS, row.cells(), strict=True))
    assert cells["status"] == cells["seconds"] == cells["GiB"] == UNVERIFIED
    # A record of another configuration proves nothing about this one.
    record(config_sha256="0").write(tmp_path)
    rows = {row.config.name: row for row in zoo_rows("ResNet50", records=tmp_path)}
    assert rows["ResNet50"].status == UNVERIFIED
    record().write(tmp_path)
    rows = {row.config.name: row for row in zoo_rows("ResNet50", records=tmp_path)}
    assert rows["ResNet50"].status == "passed"
    assert dict(zip(COLUMNS, rows["ResNet50"].cells(), strict=True))["GiB"] == (
        UNVERIFIED
    )


def test_patterns() -> None:
    def found(pattern: str) -> list[str]:
        return [row.config.name for row in zoo_rows(pattern)]

    assert found("vgg") == ["VGG-M", "VGG-S", "VGG16", "VGG19"]
    assert found("resnet50*") == ["ResNet50", "ResNet50V2"]
    assert found("inception") == ["InceptionResNetV2", "InceptionV3"]
    with pytest.raises(ZooError, match=r"matches 'ResNt50'.*ResNet50"):
        zoo_rows("ResNt50")


def test_the_documents_table_is_that_of_the_records() -> None:
    text = (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8")
    assert markdown(zoo_rows()) in text, "run `python -m benchmarks.zoo_table`"


def test_shipped_records_are_of_the_shipped_configurations() -> None:
    for row in zoo_rows():
        if row.record is not None:
            assert row.is_current, f"{row.config.name}: verify it again"
            assert row.record.figures["parameters"] == row.config.parameters
