"""The seeded choice of test files."""

import hashlib
import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from keras_explainer.datasets.held_out import held_out

names = st.text(min_size=1, max_size=5)


@settings(max_examples=80, deadline=None)
@given(
    files=st.lists(names, min_size=1, max_size=30, unique=True),
    share=st.floats(0, 0.99),
    seed=st.integers(-3, 10**12),
    data=st.data(),
)
def test_shares_order_and_independence(files, share, seed, data):
    stratum = st.sampled_from("abc")
    strata = [data.draw(stratum) for _ in files]
    chosen = held_out(files, strata, share, seed)
    assert chosen <= set(files)
    for name, count in Counter(strata).items():
        if count < 2:
            continue
        mine = [f for f, s in zip(files, strata, strict=True) if s == name]
        taken = len(chosen & set(mine))
        if share == 0:
            assert taken == 0
        else:
            assert 1 <= taken <= count - 1
            assert abs(taken - share * count) <= 1
        assert held_out(mine, [name] * count, share, seed) == chosen & set(mine)
    order = data.draw(st.permutations(range(len(files))))
    again = held_out([files[i] for i in order], [strata[i] for i in order], share, seed)
    assert again == chosen


def test_the_ranking_is_sha256_of_seed_and_name():
    files = [f"{i}.jpg" for i in range(50)]
    ranked = sorted(files, key=lambda f: hashlib.sha256(f"7:{f}".encode()).digest())
    assert held_out(files, [""] * 50, 0.25, 7) == set(ranked[: math.floor(13)])


def test_single_file_strata_are_pooled():
    files = [f"{i}.jpg" for i in range(10)]
    assert len(held_out(files, files, 0.2, 0)) == 2
    assert held_out(["x"], ["x"], 0.5, 0) == set()
