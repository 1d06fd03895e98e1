from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slates import N_ITEMS, filled, groups, nobody, slates, values

from accord.core.errors import InputError
from accord.core.slate import EMPTY, Slate
from accord.rerank.caps import Cap, Caps


def fits(item, chosen, caps):
    """Whether the item may join the chosen ones under every ``(codes by item, most)``."""
    return all(
        all(sum(code in codes[other] for other in chosen) < most for code in codes[item]) for codes, most in caps
    )


@given(slates(), values, values, st.integers(1, 3), st.integers(1, 3), st.integers(0, 8))
def test_caps_hold_and_nothing_that_fits_is_left_out(slate, brands, makers, few, some, n):
    caps = [(brands, few), (makers, some)]
    made = Caps([Cap(groups(codes), most) for codes, most in caps], n)(nobody(slate), slate)
    assert made.items.shape == (len(slate), n)
    for row in range(len(slate)):
        before, chosen = filled(slate, row), filled(made, row)
        for codes, most in caps:
            assert max(Counter(code for item in chosen for code in codes[item]).values(), default=0) <= most
        assert chosen == [item for item in before if item in chosen]  # best first, as before
        for place, item in enumerate(before):
            ahead = [other for other in chosen if before.index(other) < place]
            assert (item in chosen) == (len(ahead) < n and fits(item, ahead, caps))


@given(slates(), values, st.integers(1, 2), st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=3))
def test_reserved_items_count_and_are_not_taken_again(slate, codes, most, held):
    reserved = np.tile(np.array([*held, EMPTY], np.int32), (len(slate), 1))
    made = Caps([Cap(groups(codes), most)], N_ITEMS, reserved)(nobody(slate), slate)
    for row in range(len(slate)):
        chosen = filled(made, row)
        assert not set(chosen) & set(held)
        for code, count in Counter(code for item in chosen for code in codes[item]).items():
            assert count + sum(code in codes[item] for item in held) <= most


@given(slates(), st.integers(0, 15))
def test_without_caps_the_head_of_the_list_stays(slate, n):
    made = Caps([], n)(nobody(slate), slate)
    for row in range(len(slate)):
        assert filled(made, row) == filled(slate, row)[:n]


def test_columns_and_facts_move_with_their_items():
    slate = Slate(
        np.array([[4, 7, 2, EMPTY]], np.int32),
        {"score": np.array([[3.0, 2.0, 1.0, np.nan]], np.float32)},
        {"eligible": np.array([3.0])},
    )
    codes = groups([[0] if item in (4, 7) else [] for item in range(8)])
    made = Caps([Cap(codes, 1)], 3)(nobody(slate), slate)
    assert made.items.tolist() == [[4, 2, EMPTY]]
    assert made.column("score")[0, :2].tolist() == [3.0, 1.0]
    assert np.isnan(made.column("score")[0, 2])
    assert made.facts["eligible"].tolist() == [3.0]


def test_a_cap_of_none_is_refused():
    with pytest.raises(InputError, match="at least one item"):
        Cap(groups([[]]), 0)
