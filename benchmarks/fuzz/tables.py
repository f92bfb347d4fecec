"""Part tables and configurations of the zoo: texts, damaged."""

from __future__ import annotations

import re
from pathlib import Path

import keras_explainer.zoo as zoo
import numpy as np
import yaml
from hypothesis import strategies as st
from keras_explainer.zoo.zoo_config import CONFIGS, ZooConfig
from PIL import Image

from benchmarks.fuzz.mutations import Draw, mutated_bytes, mutated_text, mutated_tree
from benchmarks.fuzz.target import Files, Target
from keras_explainer.datasets import ImageFolder

_CELLS = (
    *("", ",", ",,,,,,,,", '"', '""', '"\n"', "\r", "\t", ";", "\0", "\ufeff"),
    *(
        "nan",
        "inf",
        "-inf",
        "1e999",
        "-0",
        "1_0",
        "0x10",
        "1,5",
        "9" * 400,
        "٣",
        "1e-9",
    ),
    *("../a.png", "/etc/passwd", "a.png/../b.png", "b\\a.png", ".", "a.png ", "A.PNG"),
    *("train", "test", "TEST", "head_y", "head_x", "head_h", "_y", "file", "split"),
    *("=cmd|' /C calc'!A0", "@SUM(1)", "<b>", "x" * 140_000, "sub", "sub/../sub/c.png"),
)
_TABLE = """file,name,wnid,split,head_y,head_x,head_h,head_w,tail_y,tail_x
a.png,dog,n01,train,3.5,4,2,2,,
b.png,dog,n01,test,1,2,1,1,5,6
sub/c.png,cat,n02,train,,,,,0,7.25
sub/d.png,cat,n02,test,8,8,3,3,1,1
"""
_TABLES = (_TABLE, "file\na.png\nb.png\n", 'file,head_y,head_x\r\n"a.png",1,2\r\n')


class PartTables(Target):
    """`parts.csv`, and the folder of images that it describes."""

    name = "parts.csv"
    cases = 28_200
    chunk = 7_050
    seconds = 5.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
        (folder / "sub").mkdir(parents=True, exist_ok=True)
        for name in ("a.png", "b.png", "sub/c.png", "sub/d.png"):
            Image.fromarray(pixels).save(folder / name)

    def case(self, draw: Draw) -> Files:
        """A table beside four images."""
        text = draw(st.sampled_from(_TABLES))
        if draw(st.integers(0, 3)):
            text = mutated_text(draw, text, _CELLS)
        data = text.encode("utf-8", "surrogatepass")
        return {"parts.csv": mutated_bytes(draw, data) if draw(st.booleans()) else data}

    def read(self, folder: Path) -> None:
        """The folder by its table: every image stays inside, every centre is one."""
        images = ImageFolder(folder, image_size=(4, 4))
        record = images.split_record()
        for file in (*record["train"], *record["test"]):
            if not (folder / file).resolve().is_relative_to(folder.resolve()):
                raise AssertionError(f"{file} is outside")
        if set(record["train"]) & set(record["test"]):
            raise AssertionError("an image in both train and test")


_YAML = (
    *("&a [*a]", "{a: &a [x,x], b: &b [*a,*a], c: [*b,*b]}", "<<: *a", "? [a]\n: b"),
    *("!!python/object/apply:os.system ['true']", "!!binary aGk=", "!!set {a}", "!x y"),
    *("190:20:30", "1" + ":59" * 400, "0x" + "f" * 9_000, "9" * 5_000, "1e999"),
    *(
        ".inf",
        ".nan",
        "2001-02-30",
        "2001-01-01t0:0:0+99:99",
        "~",
        "yes",
        "0o17",
        "---",
    ),
    *("[" * 600, "{" * 600, "- " * 600, "\t", "'", '"', "%YAML 9.9", "name: name: x"),
    *(
        "input_shape: [1, 2]",
        "weights: []",
        "parameters: true",
        "x: |\n  " + "y" * 9_999,
    ),
)


class ZooConfigs(Target):
    """The zoo's YAML: 43 configurations, damaged as text and as trees."""

    name = "zoo YAML"
    cases = 5_000
    chunk = 1_250
    megabytes = 64
    seconds = 5.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.texts = [
            (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
            for name in zoo.ZooConfig.names()
        ]
        # The name must be that of the file, which is the same in all cases.
        self.texts = [re.sub("^name: .*", "name: x", text) for text in self.texts]
        self.trees = [yaml.safe_load(text) for text in self.texts]

    def case(self, draw: Draw) -> Files:
        """One configuration."""
        at = draw(st.integers(0, len(self.texts) - 1))
        if draw(st.booleans()):
            text = mutated_text(draw, self.texts[at], _YAML)
            return {"x.yaml": text.encode("utf-8", "surrogatepass")}
        tree = mutated_tree(draw, self.trees[at])
        try:
            return {"x.yaml": yaml.safe_dump(tree, allow_unicode=True).encode()}
        except (RecursionError, ValueError):  # too deep, or too many digits
            return {"x.yaml": b"a: " + b"[" * 900}

    def read(self, folder: Path) -> None:
        """The configuration, and the way back to values."""
        config = ZooConfig.read(folder / "x.yaml")
        config.model_dump(mode="json")
        config.tap.choice()
