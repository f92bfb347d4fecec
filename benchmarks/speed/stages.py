"""Each stage from file to export: its floor, what we reach."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from PIL import Image

from benchmarks.speed import cases
from benchmarks.speed.flops import work_of
from benchmarks.speed.machine import alternate_with_rates
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.feature_sequence import FeatureSequence
from keras_explainer.datasets.image_array import ImageArray
from keras_explainer.datasets.image_reader import ImageReader
from keras_explainer.datasets.views import ViewSpec
from keras_explainer.explanation.path_gradients import PathGradients
from keras_explainer.export import saved_model

PHOTOGRAPH = (375, 500)


def measure(count: int, repeats: int) -> dict[str, Any]:
    """Seconds of each stage for `count` images of MobileNet, beside its floor."""
    with tempfile.TemporaryDirectory() as folder:
        return {"images": count, **_stages(Path(folder), count, repeats)}


def _stages(folder: Path, count: int, repeats: int) -> dict[str, Any]:
    owner = cases.teacher("MobileNet")
    made = cases.explainer(owner)
    pictures = cases.images(count, owner.input_shape)
    source = ImageArray(pictures)
    views = ViewSpec(count=2, seed=0)
    cache = FeatureCache.build(owner, source, views)
    size = sum(a.nbytes for a in (cache.tap, *cache.targets.values()))
    sequence = FeatureSequence(cache, 16)
    made.train_on_batch(*sequence[0])  # targets and optimiser are there
    places = iter(range(1_000_000))
    files = _photographs(folder, count)
    reader = ImageReader(owner.input_shape[:2])

    def write() -> None:
        place = folder / f"cache{next(places)}"
        FeatureCache.build(owner, source, views, directory=place)

    def plain_write() -> None:
        with (folder / "plain").open("wb") as file:
            cache.tap.tofile(file)
            for array in cache.targets.values():
                array.tofile(file)

    def read() -> None:
        for index in range(len(sequence)):
            sequence[index]

    found, rates = alternate_with_rates(
        {
            "decode": lambda: reader.read_many(files),
            "decode alone": lambda: _decoded(files),
            "teacher forward": lambda: owner.extract(pictures),
            "cache in memory": lambda: FeatureCache.build(owner, source, views),
            "cache on disk": write,
            "plain write": plain_write,
            "cache read": read,
            "evaluate": lambda: made.evaluate(cache, verbose=0),
            "explain": lambda: made.explain(pictures, verbose=0),
        },
        repeats,
    )
    teacher = rates.floor(cases.teacher_work(owner, count))
    start = time.perf_counter()
    saved_model(made, folder / "export")
    seconds = time.perf_counter() - start
    written = sum(f.stat().st_size for f in (folder / "export").rglob("*.*"))
    rows = {
        "decode": (found["decode"], found["decode alone"]),
        "teacher forward": (found["teacher forward"], teacher),
        "cache write": (
            max(found["cache on disk"] - found["cache in memory"], 1e-9),
            found["plain write"],
        ),
        "cache read": (found["cache read"], 2 * size / rates.memory),
        "evaluate": (found["evaluate"], _evaluate_floor(made, sequence, rates)),
        "explain": (found["explain"], teacher + _explain_floor(made, cache, rates)),
        "export": (seconds, found["plain write"] * written / size),
    }
    return {
        "rates": rates.to_dict(),
        "stages": {
            name: {"seconds": reached, "floor": floor, "reached": floor / reached}
            for name, (reached, floor) in rows.items()
        },
    }


def _photographs(folder: Path, count: int) -> list[str]:
    files = []
    for index, image in enumerate(cases.images(count, PHOTOGRAPH, seed=1)):
        files.append(str(folder / f"{index}.jpg"))
        Image.fromarray(image).save(files[-1], quality=90)
    return files


def _decoded(files: list[str]) -> None:
    """The decoder alone, two at a time, nothing resized."""
    dataset = tf.data.Dataset.from_tensor_slices(files).map(
        lambda file: tf.io.decode_jpeg(tf.io.read_file(file)), 2
    )
    for _ in dataset:
        pass


def _evaluate_floor(made: Any, sequence: FeatureSequence, rates: Any) -> float:
    tensors = keras.tree.map_structure(ops.convert_to_tensor, sequence[0])
    work = work_of(lambda x, y: made.test_step((x, y)), *tensors)
    return len(sequence.cache) / len(sequence[0][0]["boxes"]) * rates.floor(work)


def _explain_floor(made: Any, cache: FeatureCache, rates: Any) -> float:
    """Explainer once; for each point of the path the head's side, there and back."""
    tap = ops.convert_to_tensor(cache.tap[:16, 0])
    encoding = made(tap, training=False)["encoding"]
    last = list(made.teacher.targets)[-1]

    def answer(z: Any) -> Any:
        return made.teacher.head(made.decode(z)[last])["logits"]

    once = rates.floor(work_of(lambda x: made(x, training=False), tap))
    steps = PathGradients.of(made).steps
    path = 2 * steps * rates.floor(work_of(answer, encoding))
    return len(cache) / len(tap) * (once + path)
