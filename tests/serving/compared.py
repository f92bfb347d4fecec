"""Explanations of a server beside those of the process itself."""

from __future__ import annotations

import io
import math

from PIL import Image
from served_models import PARTS

from keras_explainer.results import Explanations


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def assert_same(found, expected, path="", largest=None):
    """Dicts of explanations: floats to 1e-5 relative, all else exactly.

    Errors of a sum, its ratio and what is said of it are of the size of rounding. What
    lies in an area is not served.
    """
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), path
        for key, value in expected.items():
            if key in ("completeness_error", "relative_error", "filters") and path:
                scale = abs(expected.get("change", 1.0)) or 1.0
                if key == "relative_error":
                    # Logits are rounded to 1e-6; the ratio is to their change.
                    accepted = 1e-5 + 2e-6 / scale
                else:
                    accepted = 1e-5 * scale + 2e-6
                if isinstance(value, float):
                    assert math.isclose(
                        found[key], value, rel_tol=1e-4, abs_tol=accepted
                    ), (path, key, found[key], value)
                    continue
            if key == "area_contribution":
                assert found[key] is None, path
                continue
            assert_same(found[key], value, f"{path}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for at, value in enumerate(expected):
            assert_same(found[at], value, f"{path}/{at}")
    elif isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=1e-5, abs_tol=1e-7), (
            path,
            found,
            expected,
        )
    else:
        assert found == expected, path


def first_parts(explanations: Explanations, count: int = PARTS):
    data = explanations.to_dict()
    for one in data["explanations"]:
        one["parts"] = one["parts"][:count]
    return data
