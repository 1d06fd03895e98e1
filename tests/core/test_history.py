import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.core.arrays import Ragged, offsets_of
from accord.core.history import History

N_ITEMS = 9
rows = st.lists(st.lists(st.integers(0, N_ITEMS - 1), max_size=8), max_size=6)


def weighted(lists, seed=0) -> History:
    """Histories of the given items with random weights and rising times."""
    history = History.of(lists)
    rng = np.random.default_rng(seed)
    n = len(history.items)
    return History(history.offsets, history.items, np.arange(n) * 1.0, rng.random(n).astype(np.float32))


def test_age_counts_the_events_that_came_after():
    history = History.of([[5, 6, 7], [], [8]])
    assert history.age.tolist() == [2, 1, 0, 0]
    assert history.lengths.tolist() == [3, 0, 1]
    assert history.rows.tolist() == [0, 0, 0, 2]


def test_recency_halves_as_tau_says():
    history = History.of([[0, 1, 2]])
    assert history.recency(None).tolist() == [1, 1, 1]
    assert history.recency(1 / np.log(2)) == pytest.approx([0.25, 0.5, 1.0])


def test_an_item_met_twice_counts_with_its_newest_weight():
    history = History(np.array([0, 3]), np.array([1, 2, 1], np.int32), np.full(3, np.nan), np.float32([5, 7, 9]))
    assert history.matrix(4).toarray().tolist() == [[0, 9, 7, 0]]
    assert history.matrix(4, tau=1.0).toarray()[0] == pytest.approx([0, 9, 7 * np.exp(-1), 0])


@given(rows)
def test_the_matrix_is_what_a_plain_loop_writes(lists):
    history = weighted(lists)
    expected = np.zeros((len(lists), N_ITEMS), np.float32)
    for row, item, weight in zip(history.rows, history.items, history.weights, strict=True):
        expected[row, item] = weight  # oldest first, so the newest stays
    matrix = history.matrix(N_ITEMS)
    assert matrix.dtype == np.float32
    assert np.array_equal(matrix.toarray(), expected)
    matrix.check_format(full_check=True)
    assert matrix.has_canonical_format


@given(rows, st.integers(0, 9))
def test_last_keeps_the_newest(lists, n):
    newest = History.of(lists).last(n)
    assert [row.tolist() for row in newest.ragged] == [row[max(0, len(row) - n) :] for row in lists]


@given(rows, st.randoms(use_true_random=False))
def test_take_gives_the_rows_in_the_order_asked(lists, random):
    wanted = [random.randrange(len(lists)) for _ in range(5)] if lists else []
    history = weighted(lists)
    taken = history.take(np.array(wanted, np.int64))
    assert [row.tolist() for row in taken.ragged] == [lists[row] for row in wanted]
    for new, old in enumerate(wanted):
        mine = slice(*taken.offsets[new : new + 2])
        theirs = slice(*history.offsets[old : old + 2])
        assert np.array_equal(taken.weights[mine], history.weights[theirs])
        assert np.array_equal(taken.times[mine], history.times[theirs])


@given(rows)
def test_keep_leaves_every_row(lists):
    history = weighted(lists)
    kept = history.keep(history.items % 2 == 0)
    assert [row.tolist() for row in kept.ragged] == [[item for item in row if item % 2 == 0] for row in lists]
    ragged = Ragged.of(lists)
    assert [row.tolist() for row in ragged.keep(ragged.values % 2 == 0)] == [row.tolist() for row in kept.ragged]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 99)), max_size=20))
def test_grouping_keeps_the_order_within_a_row(pairs):
    numbers = np.array([row for row, _ in pairs], np.int64)
    grouped = Ragged.grouped(numbers, np.array([value for _, value in pairs], np.int64), 5)
    assert [row.tolist() for row in grouped] == [[value for row, value in pairs if row == n] for n in range(5)]


def test_offsets_start_at_zero():
    assert offsets_of([2, 0, 3]).tolist() == [0, 2, 2, 5]
    assert offsets_of([]).tolist() == [0]
