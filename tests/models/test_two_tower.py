"""Two towers: histories, attributes and circumstances each tell what they can; several interests are kept apart."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")

import torch
from killed import check_going_on

from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, CannotFit, InputError
from accord.core.queries import Queries
from accord.core.run import Run
from accord.learn.packed import Packed
from accord.models.features import Features
from accord.models.mining import Met, Miner
from accord.models.tower_task import Examples
from accord.models.towers import UserTower, nearest
from accord.models.two_tower import TwoTower, TwoTowerConfig
from accord.testing.planted import GROUPS, checkerboard

RUN = Run(cache=None)
SETTINGS = {"dim": 16, "epochs": 15, "patience": 0, "batch": 128, "lr": 2e-2, "average": 0.9}
WORLD = checkerboard()


def told(seed: int = 0) -> tuple[Dataset, np.ndarray]:
    """Groups of items that are touched by the place and by the city of the person alone: nothing in a history tells
    which comes next. Returns the group of each item too."""
    rng = np.random.default_rng(seed)
    users, events, n = 120, 6, 24
    groups = np.arange(n) % 4
    cities = np.array(["north", "south"])[rng.integers(2, size=users)]
    user = np.repeat(np.arange(users), events)
    place = rng.integers(2, size=len(user))
    group = 2 * (cities[user] == "south") + place
    item = group + 4 * rng.integers(n // 4, size=len(user))
    time = np.tile(np.arange(events), users) * 3600.0 * 5
    events_table = pa.table(
        {
            "user": user.astype(np.int32),
            "item": item.astype(np.int32),
            "weight": np.ones(len(user), np.float32),
            "timestamp": time,
            "place": np.array(["home", None, "work"], object)[np.where(rng.random(len(user)) < 0.1, 1, 2 * place)],
        }
    )
    people = pa.table({"user_id": [f"u{number}" for number in range(users)], "city": cities})
    items = pa.table({"item_id": [f"i{number}" for number in range(n)]})
    return Dataset(events_table.sort_by("timestamp"), items, people, order="time"), groups


def best_groups(source: TwoTower, groups: np.ndarray, queries: Queries) -> np.ndarray:
    return groups[source.offer(replace(queries, include_seen=True), 3).items]


@pytest.fixture(scope="module")
def placed_people() -> tuple[TwoTower, Dataset, np.ndarray]:
    data, groups = told()
    return TwoTower(**SETTINGS, attributes=("city",), context=("place",)).fit(data, RUN), data, groups


def test_people_never_met_are_answered_by_what_the_request_says(placed_people):
    source, _, groups = placed_people
    context = {"city": np.array(["north", "south"] * 2, object), "place": np.array(["home"] * 2 + ["work"] * 2, object)}
    answered = best_groups(source, groups, Queries.of([[]] * 4, context=context))
    assert (answered == np.array([[0], [2], [1], [3]])).all()


def test_what_was_known_at_the_fit_is_found_by_the_user_s_id(placed_people):
    source, data, groups = placed_people
    cities = np.array(data.users["city"].to_pylist())
    nobody = replace(Queries.of([[]] * data.n_users), users=data.user_ids)
    answered = best_groups(source, groups, nobody)
    assert ((answered >= 2) == (cities == "south")[:, None]).mean() > 0.95
    moved = {"city": np.where(cities == "south", "north", "south").astype(object)}
    assert (
        (best_groups(source, groups, replace(nobody, context=moved)) < 2) == (cities == "south")[:, None]
    ).mean() > 0.95


def test_what_is_unknown_is_as_if_it_were_not_said(placed_people):
    source, _, _ = placed_people
    strange = {"city": np.array(["mars", None], object), "place": np.array(["ship", None], object)}
    said = source.scored(Queries.of([[1, 2]] * 2, context=strange)).scores
    silent = source.scored(Queries.of([[1, 2]])).scores
    np.testing.assert_allclose(said, np.repeat(silent, 2, axis=0), atol=1e-6)
    assert source.scored(Queries.of([[]])).facts["spread"][0] > 0


def test_a_history_tells_the_city_of_a_stranger(placed_people):
    source, data, groups = placed_people
    history = data.histories
    stranger = Queries.of([row.tolist() for row in history.ragged])
    south = np.array(data.users["city"].to_pylist()) == "south"
    assert ((best_groups(source, groups, stranger) >= 2) == south[:, None]).mean() > 0.9


def test_the_hour_tells_what_comes():
    data, groups = told()
    hours = data.event_times // 3600 % 24
    item = (4 * (data.event_items // 4) + np.where(hours < 12, 0, 1)).astype(np.int32)
    events = data.events.set_column(data.events.column_names.index("item"), "item", pa.array(item))
    source = TwoTower(**SETTINGS, clock=("hour", "weekday")).fit(replace(data, events=events), RUN)
    queries = replace(Queries.of([[], []]), now=np.array([5 * 3600.0, 20 * 3600.0]))
    assert (best_groups(source, groups, queries) == [[0], [1]]).all()
    unordered = replace(data, order="row", events=data.events.drop_columns(["timestamp"]))
    with pytest.raises(CannotFit, match="clock"):
        TwoTower(**SETTINGS, clock=("hour",)).fit(unordered, RUN)


@pytest.mark.parametrize("settings", [{"attributes": ("age",)}, {"context": ("device",)}], ids=str)
def test_columns_that_are_not_there_are_said(settings):
    data, _ = told()
    with pytest.raises(CannotFit, match="have no column"):
        TwoTower(**SETTINGS, **settings).fit(data, RUN)


def test_lists_are_no_attribute():
    data, _ = told()
    several = data.users.append_column("tags", pa.array([["a", "b"]] * data.n_users))
    with pytest.raises(CannotFit, match="several values a row"):
        TwoTower(**SETTINGS, attributes=("tags",)).fit(replace(data, users=several), RUN)


def test_classes_of_events_and_queries_are_the_same():
    data, _ = told()
    features = Features.of(data, ("city",), ("place",), ("hour", "weekday"))
    assert features.sizes == (3, 3, 25, 8)
    known = {"place": np.array(data.events["place"].to_pylist(), object)}
    asked = Queries.of([[]] * data.n_events, context=known)
    asked = replace(asked, users=data.user_ids[data.event_users], now=data.event_times)
    np.testing.assert_array_equal(features.of_queries(asked), features.of_events(data))
    assert (features.of_events(data)[:, 1] == 0).mean() == pytest.approx(0.1, abs=0.05)
    wednesday = replace(Queries.of([[]]), now=np.array([1_700_000_000.0]))  # 14 November 2023 22:13, a Tuesday
    assert features.of_queries(wednesday)[0].tolist() == [0, 0, 23, 2]
    whole = data.users.set_column(1, "city", pa.array([7.0] * data.n_users))
    numbers = Features.of(replace(data, users=whole), ("city",), (), ())
    assert numbers.of_queries(Queries.of([[]], context={"city": np.array([7], object)}))[0, 0] == 1


@pytest.mark.parametrize("pooling", ["mean", "attention"])
@pytest.mark.parametrize("interests", [1, 3])
@pytest.mark.parametrize("ordered", [True, False])
def test_states_while_training_are_those_when_a_list_is_asked_for(pooling, interests, ordered):
    torch.manual_seed(0)
    config = TwoTowerConfig(dim=8, pooling=pooling, interests=interests, tau=3.0, last=4)
    tower = UserTower(config, (), ordered)
    for weights in tower.parameters():
        torch.nn.init.normal_(weights, std=0.5)
    items, lengths = torch.tensor([1, 2, 3, 1, 5, 6]), np.array([4, 2])
    vectors, weights = torch.randn(7, 8)[items], torch.rand(6) + 0.5
    every = tower.every(vectors, weights, Packed.of(lengths), items)
    for row, (start, end) in enumerate([(0, 4), (4, 6)]):
        for at in range(start, end):
            read = [n for n in range(start, end) if (n <= at if ordered else items[n] != items[at])]
            alone = tower.newest(vectors[read], weights[read], torch.tensor([len(read)]))
            torch.testing.assert_close(every[at], alone[0], msg=f"row {row}, event {at}")


def test_the_mean_is_the_recency_weighted_one():
    tower = UserTower(TwoTowerConfig(dim=4, pooling="mean", tau=2.0), (), ordered=True)
    vectors, weights = torch.randn(5, 4), torch.tensor([1.0, 2, 1, 1, 3])
    ages = torch.tensor([2.0, 1, 0, 1, 0])
    shares = weights * torch.exp(-ages / 2)
    wanted = [shares[part] @ vectors[part] / shares[part].sum() for part in (slice(3), slice(3, 5))]
    pooled = tower.newest(vectors, weights, torch.tensor([3, 2, 0]))[:, 0]
    torch.testing.assert_close(pooled, torch.stack([*wanted, torch.zeros(4)]))


def test_each_target_teaches_the_interest_nearest_to_it():
    states, targets = torch.randn(5, 3, 4), torch.randn(5, 2, 4)
    weights = torch.tensor([[1.0, 0.0]] * 4 + [[0.3, 0.7]])
    chosen = nearest(states, targets, weights)
    for row in range(5):
        scores = [float(states[row, k] @ (weights[row] @ targets[row])) for k in range(3)]
        torch.testing.assert_close(chosen[row], states[row, int(np.argmax(scores))])


def test_two_interests_are_served_beside_each_other():
    """Somebody of two groups: the best of several vectors finds both, where one lies between them."""
    source = TwoTower(**{**SETTINGS, "epochs": 25}, interests=4, similarity="cosine", temperature=0.2).fit(
        WORLD.data, RUN
    )
    warm = [np.flatnonzero((WORLD.item_groups == g) & (WORLD.data.item_counts > 0)) for g in range(GROUPS)]
    mixed = [[*warm[0][:3], *warm[1][:3]], [*warm[2][:3], *warm[3][:3]]]
    items = source.offer(Queries.of(mixed), 8).items
    assert set(WORLD.item_groups[items[0]]) == {0, 1}
    assert set(WORLD.item_groups[items[1]]) == {2, 3}
    vectors = source._interests(Queries.of(mixed))
    scores = np.max([vectors[:, k] @ source.vectors.T for k in range(4)], axis=0)
    np.testing.assert_allclose(source._scores(Queries.of(mixed))[:, warm[0]], scores[:, warm[0]], atol=1e-5)


def test_one_vector_a_person_where_there_is_one():
    one, several = (TwoTower(**{**SETTINGS, "epochs": 1}, interests=n).fit(WORLD.data, RUN) for n in (1, 2))
    asked = WORLD.data.queries()
    np.testing.assert_allclose(
        (one.user_vectors(asked) @ one.item_vectors.T)[:, WORLD.data.item_counts > 0],
        one._scores(asked)[:, WORLD.data.item_counts > 0],
        atol=1e-5,
    )
    assert several.item_vectors.shape == (WORLD.data.n_items, 16)
    with pytest.raises(InputError, match="interests 2"):
        several.user_vectors(asked)


def test_negative_events_are_left_out():
    data = WORLD.data
    weights = np.where(np.arange(data.n_events) % 3 == 0, -1.0, 1.0).astype(np.float32)
    place = data.events.column_names.index("weight")
    mixed = replace(data, events=data.events.set_column(place, "weight", pa.array(weights)))
    ours = TwoTower(**{**SETTINGS, "epochs": 2}).fit(mixed, RUN)
    theirs = TwoTower(**{**SETTINGS, "epochs": 2}).fit(mixed.with_events(weights > 0), RUN)
    np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=1e-5)
    liked = mixed.with_events(weights > 0)
    np.testing.assert_allclose(ours._scores(mixed.queries()), ours._scores(liked.queries()), atol=1e-5)


@pytest.mark.parametrize("order", ["time", "none"])
def test_what_is_held_back_is_neither_read_nor_a_target(order):
    data = replace(told()[0], order=order)
    config = TwoTowerConfig(patience=4)
    features = Features.of(data, (), ("place",), ())
    examples = Examples.of(data, features, config, np.random.default_rng(0))
    assert len(examples.held.items) == data.n_users // 10
    places = set(examples.windows.history.items.tolist())
    assert len(places) == data.n_events - len(examples.held.items)
    missing = np.array(sorted(set(range(data.n_events)) - places))
    np.testing.assert_array_equal(np.sort(data.event_items[missing]), np.sort(examples.held.items))
    by_user = np.argsort(data.event_users[missing])
    np.testing.assert_array_equal(examples.classes[missing][by_user], examples.held_classes)


def test_the_hardest_are_the_highest_of_what_is_not_met():
    rng = np.random.default_rng(0)
    vectors, states = rng.standard_normal((30, 4)).astype(np.float32), rng.standard_normal((6, 2, 4)).astype(np.float32)
    items = (2 * np.arange(30)).astype(np.int32)
    matrix = WORLD.data.histories.take(np.arange(6)).matrix(60)
    found = Miner(vectors, items, Met.of(matrix), "exact", states[:, 0]).hardest(states, np.arange(6), 5)
    for user in range(6):
        scores = np.max(states[user] @ vectors.T, axis=0)
        scores[np.isin(items, matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]])] = -np.inf
        assert found[user].tolist() == np.argsort(-scores)[:5].tolist()
    few = Miner(vectors[:3], items[:3], Met(np.arange(6) * 60, 60), "exact", states[:, 0]).hardest(
        states, np.arange(6), 5
    )
    assert ((few >= 0).sum(axis=1) == 2).all()


@pytest.mark.parametrize("loss", ["sampled", "in_batch", "gbce", "bpr"])
def test_hard_negatives_join_the_others(loss):
    source = TwoTower(**SETTINGS, loss=loss, negatives=8, hard=3).fit(WORLD.data, RUN)
    offered = source.offer(WORLD.data.queries(), 3).items
    assert (WORLD.item_groups[offered] == WORLD.user_groups[:, None]).mean() > 0.9


@pytest.mark.parametrize("changes", [{}, {"loss": "in_batch", "hard": 3}], ids=str)
def test_a_killed_fit_goes_on(tmp_path, monkeypatch, changes):
    settings = {**SETTINGS, "patience": 20, "epochs": 6, "attributes": ("city",), **changes}
    check_going_on(lambda: TwoTower(**settings), told()[0], tmp_path, monkeypatch)


def test_a_foreign_network_is_refused():
    source = TwoTower(**SETTINGS, hidden=8).fit(WORLD.data, RUN)
    state = source.state()
    with pytest.raises(ArtefactError, match="does not fit"):
        TwoTower(**{**SETTINGS, "hidden": 4}).load_state(state)
    with pytest.raises(ArtefactError, match="lacks"):
        TwoTower(**SETTINGS, hidden=8).load_state({k: v for k, v in state.items() if not k.startswith("features/")})
