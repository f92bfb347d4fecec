"""A copy of the project to build from, and environments to install into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_OUT = (
    *(".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache"),
    *(".hypothesis", ".cache", "runs"),
)


def run(
    command: list[object], cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command that must succeed; its whole output stands in the failure."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**clean, "TF_CPP_MIN_LOG_LEVEL": "3", **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    shown = " ".join(str(part) for part in command)
    assert done.returncode == 0, f"{shown}\n{done.stdout}\n{done.stderr}"
    return done


def build(source: Path, out: Path, *kinds: str) -> list[Path]:
    """Builds distributions of `source` with this environment's setuptools."""
    run(
        [sys.executable, "-m", "build", *kinds, "--no-isolation", "-o", out, source],
        cwd=source,
        env={"SOURCE_DATE_EPOCH": "1767225600"},
    )
    return sorted(out.iterdir())


def project_copy(target: Path) -> Path:
    """The project as a fresh clone has it, without what builds and tests leave."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        found = shutil.ignore_patterns(*LEFT_OUT)(folder, names)
        # `runs` at the top is output; `runs` in the package is source.
        return set(found) - ({"runs"} if Path(folder) != ROOT else set())

    shutil.copytree(ROOT, target, ignore=left_out)
    return target


class Environment:
    """A virtual environment that also sees the packages of this one."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=os.name != "nt")
        scripts = "Scripts" if os.name == "nt" else "bin"
        self.folder = folder
        self.scripts = folder / scripts
        self.python = self.scripts / "python"
        told = run([self.python, "-c", _PURELIB], cwd=folder).stdout
        self.site = Path(told.strip())
        parents = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (self.site / "parent.pth").write_text("\n".join(sorted(parents)) + "\n")

    def install(self, *what: object) -> None:
        """`pip install` without the network and without dependencies."""
        run(
            [
                *(sys.executable, "-m", "pip", "--python", self.python, "install"),
                *("--quiet", "--no-index", "--no-deps", "--no-build-isolation"),
                *("--disable-pip-version-check", *what),
            ],
            cwd=self.folder,
        )

    def python_says(self, code: str, **env: str) -> str:
        """What `code` prints there, run outside the checkout."""
        return run([self.python, "-c", code], self.folder, env).stdout.strip()


_PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`{"sdist": …, "wheel": …}`; the wheel is built from the unpacked sdist."""
    source = project_copy(tmp_path_factory.mktemp("source") / "project")
    # Things that lie about in a working tree and must not be packed.
    for name in ("shared/photo.jpg", "runs/dog/weights.h5", "keras_explainer/a.tmp"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"not for users")
    built = build(source, tmp_path_factory.mktemp("dist"))
    return {
        "sdist": next(path for path in built if path.name.endswith(".tar.gz")),
        "wheel": next(path for path in built if path.suffix == ".whl"),
    }


@pytest.fixture(scope="session")
def installed(
    distributions: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """An environment with the wheel."""
    environment = Environment(tmp_path_factory.mktemp("wheel") / "venv")
    environment.install(distributions["wheel"])
    return environment


@pytest.fixture(scope="module")
def editable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Environment]:
    """A copy of the project, and an environment where it is installed editable."""
    folder = tmp_path_factory.mktemp("editable")
    copy, environment = project_copy(folder / "project"), Environment(folder / "venv")
    environment.install("--editable", copy)
    return copy, environment


@pytest.fixture
def new_environment(tmp_path: Path) -> Callable[[], Environment]:
    """Makes an empty environment."""
    return lambda: Environment(tmp_path / "venv")


@pytest.fixture
def new_copy(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a copy of the project under a name."""
    return lambda name: project_copy(tmp_path / name)


@pytest.fixture(scope="session")
def build_all() -> Callable[[Path, Path], list[Path]]:
    """`build_all(source, out)`: sdist and wheel of a source tree."""
    return build
