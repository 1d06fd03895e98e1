from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import shop
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.fuse.weighted import Weighted
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.reasons import Reason, evidence, explain, list_values, sentence, titles_of

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


def test_list_values_and_titles_bear_gaps() -> None:
    table = pa.table({"item_id": ["a", "b", "c"], "title": ["A", None, ""], "tags": [["x", None], None, []]})
    assert list_values(table) == [{"tags: x"}, set(), set()]
    assert titles_of(table) == ["A", "b", "c"]
    assert titles_of(table.select(["item_id"])) == ["a", "b", "c"]
