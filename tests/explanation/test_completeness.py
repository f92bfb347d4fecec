"""Contributions are complete, whatever the image: they add up to the change."""

from __future__ import annotations

import numpy as np
import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

pytestmark = pytest.mark.one_backend


@settings(max_examples=6)
@given(
    seed=st.integers(0, 2**31),
    contrast=st.sampled_from([4.0, 60.0, 127.0]),
    flat=st.booleans(),
)
def test_contributions_add_up_to_the_change(measured, seed, contrast, flat):
    random = np.random.default_rng(seed)
    images = random.uniform(-contrast, contrast, (2, 32, 40, 3)) + 127
    if flat:
        images[1] = images[1].mean()
    found = measured.explain(images.astype("float32"), k=6, steps=32, verbose=0)
    for one in found:
        shared = one.contributions
        kept = [part.contribution for part in one.parts]
        assert len(kept) == 5  # one filter is silent
        scale = sum(map(abs, kept)) + abs(shared.ordinary) + abs(shared.baseline)
        assert abs(shared.completeness_error) <= 0.01 * scale
        assert sum(kept) == pytest.approx(shared.filters, abs=1e-5 * scale)
        np.testing.assert_allclose(
            shared.filters + shared.ordinary - shared.completeness_error, shared.change
        )
