import math

import numpy as np
import pytest
from scipy.sparse import csr_array

from accord.core.history import History
from accord.core.slate import Slate
from accord.evaluate import beyond

LISTS = Slate(np.array([[0, 1, 4], [0, 2, -1]], np.int32))
EVERYTHING = np.ones(5, dtype=bool)


def test_coverage_counts_available_items_that_anybody_sees():
    assert beyond.coverage(LISTS, 1, EVERYTHING) == pytest.approx(1 / 5)
    assert beyond.coverage(LISTS, 2, EVERYTHING) == pytest.approx(3 / 5)
    assert beyond.coverage(LISTS, 3, np.array([True, True, False, True, False])) == pytest.approx(2 / 3)


def test_gini_by_hand():
    assert beyond.gini(Slate(np.array([[0], [1], [2]], np.int32)), 1, np.ones(3, dtype=bool)) == pytest.approx(0)
    assert beyond.gini(LISTS, 1, EVERYTHING) == pytest.approx(1 - 1 / 5)
    shown = np.array([2, 1, 1, 0, 1])
    by_definition = np.abs(shown[:, None] - shown).sum() / (2 * 5 * shown.sum())
    assert beyond.gini(LISTS, 3, EVERYTHING) == pytest.approx(by_definition)
    assert math.isnan(beyond.gini(Slate(np.full((2, 1), -1, np.int32)), 1, EVERYTHING))


def test_novelty_is_mean_surprise():
    values = beyond.novelty(LISTS, 2, np.array([3, 1, 0, 0, 1]))
    p = np.array([4, 2, 1, 1, 2]) / 10
    assert values == pytest.approx([-np.log2(p[[0, 1]]).mean(), -np.log2(p[[0, 2]]).mean()])


def test_popularity_lift_compares_lists_with_histories():
    counts = np.array([8, 2, 4, 6, 0])
    history = History.of([[1, 2], [2]])
    had, shown = (3 + 4) / 2, (5 + 6) / 2
    assert beyond.popularity_lift(LISTS, 2, counts, history) == pytest.approx(shown / had - 1)
    some = History.of([[1, 2], []])
    assert beyond.popularity_lift(LISTS, 2, counts, some) == pytest.approx(5 / 3 - 1)
    assert math.isnan(beyond.popularity_lift(LISTS, 2, counts, History.of([[], []])))


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_diversity_equals_the_mean_over_pairs(kind, monkeypatch):
    rng = np.random.default_rng(0)
    vectors = np.maximum(rng.normal(size=(40, 6)), 0).astype(np.float32)
    vectors[[3, 7]] = 0
    items = np.stack([rng.permutation(40)[:8] for _ in range(30)]).astype(np.int32)
    items[0, 1:], items[1, 4:] = -1, -1
    expected = []
    for row in items:
        units = [vectors[i] / np.linalg.norm(vectors[i]) for i in row if i >= 0 and vectors[i].any()]
        cosines = [float(a @ b) for at, a in enumerate(units) for b in units[:at]]
        expected.append(1 - np.mean(cosines) if cosines else np.nan)
    monkeypatch.setattr(beyond, "CELLS", 60)
    assert beyond.diversity(Slate(items), 8, kind(vectors)) == pytest.approx(expected, abs=1e-5, nan_ok=True)
