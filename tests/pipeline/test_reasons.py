import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import shop
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.fuse.weighted import Weighted
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.reasons import Reason, evidence, explain, list_values, sentence, titles_of, told
from accord.rerank.boosts import BOOST

KINDS = {"popular": "popularity", "knn": "behaviour", "content": "content"}


@pytest.fixture(params=["weighted", "rank"])
def fused(request: pytest.FixtureRequest, pipeline: Pipeline, ranked: Pipeline) -> Pipeline:
    return pipeline if request.param == "weighted" else ranked


def reasons_of(pipeline: Pipeline, queries: Queries, n: int = 8) -> tuple[Slate, list[list[Reason]]]:
    slate = pipeline.recommend(queries, n)
    return slate, explain(pipeline, queries, slate)


def test_source_parts_add_up_to_the_score_of_the_list(fused: Pipeline) -> None:
    slate, reasons = reasons_of(fused, fused.data.queries(np.arange(10)))
    for row, entries in enumerate(reasons):
        assert [reason.item for reason in entries] == slate.items[row].tolist()
        for place, reason in enumerate(entries):
            assert set(reason.sources) == set(fused.sources)
            assert sum(reason.sources.values()) == pytest.approx(float(slate.column("score")[row, place]), abs=1e-4)
            assert reason.score == pytest.approx(float(slate.column("score")[row, place]), abs=1e-5)


def test_shares_are_of_the_history_strongest_first_and_at_most_one(fused: Pipeline) -> None:
    queries = fused.data.queries(np.arange(20))
    _, reasons = reasons_of(fused, queries)
    some = 0
    for row, entries in enumerate(reasons):
        for reason in entries:
            shares = [share for _, share in reason.because]
            some += len(shares)
            assert len(shares) <= 3
            assert sum(shares) <= 1 + 1e-6
            assert all(share > 0 for share in shares)
            assert shares == sorted(shares, reverse=True)
            assert {item for item, _ in reason.because} <= set(queries.history.ragged[row].tolist())
    assert some > 200


def test_shares_of_a_single_event_are_all_of_it(pipeline: Pipeline) -> None:
    _, reasons = reasons_of(pipeline, Queries.of([[4]]), 5)
    spoken = [reason for reason in reasons[0] if reason.because]
    assert spoken
    for reason in spoken:
        assert reason.because == [(4, pytest.approx(1.0))]


def test_shared_values_are_those_of_the_item_and_of_what_speaks_for_it(pipeline: Pipeline) -> None:
    groups = shop.world().item_groups
    _, reasons = reasons_of(pipeline, pipeline.data.queries(np.arange(20)))
    for reason in (reason for entries in reasons for reason in entries):
        same = any(groups[item] == groups[reason.item] for item, _ in reason.because)
        wanted = (["genres: all"] if reason.because else []) + ([f"genres: genre{groups[reason.item]}"] if same else [])
        assert reason.shared == wanted


def test_empty_places_have_no_reason(pipeline: Pipeline) -> None:
    queries = pipeline.data.queries(np.arange(2))
    items = pipeline.recommend(queries, 3).items.copy()
    items[1, 1:] = -1
    assert [len(entries) for entries in explain(pipeline, queries, Slate(items))] == [3, 1]


def test_popularity_alone_says_just_that(pipeline: Pipeline) -> None:
    personal = {name: source for name, source in pipeline.sources.items() if name in ("knn", "content")}
    alone = replace(pipeline, sources=personal, fuser=Weighted(sources=tuple(personal)))
    _, reasons = reasons_of(alone, alone.queries(["nobody"]), 4)
    for reason in reasons[0]:
        assert (reason.sources, reason.because, reason.shared) == ({}, [], [])
        assert reason.score > 0
        assert sentence(reason, titles_of(alone.data.items), evidence(alone)) == "Popular with everybody."


def test_a_sentence_says_what_the_numbers_say() -> None:
    reason = Reason(2, 1.0, {"knn": 0.75, "content": 0.25, "popular": -0.1}, [(0, 0.6), (1, 0.4)], ["genres: War"])
    said = sentence(reason, ["Alpha", "Beta", "Gamma"], KINDS)
    assert said == "Because of “Alpha” and “Beta”, by behaviour (knn 75%) and content (content 25%); shares genres War."


def test_a_sentence_never_calls_popular_what_nothing_speaks_for() -> None:
    titles = ["Alpha"]
    assert sentence(Reason(0, 0.0, {"knn": 0.0, "popular": 0.0}, [], []), titles, KINDS) == "Nothing speaks for it."
    assert sentence(Reason(0, -0.4, {"knn": -0.3, "popular": -0.1}, [], []), titles, KINDS) == "Nothing speaks for it."
    assert sentence(Reason(0, 0.0, {}, [], []), titles, KINDS) == "Nothing speaks for it."
    assert sentence(Reason(0, 0.2, {"popular": 0.2}, [], []), titles, KINDS) == "Popular with everybody."


def test_more_than_a_block_of_queries_gets_what_each_gets_alone(fused: Pipeline) -> None:
    queries = fused.data.queries(np.arange(20))
    slate, reasons = reasons_of(fused, queries, 4)
    alone = explain(fused, queries.take(np.array([18])), slate.rows(np.array([18])))[0]
    assert [reason.item for reason in alone] == [reason.item for reason in reasons[18]]
    for one, other in zip(alone, reasons[18], strict=True):
        assert one.because == [(item, pytest.approx(share, abs=1e-4)) for item, share in other.because]
        assert (one.words, one.shared) == (other.words, other.shared)


def test_an_item_met_twice_is_named_once(pipeline: Pipeline) -> None:
    _, reasons = reasons_of(pipeline, Queries.of([[4, 9, 4, 4]]), 8)
    for reason in reasons[0]:
        named = [item for item, _ in reason.because]
        assert len(named) == len(set(named))


def test_a_boost_is_a_part_of_the_score(pipeline: Pipeline) -> None:
    queries = pipeline.data.queries(np.array([3]))
    slate = pipeline.recommend(queries, 4)
    boost = np.array([[0.0, 0.5, 0.0, -0.25]], np.float32)
    reasons = explain(pipeline, queries, slate.with_column(BOOST, boost))[0]
    assert [reason.sources.get(BOOST) for reason in reasons] == [None, 0.5, None, -0.25]
    for reason, score, added in zip(reasons, slate.column("score")[0], boost[0], strict=True):
        assert reason.score == pytest.approx(score + added, abs=1e-5)
        assert sum(reason.sources.values()) == pytest.approx(reason.score, abs=1e-4)


def test_as_json_everything_is_named(pipeline: Pipeline) -> None:
    queries = pipeline.data.queries(np.array([3]))
    slate = pipeline.recommend(queries, 4)
    ids, titles = pipeline.data.item_ids, titles_of(pipeline.data.items)
    entries = told(pipeline, queries, slate, lang="zh", without=True)[0]
    json.dumps(entries, allow_nan=False)
    for entry, reason in zip(entries, explain(pipeline, queries, slate)[0], strict=True):
        assert list(entry) == ["sources", "because", "shared", "words", "without", "text"]
        assert [one["item_id"] for one in entry["because"]] == [ids[item] for item, _ in reason.because]
        assert [one["title"] for one in entry["because"]] == [titles[item] for item, _ in reason.because]
        assert [one["item_id"] for one in entry["without"]] == [ids[item] for item, _ in reason.because]
        assert entry["sources"] == pytest.approx(reason.sources, abs=1e-6)
        assert entry["text"].startswith("因为")


def test_a_source_that_failed_is_not_asked_for_reasons(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(pipeline.sources["knn"], "parts", fails)
    fuser = Weighted(sources=tuple(pipeline.sources))
    fuser.shift = np.ones(1, np.float32)  # spread evenly, over what failed too
    guarded = replace(
        pipeline, fuser=fuser, guard=lambda tasks: {name: task() for name, task in tasks.items() if name != "knn"}
    )
    queries = guarded.data.queries(np.arange(2))
    cold = np.tile(shop.world().cold[:4], (2, 1)).astype(np.int32)
    for row in explain(guarded, queries, Slate(cold)):
        for reason in row:
            assert reason.sources["knn"] > 0
            assert sum(reason.sources.values()) == pytest.approx(reason.score, abs=1e-4)


def test_nothing_asked_is_nothing_told(pipeline: Pipeline) -> None:
    queries = pipeline.data.queries(np.arange(2))
    assert told(pipeline, queries, Slate(np.full((2, 3), -1, np.int32)), without=True) == [[], []]
    assert told(pipeline, queries, Slate(np.empty((2, 0), np.int32))) == [[], []]


def test_list_values_and_titles_bear_gaps() -> None:
    table = pa.table({"item_id": ["a", "b", "c"], "title": ["A", None, ""], "tags": [["x", None], None, []]})
    assert list_values(table) == [{"tags: x"}, set(), set()]
    assert titles_of(table) == ["A", "b", "c"]
    assert titles_of(table.select(["item_id"])) == ["a", "b", "c"]
