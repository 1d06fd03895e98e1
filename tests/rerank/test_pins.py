import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from slates import N_ITEMS, filled, nobody, slates

from accord.core.slate import EMPTY, Slate
from accord.rerank.pins import PIN, Pins


@st.composite
def pinned(draw):
    """Places and items of pins, some of them not to be shown."""
    items = draw(st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=4))
    places = draw(st.lists(st.integers(1, 9), unique=True, min_size=len(items), max_size=len(items)))
    shown = draw(st.lists(st.booleans(), min_size=len(items), max_size=len(items)))
    return [item if show else EMPTY for item, show in zip(items, shown, strict=True)], places


@given(slates(), pinned(), st.integers(1, 9))
def test_pins_are_in_their_places_and_the_rest_is_as_it_was(slate, pins, n):
    items, places = pins
    made = Pins(np.tile(np.array(items, np.int32), (len(slate), 1)), places, n)(nobody(slate), slate)
    assert made.items.shape == (len(slate), n)
    due = {item: place for item, place in zip(items, places, strict=True) if item != EMPTY and place <= n}
    named = {item for item in items if item != EMPTY}
    for row in range(len(slate)):
        chosen = filled(made, row)
        rest = [item for item in filled(slate, row) if item not in named]
        assert len(chosen) == len(set(chosen)) == min(n, len(rest) + len(due))
        assert [item for item in chosen if item not in named] == rest[: n - len(due)]
        assert set(due) <= set(chosen)
        for item, place in due.items():
            assert chosen.index(item) <= place - 1
            if len(chosen) >= max(due.values()):  # long enough: everything stands where it should
                assert chosen.index(item) == place - 1
        for place, item in enumerate(chosen):
            pin = made.column(PIN)[row, place]
            assert (items[int(pin)] == item) if item in due else np.isnan(pin)


def test_a_pinned_place_has_no_score_and_others_keep_theirs():
    slate = Slate(
        np.array([[5, 3]], np.int32), {"score": np.array([[2.0, 1.0]], np.float32)}, {"eligible": np.array([9.0])}
    )
    made = Pins(np.array([[3, 8]], np.int32), [4, 1], 3)(nobody(slate), slate)
    assert made.items.tolist() == [[8, 5, EMPTY]]
    assert np.array_equal(made.column("score"), np.array([[np.nan, 2.0, np.nan]], np.float32), equal_nan=True)
    assert np.array_equal(made.column(PIN), np.array([[1.0, np.nan, np.nan]], np.float32), equal_nan=True)
    assert made.facts["eligible"].tolist() == [9.0]


def test_a_list_too_short_for_a_place_ends_with_the_pin():
    slate = Slate(np.array([[5, EMPTY]], np.int32), {"score": np.array([[2.0, np.nan]], np.float32)})
    made = Pins(np.array([[1, 2]], np.int32), [9, 7], 10)(nobody(slate), slate)
    assert filled(made, 0) == [5, 2, 1]
