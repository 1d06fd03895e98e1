import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from accord.core.errors import InputError
from accord.core.slate import EMPTY, Slate


def sample() -> Slate:
    scores = np.array([[0.1, 0.9, np.nan], [0.5, np.nan, np.nan]], np.float32)
    return Slate(
        np.array([[4, 5, 6], [7, EMPTY, EMPTY]], np.int32), {"score": scores}, {"eligible": np.array([9.0, 1.0])}
    )


def test_filled_marks_places_with_an_item():
    assert sample().filled.tolist() == [[True, True, True], [True, False, False]]
    assert (len(sample()), sample().width) == (2, 3)


def test_ranked_puts_the_best_first_and_nan_last():
    assert sample().ranked().items.tolist() == [[5, 4, 6], [7, EMPTY, EMPTY]]
    assert sample().ranked(n=1).items.tolist() == [[5], [7]]
    assert sample().ranked(n=1).facts["eligible"].tolist() == [9, 1]


@given(arrays.arrays(np.float32, (3, 7), elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_ranking_falls_and_loses_nothing(scores):
    items = np.tile(np.arange(7, dtype=np.int32), (3, 1))
    ranked = Slate(items, {"score": scores, "other": scores * 2}).ranked()
    assert (np.diff(ranked.column("score"), axis=1) <= 0).all()
    assert (np.sort(ranked.items, axis=1) == items).all()
    assert np.array_equal(ranked.column("score"), np.take_along_axis(scores, ranked.items, axis=1))
    assert np.array_equal(ranked.column("other"), 2 * ranked.column("score"))


def test_with_column_copies():
    before = sample()
    after = before.with_column("other", np.ones((2, 3)))
    assert "other" not in before.columns
    assert after.column("other").dtype == np.float32
    with pytest.raises(InputError, match=r"must have shape \(2, 3\)\. Received: \(2, 2\)"):
        before.with_column("other", np.ones((2, 2), np.float32))


def test_an_unknown_column_is_named_with_those_there_are():
    with pytest.raises(InputError, match=r"'rank'\. There are: score\."):
        sample().column("rank")


@given(st.integers(0, 5), st.integers(0, 5))
def test_stacking_pads_the_narrower(first, second):
    parts = [
        Slate(np.full((2, width), width, np.int32), {"score": np.ones((2, width), np.float32)}, {"mean": np.ones(2)})
        for width in (first, second)
    ]
    stacked = Slate.stacked(parts)
    width = max(first, second)
    assert stacked.items.shape == stacked.column("score").shape == (4, width)
    for rows, own in ((slice(0, 2), first), (slice(2, 4), second)):
        assert (stacked.items[rows, :own] == own).all()
        assert (stacked.items[rows, own:] == EMPTY).all()
        assert np.isnan(stacked.column("score")[rows, own:]).all()
    assert stacked.facts["mean"].tolist() == [1] * 4


def test_head_cuts_items_and_columns_alike():
    head = sample().head(2)
    assert head.items.tolist() == [[4, 5], [7, EMPTY]]
    assert head.column("score").shape == (2, 2)
