from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from query_samples import N_ITEMS, batches, item

from accord.core.arrays import Ragged
from accord.core.errors import InputError
from accord.core.queries import Queries


@given(batches())
def test_the_rules_open_exactly_what_may_be_shown(batch):
    queries, allowed = batch
    rules = queries.eligible(N_ITEMS)
    cells = np.ones((len(queries), N_ITEMS), np.float32)
    rules.fill(cells, 0.0)
    assert [set(np.flatnonzero(row).tolist()) for row in cells] == allowed
    assert rules.count.tolist() == [len(some) for some in allowed]


@given(batches(), st.integers(0, 5), st.integers(0, 5))
def test_a_part_of_the_rules_is_the_rules_of_the_part(batch, start, length):
    queries, _ = batch
    stop = min(start + length, len(queries))
    start = min(start, stop)
    part = queries.eligible(N_ITEMS).part(start, stop)
    alone = queries.take(np.arange(start, stop)).eligible(N_ITEMS)
    for name in ("open", "rows", "items", "count"):
        assert np.array_equal(getattr(part, name), getattr(alone, name))


@given(batches(), st.integers(1, 60))
def test_chunks_are_the_batch_in_order_and_within_bounds(batch, cells):
    queries, _ = batch
    chunks = list(queries.chunks(N_ITEMS, cells))
    assert all(len(chunk) == 1 or len(chunk) * N_ITEMS <= cells for chunk in chunks)
    assert [name for chunk in chunks for name in chunk.users] == queries.users.tolist()
    assert np.array_equal(np.concatenate([np.empty(0, int), *(c.tie_keys() for c in chunks)]), queries.tie_keys())
    assert [row.tolist() for c in chunks for row in c.history.ragged] == [r.tolist() for r in queries.history.ragged]


@given(st.lists(item, min_size=1, max_size=6), st.lists(item, max_size=6))
def test_tie_keys_are_drawn_from_the_history_alone(history, other):
    keys = Queries.of([history, other, history]).tie_keys()
    assert keys[0] == keys[2] == Queries.of([history], include_seen=True).tie_keys()[0]
    assert (keys[0] == keys[1]) == (sorted(history) == sorted(other))


@given(batches(), st.integers(1, 2**63 - 1))
def test_a_seed_draws_ties_anew_and_the_same_seed_the_same_way(batch, seed):
    queries = batch[0]
    seeded = replace(queries, seed=seed)
    assert np.array_equal(seeded.tie_keys(), replace(queries, seed=seed).tie_keys())
    assert (seeded.tie_keys() != queries.tie_keys()).all()
    chunks = [chunk.tie_keys() for chunk in seeded.chunks(N_ITEMS, N_ITEMS)]
    assert np.array_equal(np.concatenate([np.empty(0, int), *chunks]), seeded.tie_keys())


@pytest.mark.parametrize(
    ("place", "settings"),
    [
        ("history", {}),
        ("history", {"include_seen": True}),
        ("exclude", {"exclude": Ragged.of([[N_ITEMS]])}),
        ("candidates", {"candidates": np.array([-1])}),
    ],
)
def test_an_unknown_item_number_is_refused_before_anything_indexes_by_it(place, settings):
    queries = Queries.of([[N_ITEMS if place == "history" else 0]], **settings)
    with pytest.raises(InputError, match=f"{place}: not an item number") as caught:
        queries.eligible(N_ITEMS)
    assert caught.value.remedy == "Known: 0 to 10."


def test_a_mask_of_another_catalogue_is_refused():
    with pytest.raises(InputError, match="open: one flag an item is needed, 11"):
        Queries.of([[0]], open=np.ones(N_ITEMS + 1, bool)).eligible(N_ITEMS)


def test_compiling_leaves_the_mask_of_the_queries_alone():
    opened = np.ones(N_ITEMS, bool)
    mask = Queries.of([[0]], open=opened, candidates=np.array([3], np.int32)).eligible(N_ITEMS).open
    assert (opened.all(), np.flatnonzero(mask).tolist()) == (True, [3])


def test_exclusions_must_come_one_row_a_query():
    queries = replace(Queries.of([[0], [1]]), exclude=Ragged.of([[2]]))
    with pytest.raises(InputError, match="exclude: one row a query"):
        queries.eligible(N_ITEMS)


@given(batches(), st.integers(1, 60))
def test_circumstances_travel_with_their_queries(batch, cells):
    queries, _ = batch
    asked = replace(queries, context={"place": np.array([f"place{n}" for n in range(len(queries))], dtype=object)})
    places = [place for part in asked.chunks(N_ITEMS, cells) for place in part.context["place"]]
    assert places == [f"place{n}" for n in range(len(queries))]
