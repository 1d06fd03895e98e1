"""The quick ways of cleaning large logs do what the plain ones do."""

import numpy as np
import polars as pl
import pytest

from accord.core.history import History
from accord.data.filters import exact_duplicates, k_core
from accord.data.holdout import _among
from accord.data.numbering import numbered


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kinds", [1, 3])
def test_exact_duplicates(seed, kinds):
    rng = np.random.default_rng(seed)
    n = 400
    events = pl.DataFrame(
        {
            "user": rng.integers(0, 6, n).astype(np.int32),
            "item": rng.integers(0, 6, n).astype(np.int32),
            "timestamp": np.sort(rng.integers(0, 12, n)).astype(np.float64),
            "event": [f"kind{kind}" for kind in rng.integers(0, kinds, n)],
            "value": rng.random(n),
        }
    )
    wanted = events.unique(["user", "item", "timestamp", "event"], keep="last", maintain_order=True)
    assert exact_duplicates(events).equals(wanted)
    assert exact_duplicates(wanted).equals(wanted)
    assert exact_duplicates(events.clear()).height == 0
    assert exact_duplicates(events.drop("timestamp")).height == n


@pytest.mark.parametrize("seed", range(5))
def test_k_core(seed):
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, 40, 150), rng.integers(0, 40, 150)
    wanted = np.ones(150, dtype=bool)
    for _ in range(150):  # one event after another leaves, until none must
        failing = [
            row
            for row in np.flatnonzero(wanted)
            if (users[wanted] == users[row]).sum() < 3 or (items[wanted] == items[row]).sum() < 3
        ]
        if not failing:
            break
        wanted[failing[0]] = False
    kept = k_core(users.astype(np.int32), items.astype(np.int32), 3)
    np.testing.assert_array_equal(kept, wanted)
    assert 0 < kept.sum() < 150


def test_numbers_are_in_order_of_the_first_event():
    frame = pl.DataFrame({"user_id": ["b", "a", "b", "ü"], "item_id": ["x", "x", "", "y"], "value": [1, 2, 3, 4]})
    log = numbered(frame)
    assert log.users.to_list() == ["b", "a", "ü"]
    assert log.items.to_list() == ["x", "", "y"]
    assert log.events["user"].to_list() == [0, 1, 0, 2]
    assert log.events["item"].to_list() == [0, 0, 1, 2]
    assert log.events["value"].to_list() == [1, 2, 3, 4]
    assert numbered(frame.clear()).users.to_list() == []


def test_the_newest_weight_of_each_pair():
    rng = np.random.default_rng(0)
    history = History.of([rng.integers(0, 5, size).tolist() for size in (7, 0, 1, 9)])
    history.weights[:] = np.arange(1, 18)
    wanted = np.zeros((4, 5))
    for row in range(4):
        for place in range(history.offsets[row], history.offsets[row + 1]):
            wanted[row, history.items[place]] = history.weights[place]
    np.testing.assert_array_equal(history.matrix(5).toarray(), wanted)
    assert history.matrix(5).has_sorted_indices
    assert History.of([]).matrix(5).shape == (0, 5)


def test_which_values_occur():
    assert _among(np.array([1, 4, 9]), np.array([0, 1, 3, 9])).tolist() == [True, False, True]
    assert _among(np.array([1, 4]), np.array([], dtype=np.int64)).tolist() == [False, False]
