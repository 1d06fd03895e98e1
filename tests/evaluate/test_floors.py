import numpy as np
import pytest

from accord.core.arrays import Ragged
from accord.core.queries import Queries
from accord.evaluate.floors import PopularityFloor, RandomFloor
from accord.evaluate.metrics import auc, recall


def questions(n: int, n_items: int, seed: int = 0, **settings) -> Queries:
    rng = np.random.default_rng(seed)
    return Queries.of([rng.permutation(n_items)[: rng.integers(0, 8)] for _ in range(n)], **settings)


@pytest.mark.parametrize("candidates", [None, np.arange(0, 40, 2, dtype=np.int32)])
def test_chance_finds_k_of_the_eligible(candidates):
    n, n_items, k = 6000, 40, 5
    queries = questions(n, n_items, candidates=candidates)
    rng = np.random.default_rng(1)
    allowed = np.arange(n_items) if candidates is None else candidates
    truth = Ragged.of([[rng.choice(np.setdiff1d(allowed, row))] for row in queries.history.ragged])
    lists = RandomFloor(n_items, seed=3).recommend(queries, 10)
    values = recall(lists, truth, k)
    expected = (k / queries.eligible(n_items).count).mean()
    assert lists.facts["eligible"].tolist() == queries.eligible(n_items).count.tolist()
    assert abs(values.mean() - expected) < 4 * values.std() / np.sqrt(n)
    assert abs(auc(lists, truth, 10).mean() - 0.5) < 0.02


@pytest.mark.parametrize("floor", [RandomFloor(50, 1), PopularityFloor(np.arange(50) // 7, 1)])
def test_lists_hold_distinct_eligible_items_whatever_the_batch(floor):
    queries = questions(30, 50, exclude=Ragged.of([[i, i + 1] for i in range(30)]))
    lists = floor.recommend(queries, 20)
    for row, history, excluded in zip(lists.items, queries.history.ragged, queries.exclude, strict=True):
        assert len(set(row)) == 20
        assert row.min() >= 0
        assert not set(row) & (set(history) | set(excluded))
    for row in range(len(queries)):
        alone = floor.recommend(queries.take(np.array([row])), 20)
        assert alone.items[0].tolist() == lists.items[row].tolist()


def test_chance_differs_between_users_and_seeds():
    nobody = Queries.of([[]] * 20)
    lists = RandomFloor(500, seed=0).recommend(nobody, 10)
    assert len({tuple(row) for row in lists.items}) > 15
    assert lists.items.tolist() != RandomFloor(500, seed=1).recommend(nobody, 10).items.tolist()


def test_popular_items_come_first_and_equals_vary():
    counts = np.array([5, 9, 5, 5, 1, 0])
    queries = Queries.of([[], [1], [0], [2], [3], [4, 5]])
    lists = PopularityFloor(counts).recommend(queries, 2)
    assert lists.items[0, 0] == 1
    assert lists.items[1, 0] in (0, 2, 3)
    assert lists.column("score")[0].tolist() == [9, 5]
    assert len(set(lists.items[[0, 2, 3, 4, 5], 1])) > 1


def test_a_short_catalogue_gives_a_padded_list():
    lists = PopularityFloor(np.array([1, 2, 3])).recommend(Queries.of([[0], [0, 1, 2]]), 4)
    assert lists.items.tolist() == [[2, 1, -1, -1], [-1, -1, -1, -1]]
    assert np.isnan(lists.column("score")[1]).all()
    assert PopularityFloor(np.array([1, 2, 3])).recommend(Queries.of([]), 4).items.shape == (0, 4)
