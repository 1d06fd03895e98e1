import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from accord.core.arrays import Ragged
from accord.core.errors import InputError
from accord.core.slate import Slate
from accord.evaluate.judged import Judged
from accord.evaluate.metrics import AT_K, auc, f1, hit_rate, mrr, ndcg, precision, recall
from accord.evaluate.metrics import map as mean_ap

N_ITEMS = 30
ALL = (*AT_K, auc)


def slate(items, scores=None, eligible=N_ITEMS) -> Slate:
    columns = {} if scores is None else {"score": np.array(scores, np.float32)}
    items = np.array(items, np.int32)
    return Slate(items, columns, {"eligible": np.full(len(items), float(eligible))})


def drawn(seed: int, levels: int = 5, queries: int = 6, width: int = 12) -> tuple[Slate, Ragged]:
    """Random lists with few distinct scores, some of them short, and random truth, some of it empty."""
    rng = np.random.default_rng(seed)
    items = np.stack([rng.permutation(N_ITEMS)[:width] for _ in range(queries)])
    scores = -np.sort(rng.integers(-levels, 0, (queries, width)), axis=1)
    short = np.arange(width) >= rng.integers(width // 2, width + 1, (queries, 1))
    truth = Ragged.of([rng.permutation(N_ITEMS)[: rng.integers(0, 8)] for _ in range(queries)])
    return slate(np.where(short, -1, items), np.where(short, np.nan, scores)), truth


def close(a, b, tolerance=1e-6) -> bool:
    return np.allclose(a, b, atol=tolerance, equal_nan=True)


def test_golden_values_without_ties():
    lists = slate([[7, 3, 9, 1, 5]])
    truth = Ragged.of([[3, 1, 8]])  # hits at places 2 and 4, one item missing
    ideal = 1 + 1 / math.log2(3) + 0.5
    expected = {
        recall: 2 / 3,
        precision: 2 / 5,
        f1: 4 / 8,
        hit_rate: 1,
        ndcg: (1 / math.log2(3) + 1 / math.log2(5)) / ideal,
        mrr: 1 / 2,
        mean_ap: (1 / 2 + 2 / 4) / 3,
        # 27 others: one above the first hit, two above the second; for the missing one 3 + half of the other 24
        auc: 1 - (1 + 2 + 3 + 12) / (3 * 27),
    }
    for metric, value in expected.items():
        assert close(metric(lists, truth, 5), [value]), metric.name
    assert close(recall(lists, truth, 3), [1 / 3])
    assert close(mean_ap(lists, truth, 2), [0.5 / 2])
    assert close(ndcg(lists, truth, 1), [0])


def test_golden_values_with_ties():
    # One hit in a run of three at places 2 to 4: each place with chance 1/3.
    lists = slate([[4, 5, 6, 7]], [[2, 1, 1, 1]], eligible=10)
    truth = Ragged.of([[7]])
    assert close(recall(lists, truth, 2), [1 / 3])
    assert close(hit_rate(lists, truth, 3), [2 / 3])
    assert close(mrr(lists, truth, 4), [(1 / 2 + 1 / 3 + 1 / 4) / 3])
    assert close(mrr(lists, truth, 3), [(1 / 2 + 1 / 3) / 3])
    assert close(mean_ap(lists, truth, 4), mrr(lists, truth, 4))
    assert close(ndcg(lists, truth, 4), [sum(1 / math.log2(1 + p) for p in (2, 3, 4)) / 3])
    assert close(auc(lists, truth, 4), [1 - (1 + 1) / 9])
    # Two hits in a run of three, cut at 2: surely one of them, with chance 1/3 both.
    both = Ragged.of([[6, 7]])
    assert close(hit_rate(slate([[5, 6, 7]], [[1, 1, 1]]), both, 2), [1])
    assert close(mrr(slate([[5, 6, 7]], [[1, 1, 1]]), both, 3), [2 / 3 + 1 / 3 * 1 / 2])
    assert close(recall(slate([[5, 6, 7]], [[1, 1, 1]]), both, 2), [2 / 3])


def test_random_scores_everywhere_is_an_auc_of_one_half():
    lists = slate([range(20)], [[0.0] * 20], eligible=20)
    for k in (1, 7, 20):
        assert close(auc(lists, Ragged.of([[3, 4, 11]]), k), [0.5])


def test_no_truth_is_no_value_and_no_list_is_zero():
    lists, truth = slate([[1, 2], [-1, -1], [5, 6]]), Ragged.of([[], [1], [6]])
    for metric in AT_K:
        values = metric(lists, truth, 2)
        assert values.dtype == np.float32
        assert np.isnan(values[0])
        assert values[1] == 0
        assert values[2] > 0
    assert close(auc(lists, truth, 2)[1:], [0.5, 1 - 1 / 29])
    empty = slate(np.empty((3, 0)))
    assert close(recall(empty, truth, 10), [np.nan, 0, 0])


def test_an_empty_place_is_never_a_hit():
    assert close(recall(slate([[3, -1], [0, 1]]), Ragged.of([[9], [29]]), 2), [0, 0])


@given(seed=st.integers(0, 10**6), k=st.integers(1, 14))
@settings(max_examples=40, deadline=None)
def test_expected_values_are_means_over_all_tie_orders(seed, k):
    """The same numbers as shuffling each run of equals many times and counting as if there were no ties."""
    lists, truth = drawn(seed, levels=3, queries=4, width=8)
    rng = np.random.default_rng(seed)
    rounds = 3000
    keys = np.where(lists.filled, -lists.column("score"), np.inf)
    many = np.tile(keys, (rounds, 1))
    order = np.lexsort((rng.random(many.shape), many), axis=1)
    items = np.take_along_axis(np.tile(lists.items, (rounds, 1)), order, axis=1)
    repeated = truth.take(np.tile(np.arange(len(truth)), rounds))
    shuffled = slate(items)
    for metric in ALL:
        sampled = metric(shuffled, repeated, k).reshape(rounds, -1).astype(np.float64)
        exact = metric(lists, truth, k)
        margin = 5 * sampled.std(axis=0) / math.sqrt(rounds) + 1e-5
        known = ~np.isnan(exact)
        assert (np.isnan(sampled).all(axis=0) == ~known).all()
        assert (np.abs(sampled.mean(axis=0) - exact)[known] <= margin[known]).all(), metric.name


@given(seed=st.integers(0, 10**6), k=st.integers(1, 14))
@settings(max_examples=40, deadline=None)
def test_order_among_equals_changes_nothing(seed, k):
    lists, truth = drawn(seed)
    keys = np.where(lists.filled, -lists.column("score"), np.inf)
    other = lists.take(np.lexsort((np.random.default_rng(seed).random(keys.shape), keys), axis=1))
    for metric in ALL:
        assert close(metric(lists, truth, k), metric(other, truth, k)), metric.name


@given(seed=st.integers(0, 10**6), k=st.integers(1, 14), size=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_batch_size_changes_nothing(seed, k, size):
    lists, truth = drawn(seed)
    for metric in ALL:
        whole = metric(lists, truth, k)
        for at in range(0, len(truth), size):
            rows = np.arange(at, min(at + size, len(truth)))
            facts = {"eligible": lists.facts["eligible"][rows]}
            part = Slate(lists.items[rows], {"score": lists.column("score")[rows]}, facts)
            assert metric(part, truth.take(rows), k).tobytes() == whole[rows].tobytes()


@given(seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_values_lie_between_zero_and_one_and_grow_with_k(seed):
    lists, truth = drawn(seed)
    judged = Judged.of(lists, truth)
    for metric in ALL:
        by_k = np.stack([metric.of(judged, k) for k in range(1, 15)])
        known = by_k[:, truth.lengths > 0]
        assert not np.isnan(known).any()
        assert (known >= -1e-6).all()
        assert (known <= 1 + 1e-6).all(), metric.name
        if metric in (recall, hit_rate, mrr):
            assert (np.diff(known, axis=0) >= -1e-6).all()


@given(seed=st.integers(0, 10**6), levels=st.sampled_from([3, 10**6]))
@settings(max_examples=30, deadline=None)
def test_full_rankings_agree_with_scikit_learn(seed, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, N_ITEMS).astype(np.float32)
    relevant = rng.permutation(N_ITEMS)[: rng.integers(1, 10)]
    order = np.argsort(-scores, kind="stable")
    lists, truth = slate([order], [scores[order]]), Ragged.of([relevant])
    y = np.zeros(N_ITEMS)
    y[relevant] = 1
    assert close(auc(lists, truth, N_ITEMS), [roc_auc_score(y, scores)], 1e-5)
    for k in (1, 5, N_ITEMS):
        assert close(ndcg(lists, truth, k), [ndcg_score([y], [scores], k=k)], 1e-5)
    if len(set(scores)) == N_ITEMS:
        assert close(mean_ap(lists, truth, N_ITEMS), [average_precision_score(y, scores)], 1e-5)


def test_chunks_of_the_search_are_joined(monkeypatch):
    lists, truth = drawn(3, queries=40)
    whole = Judged.of(lists, truth)
    monkeypatch.setattr("accord.evaluate.judged.CELLS", 13)
    parts = Judged.of(lists, truth)
    for name in ("rows", "items", "start", "size"):
        assert getattr(whole, name).tolist() == getattr(parts, name).tolist()


def test_judging_by_some_items_alone():
    lists, truth = slate([[7, 3, 9], [3, 1, 2]]), Ragged.of([[3, 9], [7]])
    only = np.zeros(N_ITEMS, dtype=bool)
    only[[3, 5]] = True
    part = Judged.of(lists, truth).among(only)
    assert close(mrr.of(part, 3), [0.5, np.nan])
    assert close(recall.of(part, 3), recall(lists, Ragged.of([[3], []]), 3))


def test_misuse_is_named():
    with pytest.raises(InputError, match="k: "):
        recall(slate([[1]]), Ragged.of([[1]]), 0)
    with pytest.raises(InputError, match="truth"):
        recall(slate([[1]]), Ragged.of([[1], [2]]), 1)
    with pytest.raises(InputError, match="eligible"):
        auc(Slate(np.array([[1]], np.int32)), Ragged.of([[1]]), 1)


def test_a_metric_keeps_its_name_and_description():
    assert [metric.name for metric in AT_K] == ["recall", "precision", "f1", "hit_rate", "ndcg", "mrr", "map"]
    assert all(metric.__doc__ for metric in AT_K)
