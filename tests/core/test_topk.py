import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from accord.core.slate import EMPTY
from accord.core.topk import top_k

finite = st.floats(-(2.0**100), 2.0**100, width=32)
few_values = st.sampled_from([-2.0, -0.0, 0.0, 1.0, 1e-40, float("-inf")])


def score_tables(elements):
    shapes = st.tuples(st.integers(0, 4), st.integers(0, 60))
    return shapes.flatmap(lambda shape: arrays.arrays(np.float32, shape, elements=elements))


def keys_of(scores, seed=0):
    return np.random.default_rng(seed).integers(0, 1 << 40, len(scores))


@given(score_tables(finite) | score_tables(few_values), st.integers(0, 70))
def test_the_values_are_those_of_a_full_sort(scores, k):
    items, values = top_k(scores, k, keys_of(scores))
    assert items.dtype == np.int32
    assert values.dtype == np.float32
    best = -np.sort(-scores, axis=1)[:, :k]
    hidden = np.isneginf(best)
    assert np.array_equal(values, np.where(hidden, np.nan, best), equal_nan=True)
    assert np.array_equal(items == EMPTY, hidden)


@given(score_tables(few_values), st.integers(1, 70))
def test_each_item_is_picked_once_and_has_its_own_score(scores, k):
    items, values = top_k(scores, k, keys_of(scores))
    for row, (picked, value) in enumerate(zip(items, values, strict=True)):
        shown = picked[picked != EMPTY]
        assert len(set(shown.tolist())) == len(shown)
        assert np.array_equal(scores[row, shown], value[: len(shown)])


@given(score_tables(few_values), st.integers(1, 30), st.integers(0, 1000))
def test_a_row_does_not_depend_on_its_batch(scores, k, seed):
    keys = keys_of(scores, seed)
    together, _ = top_k(scores, k, keys)
    for row in range(len(scores)):
        alone, _ = top_k(scores[row : row + 1], k, keys[row : row + 1])
        assert np.array_equal(alone[0], together[row])


@pytest.mark.parametrize("n", [3, 7, 40, 1000])
def test_ties_are_drawn_uniformly_over_keys(n):
    scores = np.zeros((3000, n), np.float32)
    scores[:, 3:] = -1
    items, _ = top_k(scores, 1, np.random.default_rng(5).integers(0, 1 << 40, 3000))
    share = np.bincount(items[:, 0], minlength=3)[:3] / 3000
    assert items.max() < 3
    assert np.abs(share - 1 / 3).max() < 0.035  # four standard errors


def test_tied_items_are_ordered_at_random_too():
    scores = np.zeros((2000, 2), np.float32)
    items, _ = top_k(scores, 2, np.arange(2000))
    assert abs((items[:, 0] == 0).mean() - 0.5) < 0.05


def test_ties_at_the_cut_of_a_long_row_leave_the_clear_winners_alone():
    scores = np.zeros((50, 5000), np.float32)
    scores[:, [17, 4000]] = 2.0, 1.0
    items, values = top_k(scores, 10, np.arange(50))
    assert (items[:, :2] == [17, 4000]).all()
    assert (values[:, 2:] == 0).all()
    assert len(np.unique(items[:, 2:])) > 300  # the other eight places are drawn from all that tie


def test_more_is_asked_than_there_is():
    items, values = top_k(np.array([[1.0, -np.inf, 3.0]], np.float32), 9, np.zeros(1, np.int64))
    assert items.tolist() == [[2, 0, EMPTY]]
    assert values[0, :2].tolist() == [3.0, 1.0]
    assert np.isnan(values[0, 2])
