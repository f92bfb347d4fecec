"""The distribution `keras-explainer`; tools are set up in `pyproject.toml`."""

from __future__ import annotations

import gzip
import os
import re
import tarfile
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent


def version() -> str:
    """The version as `keras_explainer/version.py` states it, read without import."""
    text = (ROOT / "keras_explainer" / "version.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise RuntimeError("keras_explainer/version.py states no __version__.")
    return found[1]


def packages() -> list[str]:
    """`keras_explainer` and its rooms, and the folder `zoo` under its import name."""
    zoo = ["keras_explainer.zoo"]
    zoo += [f"keras_explainer.zoo.{name}" for name in find_packages("zoo")]
    return find_packages(include=["keras_explainer", "keras_explainer.*"]) + zoo


class ReproducibleSdist(sdist):
    """With SOURCE_DATE_EPOCH set, the same sources give the same archive, byte by byte.

    setuptools' own holds the times and owners of the files, and that of the build.
    """

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, **owners):
        time = os.environ.get("SOURCE_DATE_EPOCH")
        if format != "gztar" or time is None or root_dir is not None:
            return super().make_archive(
                base_name, format, root_dir=root_dir, base_dir=base_dir, **owners
            )

        def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.mtime, member.uid, member.gid = int(time), 0, 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() else 0o644
            return member

        path = Path(f"{base_name}.tar.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            path.open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=int(time)) as packed,
            tarfile.open(
                fileobj=packed, mode="w", format=tarfile.PAX_FORMAT
            ) as archive,
        ):
            # `add` goes through folders in sorted order.
            archive.add(base_dir, filter=plain)
        return str(path)


setup(
    name="keras-explainer",
    version=version(),
    description=(
        "Explains a frozen Keras CNN by filters that each follow one object part, "
        "learned without labels (arXiv 1805.07468)."
    ),
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The keras_explainer authors",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["keras", "explainability", "interpretability", "cnn", "object parts"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11,<3.14",
    packages=packages(),
    package_dir={
        "keras_explainer": "keras_explainer",
        "keras_explainer.zoo": "zoo",
    },
    package_data={
        "keras_explainer": ["py.typed", "results/*.schema.json", "report/templates/*"],
        "keras_explainer.zoo": ["**/*.yaml", "**/*.json", "**/*.keras"],
    },
    include_package_data=False,
    zip_safe=False,
    cmdclass={"sdist": ReproducibleSdist},
    entry_points={
        "console_scripts": ["keras-explainer=keras_explainer.cli.main:main"],
    },
    install_requires=[
        "keras>=3.12",
        "tensorflow>=2.18",
        "tensorflow-hub>=0.16.1",
        # tensorflow-hub 0.16.1 imports pkg_resources, which setuptools 82 dropped.
        "setuptools<82",
        "numpy>=1.26",
        "h5py>=3.11",
        "Pillow>=10.1",
        "typer>=0.20",
        "rich>=14.3",
        "pydantic>=2.8",
        "PyYAML>=6.0",
    ],
    extras_require={
        "report": ["matplotlib>=3.8", "jinja2>=3.1"],
        "browser": ["playwright>=1.49"],
        "docs": ["mkdocs-material>=9.6", "mkdocstrings[python]>=0.29"],
        "tensorboard": ["tensorboard>=2.18"],
        "serving": ["tensorflow-serving-api>=2.18"],
        "dataset": ["pyarrow>=15.0"],
        # PySpark 4.3 does not take pandas 3 yet.
        "spark": ["pyspark>=4.0", "pyarrow>=15.0", "pandas>=2.2,<3"],
        "onnx": ["tf2onnx>=1.17", "onnx>=1.16", "onnxruntime>=1.20"],
        "jax": ["jax>=0.4.34"],
        "torch": ["torch>=2.13"],
        "keras-hub": ["keras-hub>=0.20"],
        "dev": [
            "build>=1.2",
            "hypothesis>=6.100",
            "import-linter>=2.5",
            "jsonschema>=4.20",
            "mypy>=1.15",
            "pyarrow>=15.0",
            "pytest>=8.3",
            "pytest-xdist>=3.6",
            "ruff>=0.15",
            "scikit-learn>=1.5",
            "scipy>=1.13",
            "setuptools>=77",
            "tensorflow-serving-api>=2.18",
            "tensorboard>=2.18",
            "types-PyYAML",
            "wheel>=0.43",
            "mkdocs-material>=9.6",
            "mkdocstrings[python]>=0.29",
        ],
    },
)
