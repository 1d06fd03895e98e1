"""Damped means and neighbourhoods: by hand, and against plain loops."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from accord.core.dataset import Dataset
from accord.core.history import History
from accord.fuse import neighbourhood
from accord.fuse.biases import learn_biases, user_biases
from accord.fuse.neighbourhood import deviations, similarities


def log(users: list[int], items: list[int], n_users: int = 3, n_items: int = 3) -> Dataset:
    events = pa.table(
        {
            "user": np.array(users, np.int32),
            "item": np.array(items, np.int32),
            "weight": np.ones(len(users), np.float32),
        }
    )
    names = pa.table({"item_id": [f"i{n}" for n in range(n_items)]})
    return Dataset(events, names, pa.table({"user_id": [f"u{n}" for n in range(n_users)]}))


def test_additive_marks_are_taken_apart_exactly():
    users, items = np.divmod(np.arange(9), 3)
    user, item = np.array([-1.0, 0.0, 1.0]), np.array([0.5, -0.25, -0.25])
    marks = (3 + user[users] + item[items]).astype(np.float32)
    biases = learn_biases(log(users.tolist(), items.tolist()), marks, 0, 0)
    assert biases.mean == pytest.approx(3)
    np.testing.assert_allclose(biases.items, item, atol=1e-6)
    np.testing.assert_allclose(biases.item_means, 3 + item, atol=1e-6)


def test_damping_and_missing_marks_by_hand():
    marks = np.array([5, 1, np.nan], np.float32)
    biases = learn_biases(log([0, 1, 2], [0, 1, 2]), marks, 1, 1e9)
    assert biases.mean == 3
    np.testing.assert_allclose(biases.items, [1, -1, 0], atol=1e-6)  # 2 / (1 + 1)
    rated = History.of([[0, 1], []])
    own = user_biases(
        History(rated.offsets, rated.items, rated.times, np.array([5, 3], np.float32)), 3, biases.items, 1
    )
    np.testing.assert_allclose(own, [(1 + 1) / 3, 0])


def rests(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random((40, 9)) < 0.5, rng.normal(size=(40, 9)), 0).astype(np.float32)


def plain_similarity(rows: np.ndarray, i: int, j: int, shrink: float) -> float:
    both = (rows[:, i] != 0) & (rows[:, j] != 0)
    a, b = rows[both, i].astype(float), rows[both, j].astype(float)
    n = max(int(both.sum()) - 1, 0)
    value = (a @ b) / np.sqrt((a @ a) * (b @ b)) * n / (n + shrink) if both.any() else 0.0
    return max(float(value), 0.0)


@pytest.mark.parametrize("cells", [9, 27, 1 << 22])
def test_similarities_agree_with_a_plain_loop(monkeypatch: pytest.MonkeyPatch, cells: int):
    monkeypatch.setattr(neighbourhood, "CELLS", cells)
    rows = rests()
    expected = np.array([[plain_similarity(rows, i, j, 10) * (i != j) for j in range(9)] for i in range(9)])
    np.testing.assert_allclose(similarities(csr_array(rows), 9, 10).toarray(), expected, atol=1e-5)
    few = similarities(csr_array(rows), 2, 10).toarray()
    assert ((few > 0).sum(axis=1) <= 2).all()
    for i in range(9):
        best = np.sort(expected[i])[::-1][:2]
        np.testing.assert_allclose(np.sort(few[i])[::-1][:2], best, atol=1e-5)


@pytest.mark.parametrize("cells", [9, 1 << 22])
def test_deviations_agree_with_a_plain_loop(monkeypatch: pytest.MonkeyPatch, cells: int):
    monkeypatch.setattr(neighbourhood, "CELLS", cells)
    alike = similarities(csr_array(rests()), 4, 10)
    rated = History.of([[0, 3, 5], [], [8, 1]])
    moved = np.array([1.0, -0.5, 0.0, 2.0, 1.0], np.float32)
    items = np.array([[1, 2], [4, 0], [7, -1]], np.int32)
    found, support = deviations(rated, moved, alike, items, 2.0)
    table = alike.toarray()
    for row in range(3):
        own = slice(*rated.offsets[row : row + 2])
        for place, item in enumerate(items[row]):
            weights = table[max(item, 0), rated.items[own]]
            assert support[row, place] == pytest.approx(weights.sum(), abs=1e-5)
            assert found[row, place] == pytest.approx((weights @ moved[own]) / (weights.sum() + 2), abs=1e-5)


def test_item_numbers_are_no_signal():
    rows, new = rests(), np.random.default_rng(1).permutation(9)
    renumbered = np.empty_like(rows)
    renumbered[:, new] = rows
    plain, moved = (similarities(csr_array(each), 3, 5).toarray() for each in (rows, renumbered))
    np.testing.assert_allclose(moved[np.ix_(new, new)], plain, atol=1e-6)
