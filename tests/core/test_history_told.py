"""Kinds and values of events travel with histories, wherever these are cut, joined or made."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.core.arrays import order_by
from accord.core.dataset import Dataset
from accord.core.history import UNKNOWN, History, kind_code

N = 7
rows = st.lists(st.lists(st.integers(0, N - 1), max_size=6), max_size=5)


def told(lists: list[list[int]]) -> History:
    """Histories whose kinds and values say the item and the place of each event."""
    history = History.of(lists)
    n = len(history.items)
    return replace(history, kinds=history.items + 100, values=np.arange(n, dtype=np.float32))


def log(**columns: list | pa.Array) -> Dataset:
    """Six events of three users, in an order of their own, with columns beside."""
    events = pa.table(
        {
            "user": pa.array([2, 0, 2, 0, 1, 2], pa.int32()),
            "item": pa.array([0, 1, 2, 3, 4, 5], pa.int32()),
            "weight": pa.array([1.0] * 6, pa.float32()),
            **columns,
        }
    )
    items = pa.table({"item_id": [f"i{n}" for n in range(6)]})
    return Dataset(events, items, pa.table({"user_id": ["ann", "bo", "cy"]}), order="row")


def test_codes_are_the_same_everywhere_and_0_is_nothing() -> None:
    assert kind_code("123456789") == 0xCBF43926 & 0x7FFFFFFF  # the check value of CRC-32
    assert kind_code("") == kind_code(None) == UNKNOWN == 0
    assert len({kind_code(name) for name in ("view", "purchase", "购买", "Purchase")}) == 4
    assert all(0 < kind_code(str(n)) < 1 << 31 for n in range(1_000))


@given(rows, st.integers(0, 6))
def test_cutting_keeps_them_beside_their_events(lists: list[list[int]], n: int) -> None:
    history = told(lists)
    for cut in (history.last(n), history.keep(history.items % 2 == 0), history.take(np.arange(len(lists))[::-1])):
        assert (cut.kinds == cut.items + 100).all()
        assert (history.items[cut.values.astype(int)] == cut.items).all()
    plain = History.of(lists)
    for cut in (plain.last(n), plain.keep(plain.items % 2 == 0), plain.take(np.arange(len(lists)))):
        assert cut.kinds is None and cut.values is None


@given(rows)
def test_following_joins_row_by_row(lists: list[list[int]]) -> None:
    first, second = told(lists), told([row[:2] for row in lists[::-1]])
    joined = first.followed_by(second)
    assert [row.tolist() for row in joined.ragged] == [
        row + more[:2] for row, more in zip(lists, lists[::-1], strict=True)
    ]
    assert (joined.kinds == joined.items + 100).all()
    half = first.followed_by(History.of([row[:2] for row in lists[::-1]]))
    known = half.age >= np.repeat([len(row[:2]) for row in lists[::-1]], half.lengths)
    assert (half.kinds == np.where(known, half.items + 100, UNKNOWN)).all()
    assert (np.isnan(half.values) == ~known).all()
    bare = History.of(lists)
    assert bare.followed_by(bare).kinds is None


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_a_log_tells_them_to_histories_and_queries(kind: pa.DataType) -> None:
    names = pa.array(["view", None, "buy", "view", "", "buy"]).cast(kind)
    data = log(event=names, value=pa.array([5.0, None, 1.0, 2.0, 3.0, None], pa.float64()))
    view, buy = kind_code("view"), kind_code("buy")
    assert data.told.items.tolist() == [1, 3, 4, 0, 2, 5]
    assert data.told.kinds.tolist() == [0, view, 0, view, buy, buy]
    assert data.told.kinds.dtype == np.int32
    np.testing.assert_array_equal(data.told.values, np.float32([np.nan, 2, 3, 5, 1, np.nan]))
    assert data.queries(np.array([2])).history.kinds.tolist() == [view, buy, buy]
    assert data.histories.kinds is None
    assert np.shares_memory(data.histories.items, data.told.items)


def test_a_log_without_them_makes_no_arrays() -> None:
    for data in (log(), log(event=pa.nulls(6, pa.string()), value=pa.nulls(6, pa.float32()))):
        assert data.told is data.histories
        assert data.queries().history.kinds is None
    only = log(value=[1, 2, 3, 4, 5, 6])
    assert only.told.kinds is None
    assert only.told.values.tolist() == [2, 4, 5, 1, 3, 6]


def test_a_larger_catalogue_keeps_what_was_worked_out() -> None:
    data = log(event=["view"] * 6)
    codes = data.told.kinds
    grown = data.with_items(pa.concat_tables([data.items, pa.table({"item_id": ["new"]})]), {})
    assert grown.told.kinds is codes


@given(st.lists(st.integers(0, 4), max_size=30))
def test_grouping_is_a_stable_sort(groups: list[int]) -> None:
    numbers = np.array(groups, np.int32)
    np.testing.assert_array_equal(order_by(numbers, 5), np.argsort(numbers, kind="stable"))
