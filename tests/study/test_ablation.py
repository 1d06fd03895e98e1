"""The list without a source is that of a pipeline which never had it, and what is lost has an interval."""

import json
from dataclasses import replace

import numpy as np
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.data import splits
from accord.data.holdout import Split
from accord.fuse.base import Panel
from accord.fuse.product import Product
from accord.fuse.rank import Rank
from accord.fuse.softmax import Softmax
from accord.fuse.weighted import Weighted
from accord.pipeline.learning import Learned, learn
from accord.pipeline.pipeline import Pipeline, panel
from accord.study.ablation import ablation_case, ablation_report, variants

NAMES = ("popular", "knn", "content")


@pytest.fixture(scope="module")
def split(shop_data: Dataset) -> Split:
    return splits.leave_last(shop_data)[0]


@pytest.fixture(scope="module")
def whole(shop_data: Dataset, split: Split) -> Pipeline:
    learned: Learned = learn(shop.small(), split, shop.run(), keep_all=True)
    found = learned.pipeline
    sources = {**found.sources, **learned.alone}
    fuser = Weighted(sources=NAMES)
    fuser.weights = np.array([[0.1, 0.7, 0.2], [0.0, 0.0, 1.0]], np.float32)
    return replace(found, sources={name: sources[name] for name in NAMES}, fuser=fuser)


def test_without_a_source_the_others_keep_their_proportions(whole: Pipeline, split: Split) -> None:
    found = variants(whole, shop.run())
    assert set(found) == {f"without {name}" for name in NAMES}
    without = found["without knn"]
    assert set(without.sources) == {"popular", "content"}
    np.testing.assert_allclose(without.fuser.weights, [[1 / 3, 2 / 3], [0, 1]], rtol=1e-6)
    alone = found["without content"].fuser.weights  # nobody else knows cold items: all count alike
    np.testing.assert_allclose(alone, [[0.125, 0.875], [0.5, 0.5]], rtol=1e-6)


def test_a_left_out_source_offers_nothing(whole: Pipeline, split: Split) -> None:
    """The list is exactly that of a pipeline without it."""
    queries = split.tests["test"].queries
    never = replace(whole, sources={"content": whole.sources["content"]}, fuser=Weighted(sources=("content",)))
    pair = replace(whole, sources={n: whole.sources[n] for n in ("knn", "content")}, fuser=_equal("knn", "content"))
    shown = variants(pair, shop.run())["without knn"].recommend(queries, 10)
    np.testing.assert_array_equal(shown.items, never.recommend(queries, 10).items)
    assert "knn" not in shown.columns


def _equal(*names: str) -> Weighted:
    return Weighted(sources=names)


def test_what_the_good_source_adds_is_more_than_noise(whole: Pipeline, split: Split) -> None:
    case = ablation_case(whole, split.tests["test"], shop.run())
    assert case is not None
    report = ablation_report([case, None], (10, 20), seed=0)
    rows = {(row["b"], row["metric"]): row for row in report["comparisons"]}
    assert set(rows) == {(f"without {name}", metric) for name in NAMES for metric in ("ndcg@10", "recall@10")}
    lost = rows["without knn", "ndcg@10"]
    assert lost["low"] <= lost["difference"] <= lost["high"]
    assert lost["difference"] == max(row["difference"] for row in rows.values() if row["metric"] == "ndcg@10")
    values = {name: figures["ndcg@10"]["value"] for name, figures in report["systems"].items()}
    assert lost["difference"] == pytest.approx(values["fused"] - values["without knn"], abs=1e-6)
    assert report["n_queries"] == len(split.tests["test"])
    json.dumps(report, allow_nan=False)


def test_the_fusion_of_the_others_may_be_learned_anew(whole: Pipeline, split: Split) -> None:
    seen = _panel(whole, split)
    found = variants(whole, shop.run(), seen)
    anew = found["without popular, learned anew"].fuser
    golden = Weighted(sources=("knn", "content")).fit(seen, shop.run())
    np.testing.assert_array_equal(anew.weights, golden.weights)
    assert len(found) == 2 * len(NAMES)


def _panel(pipeline: Pipeline, split: Split) -> Panel:
    return panel(pipeline.sources, split.valid.queries, split.valid.truth, pipeline.known, 20)


@pytest.mark.parametrize("kind", [Rank, Softmax, Product])
def test_every_fuser_can_do_without_a_source(kind: type, whole: Pipeline, split: Split) -> None:
    fuser = kind(sources=NAMES).fit(_panel(whole, split), shop.run())
    found = variants(replace(whole, fuser=fuser), shop.run())
    assert set(found) == {f"without {name}" for name in NAMES}
    for variant in found.values():
        assert (variant.recommend(split.tests["test"].queries.take(np.arange(5)), 5).items >= 0).all()


def test_a_single_source_has_nothing_to_lose(whole: Pipeline, split: Split) -> None:
    single = replace(whole, sources={"knn": whole.sources["knn"]}, fuser=_equal("knn"))
    assert ablation_case(single, split.tests["test"], shop.run()) is None
    assert ablation_report([None], (10,), seed=0) == {}


def test_cuts_are_pooled_over_the_sources_they_share(whole: Pipeline, split: Split) -> None:
    test = split.tests["test"]
    pair = replace(whole, sources={n: whole.sources[n] for n in ("knn", "content")}, fuser=_equal("knn", "content"))
    cases = [ablation_case(pipeline, test, shop.run()) for pipeline in (whole, pair)]
    report = ablation_report(cases, (10,), seed=0)
    assert set(report["systems"]) == {"without knn", "without content", "fused"}
    assert report["n_queries"] == 2 * len(test)


def test_somebody_unknown_is_still_answered(whole: Pipeline) -> None:
    nobody = Queries.of([[]])
    for variant in variants(whole, shop.run()).values():
        assert (variant.recommend(nobody, 5).items >= 0).all()
