from dataclasses import replace

import numpy as np
import pytest

import shop
from accord.core.arrays import Ragged
from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.core.run import Run
from accord.core.slate import Slate
from accord.fuse.weighted import Weighted
from accord.models.popular import Popular
from accord.pipeline.pipeline import Pipeline


@pytest.fixture(params=["weighted", "rank"])
def fused(request: pytest.FixtureRequest, pipeline: Pipeline, ranked: Pipeline) -> Pipeline:
    return pipeline if request.param == "weighted" else ranked


def silent(pipeline: Pipeline) -> Pipeline:
    """The pipeline without popularity among its sources: it knows nothing of a person without history."""
    personal = {name: source for name, source in pipeline.sources.items() if name in ("knn", "content")}
    return replace(pipeline, sources=personal, fuser=Weighted(sources=tuple(personal)))


def items_of(slate: Slate, row: int = 0) -> list[int]:
    return slate.items[row][slate.filled[row]].tolist()


def test_known_people_get_full_lists_without_what_they_had(fused: Pipeline) -> None:
    queries = fused.data.queries()
    slate = fused.recommend(queries, 10)
    assert slate.filled.all()
    for row, history in enumerate(queries.history.ragged):
        assert not set(items_of(slate, row)) & set(history.tolist())
        assert len(set(items_of(slate, row))) == 10
    scores = slate.column("score")
    assert (np.diff(scores, axis=1) <= 0).all()


def test_lists_find_the_planted_group(pipeline: Pipeline) -> None:
    planted = shop.world()
    slate = pipeline.recommend(pipeline.data.queries(), 5)
    own = planted.item_groups[slate.items] == planted.user_groups[:, None]
    assert own.mean() > 0.9


def test_a_person_without_history_gets_what_is_popular(pipeline: Pipeline) -> None:
    slate = silent(pipeline).recommend(pipeline.queries(["nobody"]), 10)
    counts = pipeline.data.item_counts
    shown = items_of(slate)
    assert len(shown) == 10
    # Popularity sums weights, so it is compared with its own scores.
    best = np.sort(pipeline.fallback.popularity)[::-1][:10]
    np.testing.assert_allclose(pipeline.fallback.popularity[shown], best)
    np.testing.assert_allclose(slate.column("score")[0], best)
    assert (counts[shown] > 0).all()


def test_known_and_unknown_people_in_one_batch(pipeline: Pipeline) -> None:
    queries = silent(pipeline).queries(["u3", "nobody", "u5"])
    assert queries.history.lengths.tolist() == [
        len(pipeline.data.histories.ragged[3]),
        0,
        len(pipeline.data.histories.ragged[5]),
    ]
    assert np.isnan(queries.now).tolist() == [False, True, False]
    slate = silent(pipeline).recommend(queries, 5)
    assert slate.filled.all()


def test_no_queries_give_no_lists(pipeline: Pipeline) -> None:
    assert pipeline.recommend(pipeline.queries([]), 5).items.shape == (0, 5)


def test_excluded_items_are_never_shown(fused: Pipeline) -> None:
    queries = fused.data.queries(np.arange(8))
    first = fused.recommend(queries, 5)
    slate = fused.recommend(replace(queries, exclude=Ragged.of(first.items.tolist())), 20)
    for row in range(8):
        assert not set(items_of(slate, row)) & set(first.items[row].tolist())


def test_only_candidates_are_shown_and_all_of_them(fused: Pipeline) -> None:
    wanted = np.array([1, 5, 9, 20, 33], np.int32)
    queries = fused.data.queries(np.arange(20), candidates=wanted)
    slate = fused.recommend(queries, 10)
    for row, history in enumerate(queries.history.ragged):
        assert set(items_of(slate, row)) == set(wanted.tolist()) - set(history.tolist())


@pytest.mark.parametrize("user", ["u3", "nobody"])
def test_new_items_alone_and_a_single_candidate_are_shown_to_everybody(pipeline: Pipeline, user: str) -> None:
    cold = shop.world().cold
    for candidates in (cold, cold[:1]):
        for some in (pipeline, silent(pipeline)):
            slate = some.recommend(some.queries([user], candidates=candidates), 50)
            assert sorted(items_of(slate)) == candidates.tolist()
            assert np.isfinite(slate.column("score")[slate.filled]).all()


def test_seen_items_come_back_where_asked_for(fused: Pipeline) -> None:
    queries = fused.data.queries(np.arange(20), include_seen=True)
    slate = fused.recommend(queries, fused.data.n_items)
    assert (slate.filled.sum(axis=1) == fused.data.n_items).all()


def test_more_than_the_catalogue_gives_all_that_may_be_shown(fused: Pipeline) -> None:
    queries = fused.data.queries(np.arange(10))
    slate = fused.recommend(queries, 10_000)
    unseen = [fused.data.n_items - len(set(history.tolist())) for history in queries.history.ragged]
    assert slate.filled.sum(axis=1).tolist() == unseen


def test_somebody_who_had_everything_gets_an_empty_list(fused: Pipeline) -> None:
    slate = fused.recommend(Queries.of([list(range(fused.data.n_items)), [0]]), 3)
    assert slate.filled.sum(axis=1).tolist() == [0, 3]
    assert items_of(fused.recommend(Queries.of([list(range(fused.data.n_items))]), 3)) == []


def test_alone_or_in_a_batch_makes_no_difference(fused: Pipeline) -> None:
    queries = fused.data.queries()
    together = fused.recommend(queries, 8)
    for row in range(0, len(queries), 13):
        alone = fused.recommend(queries.take(np.array([row])), 8)
        assert alone.items[0].tolist() == together.items[row].tolist()
        np.testing.assert_allclose(alone.column("score")[0], together.column("score")[row], atol=1e-6)


def test_chunks_make_no_difference(fused: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    queries = fused.data.queries()
    whole = fused.recommend(queries, 8)
    monkeypatch.setattr(Queries.chunks, "__defaults__", (7 * fused.data.n_items,))
    assert len(list(queries.chunks(fused.data.n_items))) > 20
    assert fused.recommend(queries, 8).items.tolist() == whole.items.tolist()
    assert fused.score(queries, whole.items).items.tolist() == whole.items.tolist()


def test_compare_holds_the_fused_list_and_each_source_alone(fused: Pipeline) -> None:
    queries = fused.data.queries(np.arange(30))
    lists, slate = fused.compare(queries, 12), fused.recommend(queries, 12)
    assert set(lists) == {*fused.sources, "fused"}
    assert lists["fused"].items.tolist() == slate.items.tolist()
    for name, source in fused.sources.items():
        assert lists[name].items.tolist() == source.recommend(queries, 12).items.tolist()


def test_scores_of_recommended_items_are_those_of_the_list(fused: Pipeline) -> None:
    queries = fused.queries(["u0", "u1", "nobody", "u7"])
    slate = fused.recommend(queries, 15)
    again = fused.score(queries, slate.items)
    assert again.items.tolist() == slate.items.tolist()
    np.testing.assert_allclose(again.column("score"), slate.column("score"), atol=1e-6)
    for name in (*fused.sources, "events"):
        np.testing.assert_allclose(again.column(name), slate.column(name), atol=1e-6)


def test_score_keeps_the_asked_order_and_leaves_empty_places_empty(fused: Pipeline) -> None:
    queries = fused.data.queries(np.array([0, 1]))
    slate = fused.recommend(queries, 6)
    mixed = np.concatenate([slate.items[:, ::-1], np.full((2, 1), -1, np.int32)], axis=1)
    again = fused.score(queries, mixed)
    np.testing.assert_allclose(again.column("score")[:, 5::-1], slate.column("score"), atol=1e-6)
    assert np.isnan(again.column("score")[:, 6]).all()


def test_asked_items_are_found_among_all_offers(fused: Pipeline) -> None:
    queries = fused.data.queries(np.arange(12))
    items = fused.recommend(queries, 9).items
    found = list(fused.among_offers(queries, items))
    assert sum(len(one.queries) for one in found) == 12
    for one in found:
        np.testing.assert_array_equal(np.take_along_axis(one.everything.items, one.places, axis=1), one.asked.items)
        parts = fused.fuser.contributions_at(one.everything, one.places)
        np.testing.assert_allclose(parts.sum(axis=2), one.asked.column("score"), atol=1e-5)


def test_similar_leaves_the_item_itself_out_and_stays_in_its_group(fused: Pipeline) -> None:
    groups = shop.world().item_groups
    items = np.arange(fused.data.n_items, dtype=np.int32)
    slate = fused.similar(items, 5)
    assert not (slate.items == items[:, None]).any()
    same = (groups[slate.items] == groups[:, None]) & slate.filled
    assert same.sum() / slate.filled.sum() > 0.9


def test_similar_to_a_new_item_goes_by_content(pipeline: Pipeline) -> None:
    planted = shop.world()
    slate = pipeline.similar(planted.cold, 4)
    assert slate.filled.all()
    assert (planted.item_groups[slate.items] == planted.item_groups[planted.cold][:, None]).mean() > 0.9


def test_popularity_alone_knows_nothing_similar(pipeline: Pipeline) -> None:
    popular = {"popular": Popular().fit(pipeline.data, Run(cache=None))}
    alone = replace(pipeline, sources=popular, fuser=Weighted(sources=("popular",)))
    with pytest.raises(InputError, match="no source of this pipeline reads a history"):
        alone.similar(np.array([0], np.int32), 5)
    assert alone.recommend(alone.data.queries(), 5).filled.all()
