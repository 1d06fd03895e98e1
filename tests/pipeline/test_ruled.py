from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shop
from accord.core.arrays import Ragged
from accord.core.queries import Queries
from accord.core.slate import EMPTY, Slate
from accord.pipeline.eligible import with_rules
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.placements import Placement, Terms
from accord.pipeline.ruled import all_pins, labels, recommend_under, skipped
from accord.pipeline.rules import Rules
from stocked import DAY, START, stocked


@pytest.fixture(scope="module")
def stocked_pipeline(pipeline: Pipeline) -> Pipeline:
    return replace(pipeline, data=stocked(pipeline.data))


def placement(**values: Any) -> Placement:
    return Placement.model_validate(values)


def terms(**values: Any) -> Terms:
    return Terms.model_validate(values)


def some(pipeline: Pipeline, count: int = 12, **settings: Any) -> Queries:
    rng = np.random.default_rng(1)
    now = START + DAY * rng.integers(-10, 20, count)
    places = np.array(rng.choice(["de", "fr", "cn", None], count).tolist(), dtype=object)
    return pipeline.data.queries(np.arange(count), now=now.astype(float), context={"region": places}, **settings)


def lists(slate: Slate) -> list[list[int]]:
    return [[item for item in row if item != EMPTY] for row in slate.items.tolist()]


def column(pipeline: Pipeline, name: str) -> list[Any]:
    return pipeline.data.items[name].to_pylist()


def test_without_terms_the_list_is_the_pipelines_own(stocked_pipeline: Pipeline) -> None:
    queries = some(stocked_pipeline)
    made, plain = recommend_under(stocked_pipeline, queries, placement(n=9)), stocked_pipeline.recommend(queries, 9)
    assert np.array_equal(made.items, plain.items)
    assert made.columns.keys() == plain.columns.keys()


def test_no_queries_get_no_lists(stocked_pipeline: Pipeline) -> None:
    none = some(stocked_pipeline).take(np.arange(0))
    assert recommend_under(stocked_pipeline, none, placement(caps={"maker": 1}), 7).items.shape == (0, 7)


RULES = {"age": {"field": "posted", "max": "40d"}, "region": {"field": "regions"}, "stock": "stock"}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_row_sees_what_its_own_rules_leave(stocked_pipeline: Pipeline, data: st.DataObject) -> None:
    catalogue, n = stocked_pipeline.catalogue, stocked_pipeline.data.n_items
    size = data.draw(st.integers(1, 6))
    item = st.integers(0, n - 1)
    excluded = data.draw(st.none() | st.lists(st.lists(item, max_size=3), min_size=size, max_size=size))
    opened = data.draw(st.none() | st.just(np.arange(n) % 3 > 0))
    queries = some(stocked_pipeline, size, open=opened, exclude=None if excluded is None else Ragged.of(excluded))
    chosen = [
        Rules.model_validate({k: RULES[k] for k in data.draw(st.sets(st.sampled_from(list(RULES))))}) for _ in range(2)
    ]
    cells = np.ones((size, n), np.float32)
    with_rules(catalogue, queries, chosen).eligible(n).fill(cells, 0)
    plain = np.ones((size, n), np.float32)
    queries.eligible(n).fill(plain, 0)
    for row in range(size):
        mine = [catalogue.at(r, float(queries.now[row]), {"region": queries.context["region"][row]}) for r in chosen]
        assert np.array_equal(
            cells[row] > 0, np.logical_and.reduce([plain[row] > 0, *mine, *map(catalogue.fixed, chosen)])
        )


def test_a_batch_answers_as_single_requests_do(stocked_pipeline: Pipeline) -> None:
    made = placement(
        n=6,
        rules={**RULES, "filters": {"cost": {"max": 90, "unknown": "show"}}},
        caps={"maker": 1, "tags": 2},
        pins=[{"place": 2, "item": "i7"}],
        boosts=[{"values": {"tags": ["tag1"]}, "by": 1}],
        more_like={"items": ["i3"]},
    )
    queries = some(stocked_pipeline)
    whole = recommend_under(stocked_pipeline, queries, made)
    for row in range(len(queries)):
        alone = recommend_under(stocked_pipeline, queries.take(np.array([row])), made)
        assert lists(alone)[0] == lists(whole)[row]
        assert np.allclose(alone.column("score"), whole.column("score")[[row]], atol=1e-4, equal_nan=True)


def test_chunks_do_not_change_the_lists(stocked_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    made = placement(n=6, rules=RULES, caps={"maker": 1})
    whole = recommend_under(stocked_pipeline, some(stocked_pipeline), made)
    monkeypatch.setattr("accord.pipeline.ruled.CELLS", 4 * 2 * stocked_pipeline.data.n_items)
    assert lists(recommend_under(stocked_pipeline, some(stocked_pipeline), made)) == lists(whole)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_caps_leave_no_list_shorter_than_it_must_be(stocked_pipeline: Pipeline, most: int) -> None:
    queries, makers = some(stocked_pipeline), column(stocked_pipeline, "maker")
    slate = recommend_under(stocked_pipeline, queries, placement(n=40, caps={"maker": most}))
    for row, chosen in enumerate(lists(slate)):
        seen = set(queries.history.ragged[row].tolist())
        there = Counter(maker for item, maker in enumerate(makers) if item not in seen)
        possible = sum(count if maker is None else min(most, count) for maker, count in there.items())
        assert len(chosen) == min(40, possible)
        counts = Counter(makers[item] for item in chosen if makers[item] is not None)
        assert max(counts.values()) <= most


def test_a_request_makes_caps_stricter_and_rules_hold_together(stocked_pipeline: Pipeline) -> None:
    base = placement(n=10, caps={"maker": 3}, rules={"stock": "stock"})
    also = terms(caps={"maker": 1, "year": 4}, rules={"filters": {"cost": {"max": 60}}})
    makers, stock, cost = (column(stocked_pipeline, name) for name in ("maker", "stock", "cost"))
    for chosen in lists(recommend_under(stocked_pipeline, some(stocked_pipeline), base, also=also)):
        assert chosen
        assert max(Counter(makers[item] for item in chosen if makers[item]).values()) == 1
        assert all((stock[item] is None or stock[item] > 0) and cost[item] <= 60 for item in chosen)


def test_pins_stand_where_they_should_and_say_so(stocked_pipeline: Pipeline) -> None:
    queries = some(stocked_pipeline, 4)
    seen = stocked_pipeline.data.item_ids[queries.history.ragged[0][0]]
    others = [name for name in stocked_pipeline.data.item_ids if name != seen]
    free, shut, twice = others[:3]
    home = placement(
        n=5,
        rules={"blocked": [shut]},
        pins=[
            {"place": 1, "item": shut},
            {"place": 2, "item": free, "label": "sponsored"},
            {"place": 4, "item": seen, "label": "again"},
            {"place": 5, "item": "gone"},
            {"place": 9, "item": twice},
        ],
    )
    also = terms(pins=[{"place": 2, "item": twice}, {"place": 3, "item": others[3], "label": "asked"}])
    pins = all_pins(home, also)
    assert [pin.item for pin in pins] == [shut, free, seen, "gone", twice, others[3]]
    slate = recommend_under(stocked_pipeline, queries, home, also=also)
    ids = stocked_pipeline.data.item_ids
    for row in range(4):
        chosen = [ids[item] for item in lists(slate)[row]]
        assert (chosen[1], chosen[2], chosen[3]) == (free, others[3], seen)
        assert len(set(chosen)) == len(chosen) == 5
        assert shut not in chosen
        assert labels(slate, row, pins) == {1: "sponsored", 2: "asked", 3: "again"}
        assert [pin.item for pin in skipped(slate, row, pins)] == [shut, "gone", twice]
    assert labels(stocked_pipeline.recommend(queries, 5), 0, pins) == {}


def test_a_pin_is_skipped_where_its_row_may_not_see_it(stocked_pipeline: Pipeline) -> None:
    regions = column(stocked_pipeline, "regions")
    german = next(item for item, value in enumerate(regions) if value == ["de"])
    home = placement(n=5, rules={"region": "regions"}, pins=[{"place": 1, "item": f"i{german}"}])
    places = np.array(["de", "cn", "de"], dtype=object)
    queries = replace(some(stocked_pipeline, 3), context={"region": places})
    slate = recommend_under(stocked_pipeline, queries, home)
    assert (slate.items[:, 0] == german).tolist() == [True, False, True]
    excluded = replace(queries, exclude=Ragged.of([[german], [], []]))
    assert (recommend_under(stocked_pipeline, excluded, home).items[:, 0] == german).tolist() == [False, False, True]


def test_pinned_items_count_under_caps(stocked_pipeline: Pipeline) -> None:
    makers = column(stocked_pipeline, "maker")
    item = next(number for number, maker in enumerate(makers) if maker)
    home = placement(n=8, caps={"maker": 1}, pins=[{"place": 8, "item": f"i{item}"}])
    for chosen in lists(recommend_under(stocked_pipeline, some(stocked_pipeline), home)):
        assert chosen[7] == item
        assert all(makers[other] != makers[item] for other in chosen[:7])


def test_a_boost_lifts_and_a_bury_lowers(stocked_pipeline: Pipeline) -> None:
    queries, years = some(stocked_pipeline), column(stocked_pipeline, "year")

    def share(by: float) -> float:
        home = placement(n=8, boosts=[{"values": {"year": [1992]}, "by": by}] if by else [])
        shown = [item for row in lists(recommend_under(stocked_pipeline, queries, home)) for item in row]
        return float(np.mean([years[item] == 1992 for item in shown]))

    assert share(-10) < share(0) < share(1) < share(10)
    slate = recommend_under(stocked_pipeline, queries, placement(n=8, boosts=[{"items": ["i3"], "by": 1}]))
    found = slate.items == 3
    assert found.any()
    assert (slate.column("boost")[found] > 0).all()


def test_what_is_muted_is_not_shown(stocked_pipeline: Pipeline) -> None:
    queries = some(stocked_pipeline)
    first = stocked_pipeline.data.item_ids[stocked_pipeline.recommend(queries, 1).items[0, 0]]
    also = terms(mute={"items": [first], "values": {"maker": ["maker1"], "tags": ["tag2"]}})
    makers, tags = column(stocked_pipeline, "maker"), column(stocked_pipeline, "tags")
    for chosen in lists(recommend_under(stocked_pipeline, queries, placement(n=20), also=also)):
        assert chosen
        assert all(makers[item] != "maker1" and "tag2" not in (tags[item] or []) for item in chosen)
        assert stocked_pipeline.data.item_numbers[first] not in chosen


def group_share(chosen: list[int], group: int) -> float:
    return float(np.mean(shop.world().item_groups[chosen] == group))


def test_more_like_and_less_like_move_the_list(stocked_pipeline: Pipeline) -> None:
    world = shop.world()
    liked = next(item for item in range(80) if item not in world.cold)
    group = int(world.item_groups[liked])
    queries = Queries.of([[int(item)] for item in np.flatnonzero(world.item_groups != group)[:6]])
    home, also = placement(n=10), terms(more_like={"items": [f"i{liked}"]})
    more = lists(recommend_under(stocked_pipeline, queries, home, also=also))
    plain = lists(recommend_under(stocked_pipeline, queries, home))
    for asked, before in zip(more, plain, strict=True):
        assert liked not in asked
        assert group_share(asked, group) > group_share(before, group)
    friends = stocked_pipeline.data.queries(np.flatnonzero(world.user_groups == group)[:6])
    deep, less = placement(n=14), terms(less_like={"items": [f"i{liked}"]})  # a group has no ten items to spare
    before = lists(recommend_under(stocked_pipeline, friends, deep))
    after = lists(recommend_under(stocked_pipeline, friends, deep, also=less))
    assert np.mean([group_share(row, group) for row in after]) < np.mean([group_share(row, group) for row in before])
    assert not any(liked in row for row in after)


def test_values_liked_more_or_less_are_boosts(stocked_pipeline: Pipeline) -> None:
    queries = some(stocked_pipeline)
    for name, by in (("more_like", 1.0), ("less_like", -1.0)):
        said = recommend_under(stocked_pipeline, queries, placement(n=10, **{name: {"values": {"tags": ["tag1"]}}}))
        boosted = placement(n=10, boosts=[{"values": {"tags": ["tag1"]}, "by": by}])
        assert lists(said) == lists(recommend_under(stocked_pipeline, queries, boosted))


def test_popularity_alone_can_dislike(stocked_pipeline: Pipeline) -> None:
    popular = {"popular": stocked_pipeline.sources["popular"]}
    alone = replace(stocked_pipeline, sources=popular, fuser=type(stocked_pipeline.fuser)(sources=("popular",)))
    slate = recommend_under(alone, some(alone, 2), placement(n=5, less_like={"items": ["i1", "gone"]}))
    assert 1 not in slate.items
    assert slate.filled.all()


def test_unknown_ids_and_a_grown_mask_do_no_harm(stocked_pipeline: Pipeline) -> None:
    deleted = np.ones(stocked_pipeline.data.n_items, bool)
    queries = some(stocked_pipeline, 3)
    first = stocked_pipeline.recommend(queries, 1).items[:, 0]
    deleted[first] = False
    home = placement(n=5, more_like={"items": ["gone"]}, mute={"items": ["gone"]}, rules={"blocked": ["gone"]})
    slate = recommend_under(stocked_pipeline, replace(queries, open=deleted), home)
    assert not np.isin(slate.items, first).any()
    assert slate.filled.all()
