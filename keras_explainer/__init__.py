"""Explains a frozen Keras CNN by filters that each follow one object part.

```python
import keras_explainer as kx

teacher = kx.Teacher.from_applications("MobileNet", weights=path, tap="conv_pw_11_relu")
explainer = kx.Explainer(teacher)
explainer.compile(optimizer="adam")
explainer.fit(images)
```

The import is light: a name is loaded when it is first used, and nothing here imports
TensorFlow or the command line's packages.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from keras_explainer.version import __version__

if TYPE_CHECKING:
    from keras_explainer import (
        batch_inference,
        datasets,
        errors,
        explainer,
        explanation,
        export,
        layers,
        losses,
        metrics,
        results,
        runs,
        serving,
        teachers,
    )
    from keras_explainer.datasets import ImageArray, ImageFolder
    from keras_explainer.datasets.feature_cache import FeatureCache
    from keras_explainer.datasets.views import ViewSpec
    from keras_explainer.explainer import Explainer, Recipe, load
    from keras_explainer.explanation.compare import compare
    from keras_explainer.teachers import Teacher

_OBJECTS = {
    "Explainer": "keras_explainer.explainer",
    "FeatureCache": "keras_explainer.datasets.feature_cache",
    "ImageArray": "keras_explainer.datasets",
    "ImageFolder": "keras_explainer.datasets",
    "Recipe": "keras_explainer.explainer",
    "Teacher": "keras_explainer.teachers",
    "ViewSpec": "keras_explainer.datasets.views",
    "compare": "keras_explainer.explanation",
    "load": "keras_explainer.explainer",
}
_PACKAGES = (
    "batch_inference",
    "callbacks",
    "datasets",
    "errors",
    "explainer",
    "explanation",
    "export",
    "layers",
    "losses",
    "metrics",
    "plot",
    "report",
    "results",
    "runs",
    "serving",
    "teachers",
)
# `zoo/` gets its import name when the package is installed, and the demonstration needs
# it: no part of `__all__`, so that a star import works in the source tree too.
_INSTALLED = ("demo", "zoo")

__all__ = [
    "Explainer",
    "FeatureCache",
    "ImageArray",
    "ImageFolder",
    "Recipe",
    "Teacher",
    "ViewSpec",
    "__version__",
    "batch_inference",
    "callbacks",
    "compare",
    "datasets",
    "errors",
    "explainer",
    "explanation",
    "export",
    "layers",
    "load",
    "losses",
    "metrics",
    "plot",
    "report",
    "results",
    "runs",
    "serving",
    "teachers",
]


def __getattr__(name: str) -> Any:
    if name in _OBJECTS:
        value = getattr(importlib.import_module(_OBJECTS[name]), name)
    elif name in _PACKAGES or (
        name in _INSTALLED and importlib.util.find_spec(f"{__name__}.zoo")
    ):
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        from keras_explainer.errors import did_you_mean

        raise AttributeError(
            f"keras_explainer has no {name!r}. {did_you_mean(name, __all__)}"
        )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
