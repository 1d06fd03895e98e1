import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slates import N_ITEMS, filled, nobody, slates

from accord.core.slate import EMPTY, Slate
from accord.rerank.boosts import BOOST, Boosts, spread


def test_one_unit_is_one_standard_deviation():
    scores = np.array([[4.0, 3.0, 2.0, 1.0, np.nan]], np.float32)
    slate = Slate(np.array([[0, 1, 2, 3, EMPTY]], np.int32), {"score": scores})
    made = Boosts(np.array([0, 0, 0, 2, 0], np.float32))(nobody(slate), slate)
    unit = np.std([4, 3, 2, 1])
    assert made.items.tolist() == [[0, 3, 1, 2, EMPTY]]
    assert made.column("score")[0, 1] == pytest.approx(1 + 2 * unit)
    assert made.column(BOOST)[0, :4].tolist() == pytest.approx([0, 2 * unit, 0, 0])
    assert np.isnan(made.column(BOOST)[0, 4])


@given(slates(), st.lists(st.floats(-10, 10, width=32), min_size=N_ITEMS, max_size=N_ITEMS))
def test_boosts_only_reorder(slate, amounts):
    made = Boosts(np.array(amounts, np.float32))(nobody(slate), slate)
    for row in range(len(slate)):
        assert sorted(filled(made, row)) == sorted(filled(slate, row))
        scores = made.column("score")[row, : len(filled(made, row))]
        assert (np.diff(scores) <= 0).all()


def test_a_deeper_list_is_boosted_by_the_same_amount():
    rng = np.random.default_rng(0)
    scores = -np.sort(-rng.normal(size=(1, 150)).astype(np.float32), axis=1)
    slate = Slate(np.arange(150, dtype=np.int32)[None], {"score": scores})
    boosts = Boosts(np.ones(150, np.float32))
    whole, part = boosts(nobody(slate), slate), boosts(nobody(slate), slate.head(100))
    assert whole.column(BOOST)[0, 0] == part.column(BOOST)[0, 0]


def test_the_spread_of_equal_scores_is_one():
    assert spread(np.array([[3.0, 3.0], [np.nan, np.nan], [1.0, 3.0]], np.float32)).tolist() == [1.0, 1.0, 1.0]
    assert spread(np.array([[0.0, 4.0, np.nan]], np.float32)).tolist() == [2.0]
