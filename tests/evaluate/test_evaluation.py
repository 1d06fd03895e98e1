import json

import numpy as np
import pytest

from accord.core.arrays import Ragged
from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.data.holdout import Holdout
from accord.evaluate.case import Case
from accord.evaluate.evaluation import Pool, evaluate
from accord.evaluate.floors import PopularityFloor, RandomFloor
from accord.evaluate.metrics import ndcg

N = 60
COUNTS = np.arange(N)[::-1] // 3  # items 57 to 59 are cold


def holdout(seed: int = 0, n: int = 80) -> Holdout:
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(N) for _ in range(n)]
    sizes = rng.integers(1, 9, n)
    queries = Queries.of([row[:size] for row, size in zip(rows, sizes, strict=True)])
    return Holdout(queries, Ragged.of([row[-rng.integers(1, 4) :] for row in rows]))


def oracle(test: Holdout) -> Slate:
    items = np.full((len(test), 10), -1, np.int32)
    for row, truth in enumerate(test.truth):
        items[row, : len(truth)] = truth
    scores = np.where(items >= 0, -np.arange(10), np.nan).astype(np.float32)
    return Slate(items, {"score": scores}, {"eligible": test.queries.eligible(N).count.astype(float)})


def answers(test: Holdout) -> dict[str, Slate]:
    floors = {"random": RandomFloor(N), "popularity": PopularityFloor(COUNTS)}
    return {name: floor.recommend(test.queries, 30) for name, floor in floors.items()} | {"fused": oracle(test)}


def test_report_has_every_figure_and_can_be_written_as_json():
    test = holdout()
    vectors = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
    report = json.loads(json.dumps(evaluate(answers(test), test, COUNTS, vectors=vectors), allow_nan=False))
    assert report["n_queries"] == 80
    assert report["ks"] == [10, 20]
    assert list(report["systems"]) == ["random", "popularity", "fused"]
    fused = report["systems"]["fused"]
    for name in ("recall", "precision", "f1", "hit_rate", "ndcg", "mrr", "map", "novelty", "diversity"):
        assert set(fused[f"{name}@10"]) == {"value", "se"}
    for name in ("coverage", "gini", "popularity_lift"):
        assert set(fused[f"{name}@20"]) == {"value"}
    assert fused["ndcg@10"] == {"value": 1.0, "se": 0.0}
    assert fused["auc"]["value"] == pytest.approx(1.0)
    assert report["systems"]["random"]["auc"]["value"] == pytest.approx(0.5, abs=0.07)


def test_comparisons_set_the_reference_against_every_other():
    test = holdout()
    report = evaluate(answers(test), test, COUNTS)
    assert [(row["a"], row["b"], row["metric"]) for row in report["comparisons"]] == [
        ("fused", other, metric) for other in ("random", "popularity") for metric in ("ndcg@10", "recall@10")
    ]
    for row in report["comparisons"]:
        systems = report["systems"]
        gap = systems["fused"][row["metric"]]["value"] - systems[row["b"]][row["metric"]]["value"]
        assert row["difference"] == pytest.approx(gap, abs=1e-6)
        assert 0 < row["low"] < row["difference"] < row["high"]
        assert row["p"] < row["p_holm"] < 0.01
    assert evaluate(answers(test), test, COUNTS, reference="none")["comparisons"] == []


def test_item_segments_judge_by_their_own_truth():
    test = holdout()
    slates = answers(test)
    segments = evaluate(slates, test, COUNTS)["segments"]
    kinds = {"cold": COUNTS == 0, "few": (COUNTS > 0) & (COUNTS <= 5), "warm": COUNTS > 5}
    for kind, mask in kinds.items():
        truth = test.truth.keep(mask[test.truth.values])
        values = ndcg(slates["popularity"], truth, 10)
        segment = segments[f"items: {kind}"]
        assert segment["n"] == (truth.lengths > 0).sum() == (~np.isnan(values)).sum()
        assert segment["systems"]["popularity"]["ndcg@10"]["value"] == pytest.approx(float(np.nanmean(values)))
    histories = [segments[f"history: {name}"]["n"] for name in ("short", "medium", "long")]
    assert sum(histories) == 80
    assert min(histories) > 0


def test_empty_segments_are_left_out():
    test = holdout()
    segments = evaluate(answers(test), test, np.full(N, 9))["segments"]
    assert "items: cold" not in segments
    assert "items: few" not in segments
    assert segments["items: warm"]["n"] == 80


def test_pooled_cuts_join_their_queries():
    first, second = holdout(1, 30), holdout(2, 50)
    pool = Pool([Case(answers(first), first, COUNTS), Case(answers(second), second, COUNTS)])
    report = pool.report()
    parts = [evaluate(answers(test), test, COUNTS) for test in (first, second)]
    assert report["n_queries"] == 80
    assert len(pool.per_query("fused")["ndcg@10"]) == 80
    for name, weights in (("ndcg@10", (30, 50)), ("coverage@10", (1, 1))):
        values = [part["systems"]["popularity"][name]["value"] for part in parts]
        assert report["systems"]["popularity"][name]["value"] == pytest.approx(np.average(values, weights=weights))
    assert report["segments"]["items: warm"]["n"] == sum(part["segments"]["items: warm"]["n"] for part in parts)


def test_coverage_is_of_the_candidates_where_there_are_some():
    test = holdout().among(np.arange(10, dtype=np.int32))
    slates = {"random": RandomFloor(N).recommend(test.queries, 10)}
    assert evaluate(slates, test, COUNTS)["systems"]["random"]["coverage@10"]["value"] == 1.0


def test_nobody_asked_gives_empty_figures_not_an_error():
    test = holdout().take(np.empty(0, np.int64))
    report = evaluate(answers(test), test, COUNTS)
    assert report["n_queries"] == 0
    assert report["segments"] == {}
    assert report["comparisons"] == []
    assert report["systems"]["fused"]["ndcg@10"] == {"value": None, "se": None}


def test_misuse_is_named():
    test, other = holdout(), holdout(1, 20)
    with pytest.raises(InputError, match="fused: one list a query"):
        evaluate({"fused": oracle(other)}, test, COUNTS)
    with pytest.raises(InputError, match="same systems"):
        Pool([Case(answers(test), test, COUNTS), Case({"fused": oracle(other)}, other, COUNTS)])
    with pytest.raises(InputError, match="at least one"):
        Pool([])
