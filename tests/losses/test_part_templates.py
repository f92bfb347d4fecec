"""Part templates against the equation."""

from __future__ import annotations

import numpy as np
import pytest
from reference import part_mask as reference
from test_case import compiled, to_numpy

from keras_explainer.errors import ConfigError
from keras_explainer.losses import part_templates
from keras_explainer.losses.part_templates import template_tensor


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (8, 3), (1, 6), (14, 14)])
@pytest.mark.parametrize("beta", [4.0, 0.7, 20.0])
@pytest.mark.parametrize("tau", [None, 0.3])
def test_equal_reference(size, beta, tau):
    found = part_templates(*size, beta, tau)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, reference.templates(*size, beta, tau), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (14, 14)])
def test_tensor_equals_array(size):
    found = to_numpy(compiled(lambda: template_tensor(*size, 4.0, 0.3))())
    np.testing.assert_allclose(found, part_templates(*size, 4.0, 0.3), rtol=1e-6)


def test_peak_and_floor():
    templates = part_templates(5, 9)
    tau = 0.5 / 45
    np.testing.assert_allclose(np.diag(templates), tau, rtol=1e-6)
    assert (templates.argmax(1) == np.arange(45)).all()
    assert templates.min() == pytest.approx(-tau, rel=1e-6)


def test_wrong_arguments():
    for size in ((0, 3), (3, 0)):
        with pytest.raises(ConfigError, match="at least one cell"):
            part_templates(*size)
    for beta, tau in ((0, None), (4, 0.0), (-1, None), (4, -0.1)):
        with pytest.raises(ConfigError, match="above 0"):
            part_templates(3, 3, beta, tau)
