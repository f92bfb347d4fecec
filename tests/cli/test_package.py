"""`import keras_explainer as kx`: its names, and that it is light."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import keras_explainer as kx

ROOT = Path(__file__).resolve().parents[2]


def modules_after(code: str, **environment: str) -> set[str]:
    """The modules that a new process has loaded after `code`."""
    code += "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_all_names_resolve_and_are_listed():
    for name in kx.__all__:
        assert getattr(kx, name) is not None
    assert sorted(kx.__all__) == sorted(set(kx.__all__))
    assert set(kx.__all__) <= set(dir(kx))
    for name in ("Teacher", "Explainer", "Recipe", "ImageFolder", "ImageArray"):
        assert inspect.isclass(getattr(kx, name)), name
    assert callable(kx.load)
    assert kx.runs.evaluate is importlib.import_module("keras_explainer.runs").evaluate


def test_every_room_is_a_name():
    """A new sub-package is added to the list, or named here with the reason."""
    rooms = {
        path.parent.name for path in (ROOT / "keras_explainer").glob("*/__init__.py")
    }
    # The command line needs typer, so that a star import must not load it; the
    # demonstration needs the zoo.
    assert rooms - {"cli", "demo"} <= set(kx.__all__)


def test_the_zoo_is_a_name_where_it_is_installed():
    if importlib.util.find_spec("keras_explainer.zoo") is None:
        assert not hasattr(kx, "zoo") and not hasattr(kx, "demo")
        pytest.skip("the package is not installed: zoo/ has no import name here")
    for name in ("zoo", "demo"):
        assert getattr(kx, name) is importlib.import_module(f"keras_explainer.{name}")


def test_star_import_gives_all_names():
    space: dict[str, object] = {}
    exec("from keras_explainer import *", space)
    assert set(kx.__all__) <= set(space)


def test_a_wrong_name_has_a_hint():
    with pytest.raises(AttributeError, match=r"no 'Explaner'.*Explainer"):
        _ = kx.Explaner
    assert not hasattr(kx, "nothing_of_the_kind")


def test_the_import_is_light():
    loaded = modules_after("import keras_explainer as kx; kx.__version__; dir(kx)")
    heavy = {"keras", "numpy", "tensorflow", "jax", "torch", "typer", "pydantic"}
    assert not heavy & loaded


def test_help_loads_no_backend():
    code = (
        "from typer.testing import CliRunner\n"
        "from keras_explainer.cli.main import app\n"
        "assert CliRunner().invoke(app, ['train', '--help']).exit_code == 0"
    )
    assert not {"keras", "tensorflow", "jax", "torch"} & modules_after(code)


def test_jax_needs_no_tensorflow_and_the_core_no_command_line():
    pytest.importorskip("jax")
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'typer', 'pydantic'): sys.modules[name] = None\n"
        "import keras_explainer as kx\n"
        "for name in kx.__all__: getattr(kx, name)\n"
        "for name in ('tensorflow', 'typer', 'pydantic'): del sys.modules[name]"
    )
    loaded = modules_after(code, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
    assert "jax" in loaded
    assert not {"tensorflow", "typer", "pydantic"} & loaded
