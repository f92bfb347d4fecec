"""Scenes and references for the tests of the figures."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """The slow references of the figures."""
    return load(ROOT / "tests" / "reference" / "score.py", "reference_score")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the photographs and of the figures' first definition."""
    folder = Path(os.environ.get("KERAS_EXPLAINER_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("KERAS_EXPLAINER_SHARED names no folder")
    return folder


@pytest.fixture(scope="session")
def shared_score(shared: Path) -> ModuleType:
    """The figures' first definition, where it is at hand."""
    if not (shared / "score.py").is_file():
        pytest.skip("score.py is not in KERAS_EXPLAINER_SHARED")
    return load(shared / "score.py", "shared_score")


def make_scene(
    seed: int,
    images: int = 40,
    shape: tuple[int, int] = (5, 7),
    filters: int = 6,
    parts: int = 2,
    size: tuple[int, int] = (120, 200),
    absent: float = 0.2,
    levels: int | None = None,
):
    """Maps, centres, size: some filters follow a part, one is dead, some silent."""
    rng = np.random.default_rng(seed)
    height, width = shape
    centres = rng.uniform(0, 1, (images, parts, 2)) * size
    maps = np.maximum(rng.normal(0, 1, (images, height, width, filters)), 0)
    for c in range(0, filters, 2):
        part = (c // 2) % parts
        for n in range(images):
            row = int(centres[n, part, 0] / size[0] * height)
            column = int(centres[n, part, 1] / size[1] * width)
            maps[n, row, column, c] += rng.uniform(2, 6)
    maps[rng.random(images) < 0.3, :, :, 1 % filters] = 0
    if filters > 3:
        maps[..., 3] = 0
    if filters > 4:
        # Not a ReLU's output: the definitions hold for it as well.
        maps[..., 4] -= 0.5
    if levels is not None:
        maps = np.round(maps / maps.max() * levels)
    centres[rng.random((images, parts)) < absent] = np.nan
    return maps, centres, size


SCENES = {
    "odd, not square": make_scene(0),
    "tied maxima": make_scene(1, levels=3),
    "tied at the strongest 100": make_scene(
        2, images=231, shape=(3, 2), filters=3, levels=4, absent=0.05
    ),
    "tall map, wide image": make_scene(3, shape=(8, 3), size=(90, 301)),
    "side divisible by beta": make_scene(4, shape=(8, 4), filters=5),
    "more images than features": make_scene(5, images=70, filters=2, parts=3),
    "part rarely shown": make_scene(6, images=36, absent=0.6, parts=3),
    "seven images": make_scene(7, images=7),
    "one image": make_scene(8, images=1),
    "one cell": make_scene(9, shape=(1, 1)),
    "one filter": make_scene(10, filters=1),
    "all dead": (lambda s: (s[0] * 0, *s[1:]))(make_scene(11)),
    "no part anywhere": (lambda s: (s[0], s[1] * np.nan, s[2]))(make_scene(12)),
    "silent on 99 of 100": (
        lambda s: (s[0] * (np.arange(100) == 4)[:, None, None, None], *s[1:])
    )(make_scene(13, images=100, shape=(2, 3), filters=3)),
}


@pytest.fixture(params=SCENES, scope="session")
def scene(request):
    """Maps (N, H, W, C), centres (N, P, 2), (height, width)."""
    return SCENES[request.param]


@pytest.fixture(scope="session")
def scene_maker():
    return make_scene


@pytest.fixture(
    params=[{}, {"jit_compile": True}, {"run_eagerly": True}],
    ids=["default", "jit", "eager"],
)
def compile_options(request):
    """Options of `compile` under which a metric must give the same."""
    if keras.backend.backend() == "torch" and "jit_compile" in request.param:
        pytest.skip("torch.compile takes a minute a metric")
    return request.param
