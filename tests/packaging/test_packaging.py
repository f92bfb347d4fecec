"""The built wheel, the source distribution and the editable install."""

from __future__ import annotations

import email
import json
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keras_explainer.version import __version__

ROOT = Path(__file__).parents[2]
SOURCES = {
    *(
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("keras_explainer/**/*.py")
    ),
    "keras_explainer/py.typed",
    "keras_explainer/results/explanations.schema.json",
    "keras_explainer/results/summary.schema.json",
    *(
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("keras_explainer/report/templates/*")
    ),
}
ZOO = {
    "keras_explainer/" + path.relative_to(ROOT).as_posix()
    for pattern in ("*.py", "*.yaml", "*.json", "*.keras")
    for path in ROOT.glob(f"zoo/**/{pattern}")
}


@pytest.fixture(scope="module")
def wheel_names(distributions: dict[str, Path]) -> set[str]:
    with zipfile.ZipFile(distributions["wheel"]) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(distributions: dict[str, Path]) -> Any:
    with zipfile.ZipFile(distributions["wheel"]) as archive:
        name = f"keras_explainer-{__version__}.dist-info/METADATA"
        return email.message_from_bytes(archive.read(name))


def test_wheel_holds_the_package_and_nothing_else(wheel_names: set[str]) -> None:
    information = f"keras_explainer-{__version__}.dist-info/"
    files = {name for name in wheel_names if not name.startswith(information)}
    assert files == SOURCES | ZOO
    assert "keras_explainer/zoo/__init__.py" in files
    assert information + "licenses/LICENSE" in wheel_names


def test_sdist_holds_what_the_wheel_is_built_from(
    distributions: dict[str, Path],
) -> None:
    with tarfile.open(distributions["sdist"]) as archive:
        names = {
            member.name.partition("/")[2]
            for member in archive.getmembers()
            if member.isfile()
        }
    generated = {
        name for name in names if name.startswith("keras_explainer.egg-info/")
    } | {"PKG-INFO", "setup.cfg"}
    zoo = {name.removeprefix("keras_explainer/") for name in ZOO}
    assert names - generated == SOURCES | zoo | {
        *("CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md"),
        *("pyproject.toml", "setup.py"),
    }


def test_git_keeps_every_source_file() -> None:
    """An ignore pattern must not reach into the package: a clone would lack it."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no git checkout")
    packed = SOURCES | {name.removeprefix("keras_explainer/") for name in ZOO}
    tests = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/**/*.py")}
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "check-ignore", "--stdin"],
        cwd=ROOT,
        input="\n".join(sorted(packed | tests)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, f"git ignores:\n{done.stdout}{done.stderr}"


def test_metadata(metadata: Any) -> None:
    assert metadata["Name"] == "keras-explainer"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11,<3.14"
    assert "# keras" in metadata.get_payload().lower()
    assert set(metadata.get_all("Provides-Extra")) == {
        *("report", "serving", "dataset", "spark", "onnx", "jax", "torch", "dev"),
        *("keras-hub", "browser", "docs", "tensorboard"),
    }


def test_stated_floors_are_the_tested_ones(metadata: Any) -> None:
    """What users read is in `requirements-floor.lock`, for `make test-floor`."""
    lock = (ROOT / "requirements-floor.lock").read_text()
    tested = dict(re.findall(r"^([\w-]+)==([\d.]+)$", lock, re.MULTILINE))
    stated = {}
    for line in metadata.get_all("Requires-Dist"):
        found = re.fullmatch(r"([\w-]+)>=([\d.]+)(; extra == .(jax).)?", line)
        if found:
            stated[found[1]] = found[2]
    assert {"keras", "tensorflow", "numpy", "typer", "pydantic", "jax"} <= set(stated)
    for name, floor in stated.items():
        assert tested[name] == floor or tested[name].startswith(floor + "."), name


def test_locked_versions_satisfy_the_stated_ones(metadata: Any) -> None:
    packaging = pytest.importorskip("packaging.requirements")
    lock = (ROOT / "requirements-dev.lock").read_text()
    locked = {
        name.lower().replace("_", "-"): version
        for name, version in re.findall(r"^([\w.-]+)==([\w.+]+)$", lock, re.MULTILINE)
    }
    for line in metadata.get_all("Requires-Dist"):
        requirement = packaging.Requirement(line)
        extra = re.search(r"extra == .(\w+)", str(requirement.marker or ""))
        if extra and extra[1] not in ("dev", "jax", "report"):
            continue
        version = locked[requirement.name.lower().replace("_", "-")]
        assert requirement.specifier.contains(version), line


def test_distributions_are_the_same_bytes_when_built_again(
    distributions: dict[str, Path],
    new_copy: Callable[[str], Path],
    build_all: Callable[[Path, Path], list[Path]],
    tmp_path: Path,
) -> None:
    """Elsewhere, later, and without what lay about in the first tree."""
    second = new_copy("second place")
    for path in second.rglob("*.py"):
        path.touch()
    one = [distributions["wheel"], distributions["sdist"]]
    other = build_all(second, tmp_path / "other")
    assert [path.suffix for path in other] == [".whl", ".gz"]
    for mine, theirs in zip(one, other, strict=True):
        assert mine.name == theirs.name
        assert mine.read_bytes() == theirs.read_bytes(), mine.name


@pytest.fixture(scope="module")
def told(installed: Any) -> dict[str, Any]:
    """What a process with the wheel says of it; it imports all modules, and the hub."""
    said = installed.python_says(
        """
import importlib, importlib.metadata, importlib.resources, importlib.util, json, pkgutil
import keras_explainer, keras_explainer.zoo
files = importlib.resources.files
found = {
    "package": keras_explainer.__file__,
    "zoo": keras_explainer.zoo.__file__,
    "version": keras_explainer.__version__,
    "installed version": importlib.metadata.version("keras-explainer"),
    "typed": files("keras_explainer").joinpath("py.typed").is_file(),
    "zoo files": files("keras_explainer.zoo").joinpath("__init__.py").is_file(),
    "commands": {
        entry.name: entry.value
        for entry in importlib.metadata.distribution("keras-explainer").entry_points
    },
    "modules": [],
    "hub": None,
}
for module in pkgutil.walk_packages(keras_explainer.__path__, "keras_explainer."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
    found["modules"].append(module.name)
if importlib.util.find_spec("tensorflow_hub"):
    try:
        found["hub"] = importlib.import_module("tensorflow_hub").__version__
    except ImportError as error:
        found["hub"] = repr(error)
print(json.dumps(found))
"""
    )
    return json.loads(said.splitlines()[-1])


def test_installed_wheel(installed: Any, told: dict[str, Any]) -> None:
    site = installed.site / "keras_explainer"
    assert Path(told["package"]) == site / "__init__.py"
    assert Path(told["zoo"]) == site / "zoo" / "__init__.py"
    assert told["version"] == told["installed version"] == __version__
    assert told["typed"]
    assert told["zoo files"]
    assert told["commands"] == {"keras-explainer": "keras_explainer.cli.main:main"}
    # A top-level `zoo`, `tests` or `benchmarks` would clash with other projects.
    tops = {path.name for path in installed.site.iterdir()} - {"parent.pth"}
    assert tops == {"keras_explainer", f"keras_explainer-{__version__}.dist-info"}


def test_every_module_of_the_wheel_imports(told: dict[str, Any]) -> None:
    expected = {
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for name in SOURCES | ZOO
        if name.endswith(".py")
    }
    assert set(told["modules"]) == expected - {"keras_explainer"}


def test_command_is_installed(installed: Any) -> None:
    command = installed.scripts / "keras-explainer"
    told = installed.python_says(
        "import subprocess; "
        f"told = subprocess.check_output([{str(command)!r}, '--help'], text=True); "
        "print(told)"
    )
    assert {"train", "evaluate", "explain"} <= set(re.findall(r"\w+", told))


def test_tensorflow_hub_imports_beside_the_locked_setuptools(
    told: dict[str, Any],
) -> None:
    """tensorflow-hub 0.16.1 needs `pkg_resources`, which setuptools 82 dropped."""
    if told["hub"] is None:
        pytest.skip("tensorflow-hub is not installed")
    assert re.fullmatch(r"[\d.]+", told["hub"]), told["hub"]


def test_editable_install_works_from_the_checkouts_root(
    editable: tuple[Path, Any],
) -> None:
    """There the folder `keras_explainer` is found before the installed one."""
    copy, environment = editable
    code = (
        f"import os; os.chdir({str(copy)!r}); import sys; sys.path.insert(0, ''); "
        "import keras_explainer.zoo as zoo; print(zoo.__file__)"
    )
    assert Path(environment.python_says(code)) == copy / "zoo" / "__init__.py"


def test_editable_install_follows_the_checkout(editable: tuple[Path, Any]) -> None:
    copy, environment = editable
    code = (
        "import keras_explainer.zoo as zoo, keras_explainer.version as version; "
        "import importlib.resources as r; "
        "print(zoo.__file__, version.__version__, "
        "r.files('keras_explainer.zoo').joinpath('new.yaml').is_file())"
    )
    told = environment.python_says(code)
    assert told == f"{copy / 'zoo' / '__init__.py'} {__version__} False"

    (copy / "zoo" / "new.yaml").write_text("a: 1\n")
    (copy / "zoo" / "entry.py").write_text("NAME = 'new module'\n")
    (copy / "keras_explainer" / "version.py").write_text("__version__ = '9.9'\n")
    more = "; from keras_explainer.zoo.entry import NAME; print(NAME)"
    told, name = environment.python_says(code + more).splitlines()
    assert told.endswith("__init__.py 9.9 True")
    assert name == "new module"


def test_build_says_so_where_the_version_is_missing(
    new_copy: Callable[[str], Path], new_environment: Callable[[], Any]
) -> None:
    copy, environment = new_copy("project"), new_environment()
    (copy / "keras_explainer" / "version.py").write_text("")
    with pytest.raises(AssertionError, match=r"version\.py states no __version__"):
        environment.install(copy)
