"""LightGCN: propagation beside plain matrices, people as their histories, links that tell what events do not."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array, random_array

pytest.importorskip("torch")

import torch
from killed import check_going_on

from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, CannotFit
from accord.core.queries import Queries
from accord.core.run import Run
from accord.models.lightgcn import LeftOut, LightGCN, LightGCNConfig, Net
from accord.models.linked_people import LinkedPeople
from accord.models.node_links import Link, link_edges
from accord.models.propagation import Propagation, Vectors, user_vectors
from accord.models.sequences import held_back
from accord.testing.planted import checkerboard

RUN = Run(cache=None)
CPU = torch.device("cpu")
SETTINGS = {"dim": 16, "epochs": 25, "patience": 0, "batch": 64, "lr": 2e-2, "average": 0.9}
USERS, ITEMS, OTHERS, DIM = 9, 7, 4, 5


def events_and_links() -> tuple[csr_array, csr_array]:
    """Weighted events of which one item and one user have none, and links between all sorts of nodes."""
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((USERS, ITEMS)) < 0.4, rng.uniform(0.5, 2, (USERS, ITEMS)), 0)
    dense[:, 3] = dense[2] = 0
    n = USERS + ITEMS + OTHERS
    links = random_array((n, n), density=0.15, rng=rng).toarray()
    links = np.triu(links, 1) + np.triu(links, 1).T
    return csr_array(dense.astype(np.float32)), csr_array(links.astype(np.float32))


def by_hand(events: csr_array, links: csr_array | None, first: np.ndarray, layers: int) -> tuple[np.ndarray, ...]:
    """All layers ``[K + 1, N, dim]`` of items, users and others, and degrees, by dense matrices."""
    n = len(first)
    whole = np.zeros((n, n)) if links is None else links.toarray().astype(float)
    whole[:ITEMS, ITEMS : ITEMS + USERS] += events.toarray().T
    whole[ITEMS : ITEMS + USERS, :ITEMS] += events.toarray()
    degrees = whole.sum(axis=1)
    scale = np.where(degrees > 0, 1 / np.sqrt(np.maximum(degrees, 1e-9)), 0)
    step = scale[:, None] * whole * scale
    out = [first]
    for _ in range(layers):
        out.append(step @ out[-1])
    return np.array(out), degrees


def layer_0(others: int) -> np.ndarray:
    first = np.random.default_rng(1).standard_normal((ITEMS + USERS + others, DIM))
    first[ITEMS : ITEMS + USERS] = 0
    return first


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("linked", [False, True])
def test_propagation_is_that_of_dense_matrices(layers, linked):
    events, links = events_and_links()
    first = layer_0(OTHERS if linked else 0)
    told, degrees = by_hand(events, links if linked else None, first, layers)
    graph = Propagation(events, links if linked else None, layers, CPU)
    others = torch.from_numpy(first[ITEMS + USERS :]).float() if linked else None
    found = graph.vectors(torch.from_numpy(first[:ITEMS]).float(), others)
    np.testing.assert_allclose(found.shown, told.mean(axis=0)[:ITEMS], atol=1e-5)
    worth = np.where(degrees > 0, np.maximum(degrees, 1e-9) ** -0.5, 1)[:ITEMS, None]
    np.testing.assert_allclose(found.read, worth * told[:-1].sum(axis=0)[:ITEMS] / (layers + 1), atol=1e-5)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_history_is_worth_what_the_user_is_in_the_graph(layers):
    events, _ = events_and_links()
    first = layer_0(0)
    told, _ = by_hand(events, None, first, layers)
    found = Propagation(events, None, layers, CPU).vectors(torch.from_numpy(first[:ITEMS]).float())
    np.testing.assert_allclose(user_vectors(events, found.read.numpy()), told.mean(axis=0)[ITEMS:], atol=1e-5)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_links_of_a_user_add_what_the_graph_says(layers):
    events, links = events_and_links()
    first = layer_0(OTHERS)
    told, degrees = by_hand(events, links, first, layers)
    items, others = torch.from_numpy(first[:ITEMS]).float(), torch.from_numpy(first[ITEMS + USERS :]).float()
    found = Propagation(events, links, layers, CPU).vectors(items, others)
    sums = events @ found.read.numpy() + found.linked.numpy()
    scale = degrees[ITEMS : ITEMS + USERS, None] ** -0.5
    np.testing.assert_allclose(scale * sums, told.mean(axis=0)[ITEMS : ITEMS + USERS], atol=1e-5)


@pytest.mark.parametrize("linked", [False, True])
def test_gradients_go_back_along_all_edges(linked):
    events, links = events_and_links()
    graph = Propagation(events, links if linked else None, 3, CPU)
    items = torch.randn(ITEMS, DIM, requires_grad=True)
    others = torch.randn(OTHERS, DIM, requires_grad=True)
    found = graph.vectors(items, others if linked else None)
    toward, read = torch.randn(ITEMS, DIM), torch.randn(ITEMS, DIM)
    ((found.shown * toward) + (found.read * read)).sum().backward()
    for number in range(ITEMS + (OTHERS if linked else 0)):
        unit = np.zeros((ITEMS + OTHERS, DIM), np.float32)
        unit[number] = 1  # the map is linear, so its gradient along a direction is its value there
        parts = torch.from_numpy(unit)
        moved = graph.vectors(parts[:ITEMS], parts[ITEMS:] if linked else None)
        slope = float(((moved.shown * toward) + (moved.read * read)).sum())
        gradient = torch.cat([items.grad, others.grad if linked else torch.zeros(OTHERS, DIM)])
        assert float(gradient[number].sum()) == pytest.approx(slope, abs=1e-4)


def task(**settings) -> LeftOut:
    events, _ = events_and_links()
    config = LightGCNConfig(dim=DIM, **settings)
    known = np.diff(events.tocsc().indptr) > 0
    from accord.models.item_table import ItemTable

    net = Net(ItemTable(known, DIM, "id", {}, 1.0), 0, DIM)
    held = held_back(checkerboard().data, np.random.default_rng(0), wanted=False)[1]
    return LeftOut(net, config, Propagation(events, None, 2, CPU), events, held, np.arange(0), known)


def test_an_event_is_predicted_from_the_others_of_its_user():
    one, (events, _) = task(), events_and_links()
    read = torch.randn(ITEMS, DIM)
    picked = np.random.default_rng(0).permutation(one.pairs)
    states = one._states(picked, Vectors(read, read, None))
    for event, state in zip(picked, states, strict=True):
        rest = events.toarray()[one.users[event]]
        rest[events.indices[event]] = 0
        np.testing.assert_allclose(state, user_vectors(csr_array(rest[None]), read.numpy())[0], atol=1e-5)


def test_what_else_the_user_has_is_no_negative():
    one, (events, _) = task(), events_and_links()
    targets = one._targets(one.pairs)
    numbers = one.number.numpy()
    for row, event in enumerate(one.pairs):
        mine = set(numbers[np.flatnonzero(events.toarray()[one.users[event]])].tolist())
        assert targets.items[row].item() == numbers[events.indices[event]]
        assert set(targets.seen_items[targets.seen_rows == row].tolist()) == mine


def test_somebody_with_one_event_teaches_nothing():
    one, (events, _) = task(), events_and_links()
    assert set(one.users[one.pairs]) == set(np.flatnonzero(np.diff(events.indptr) > 1))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropped_events_are_not_read(dropout):
    torch.manual_seed(0)
    one = task(dropout=dropout)
    worth = one._worth(np.repeat(np.arange(len(one.items)), 200))
    assert (worth == 0).mean() == pytest.approx(dropout, abs=0.03)
    assert torch.isfinite(one.loss(one.pairs)[0])


GROUPS, EACH, PEOPLE = 4, 40, 15


def sparse_groups(kind: str) -> tuple[Dataset, np.ndarray]:
    """People of four groups with two items each of the forty of their group, too few to tell which belong together;
    links (of friends, or of items to a maker) tell it. Users and items go by the same ids."""
    rng = np.random.default_rng(0)
    item_groups, groups = np.arange(GROUPS).repeat(EACH), np.arange(GROUPS).repeat(PEOPLE)
    items = np.concatenate([rng.choice(np.flatnonzero(item_groups == group), 2, replace=False) for group in groups])
    rows = np.arange(len(groups)).repeat(2)
    events = pa.table({"user": rows.astype(np.int32), "item": items.astype(np.int32), "weight": [1.0] * len(rows)})
    if kind == "friends":
        ends = [(a, b) for a in range(len(groups)) for b in range(a) if groups[a] == groups[b]]
        ends = [ends[place] for place in rng.permutation(len(ends))[: len(ends) // 2]]
        told = {"head": [str(a) for a, _ in ends], "tail": [str(b) for _, b in ends]}
    else:
        told = {"head": [str(n) for n in range(len(item_groups))], "tail": [f"m{group}" for group in item_groups]}
    links = pa.table({**told, "relation": ["r"] * len(told["head"])})
    names = [[str(number) for number in range(GROUPS * n)] for n in (EACH, PEOPLE)]
    return Dataset(
        events, pa.table({"item_id": names[0]}), pa.table({"user_id": names[1]}), links={kind: links}
    ), item_groups


def right(source: LightGCN, data: Dataset, groups: np.ndarray) -> float:
    """How many of the best five new items are of the own group, for the people of the data."""
    mine = groups[data.histories.items[::2]]
    return float((groups[source.offer(data.queries(), 5).items] == mine[:, None]).mean())


LINKED = {**SETTINGS, "similarity": "cosine", "temperature": 0.3, "layers": 4}


@pytest.mark.parametrize(
    ("kind", "link"), [("friends", {"head": "users", "tail": "users"}), ("makers", {"head": "items"})]
)
def test_links_tell_what_events_do_not(kind, link):
    data, groups = sparse_groups(kind)
    without = LightGCN(**LINKED).fit(data, RUN)
    with_links = LightGCN(**LINKED, links={kind: {**link, "weight": 3.0}}).fit(data, RUN)
    assert right(with_links, data, groups) > 0.85
    assert right(without, data, groups) < 0.65


def test_friends_are_of_those_who_have_them_and_survive_saving():
    data, groups = sparse_groups("friends")
    links = {"friends": {"head": "users", "tail": "users"}}
    source = LightGCN(**LINKED, links=links).fit(data, RUN)
    told = data.queries()
    strangers = replace(told, users=np.array([f"s{user}" for user in told.users], dtype=object))
    bare = source._compared(user_vectors(data.matrix, source.read)) @ source.shown.T
    seen = np.flatnonzero(source.placed)
    np.testing.assert_allclose(source._scores(strangers)[:, seen], bare[:, seen], atol=1e-5)
    assert np.abs(source._scores(told) - source._scores(strangers)).max() > 0.1
    silent = replace(Queries.of([[]]), users=strangers.users[:1])
    assert source.scored(silent).facts["spread"][0] == 0
    alone = source.offer(replace(silent, users=told.users[:1]), 5)
    assert (groups[alone.items[0]] == 0).mean() > 0.7
    loaded = LightGCN(**source.config.model_dump(mode="python")).load_state(source.state())
    np.testing.assert_array_equal(loaded._scores(told), source._scores(told))
    with pytest.raises(ArtefactError, match="lacks"):
        LightGCN(**LINKED).load_state({name: part for name, part in source.state().items() if name != "people.sums"})


def test_people_are_found_by_their_ids():
    ids, sums = np.array(["a", "b", "c"], dtype=object), np.arange(6, dtype=np.float32).reshape(3, 2)
    people = LinkedPeople.of(ids, sums, np.array([1, 0, 2], np.float32))
    found, weights = people.found(np.array(["c", "x", "b", "a"], dtype=object))
    assert found.tolist() == [[4, 5], [0, 0], [0, 0], [0, 1]]
    assert weights.tolist() == [2, 0, 0, 1]
    nobody = LinkedPeople.of(ids, sums, np.zeros(3, np.float32))
    assert nobody.found(ids)[1].tolist() == [0, 0, 0]


def test_an_item_without_events_is_where_its_links_are():
    data, groups = sparse_groups("makers")
    more = pa.table({"item_id": [f"n{group}" for group in range(GROUPS)]})
    told = pa.table({"head": more["item_id"], "tail": [f"m{g}" for g in range(GROUPS)], "relation": ["r"] * GROUPS})
    new = replace(
        data,
        items=pa.concat_tables([data.items, more]),
        links={"makers": pa.concat_tables([data.links["makers"], told.select(data.links["makers"].column_names)])},
    )
    source = LightGCN(**LINKED, links={"makers": Link(head="items")}).fit(new, RUN)
    arrived = np.arange(len(groups), len(groups) + GROUPS, dtype=np.int32)
    asked = Queries.of([[item] for item in range(len(groups))], candidates=arrived)
    assert (source.offer(asked, 1).items[:, 0] - len(groups) == groups).mean() > 0.9


def test_links_are_read_by_what_their_ends_are():
    data, groups = sparse_groups("friends")
    kg = pa.table({"head": ["3", "3", "7", "x", "x", "gone"], "tail": ["x", "x", "x", "x", "y", "x"]})
    data = replace(data, links={**data.links, "kg": kg})
    links = {"kg": Link(weight=0.5, head="items"), "friends": Link(weight=2.0, head="users", tail="users")}
    total, others = link_edges(data, links)
    n, first = len(groups), data.n_items + data.n_users
    assert others == 2
    assert total[3, first] == total[first, 7] == 0.5
    ends = data.links["friends"].slice(0, 1).to_pylist()[0]
    assert (
        total[n + int(ends["head"]), n + int(ends["tail"])] == total[n + int(ends["tail"]), n + int(ends["head"])] == 2
    )
    assert total[:n].nnz == 2
    whole = link_edges(data, {"kg": Link(weight=0.5, head="things", tail="things")})
    assert whole[1] == 5


def test_ambiguous_and_missing_links_are_said():
    data, _ = sparse_groups("friends")
    with pytest.raises(CannotFit, match=r"users and items alike.*head"):
        LightGCN(links={"friends": 1.0}).fit(data, RUN)
    with pytest.raises(CannotFit, match="There are: friends"):
        LightGCN(links={"family": 1.0}).fit(data, RUN)
    assert link_edges(replace(data, links={"friends": data.links["friends"].slice(0, 0)}), {"friends": Link()}) == (
        None,
        0,
    )


def test_plain_weights_are_read_where_ids_are_clear():
    data, groups = sparse_groups("makers")
    names = pa.table({"user_id": [f"u{number}" for number in range(data.n_users)]})
    source = LightGCN(**LINKED, links={"makers": 3.0}).fit(replace(data, users=names), RUN)
    assert right(source, data, groups) > 0.8


def test_ids_alone_leave_new_items_last_and_silent_people_silent():
    world = checkerboard()
    source = LightGCN(**SETTINGS).fit(world.data, RUN)
    scores = source.scored(Queries.of([[1, 2], []])).scores
    assert (scores[0, world.cold] == np.min(scores[0][np.isfinite(scores[0])])).all()
    assert source.scored(Queries.of([[]])).facts["spread"][0] == 0


def test_what_was_held_back_is_an_edge_in_the_end(monkeypatch):
    data, seen = checkerboard().data, []

    class Watched(Propagation):
        def __init__(self, edges, *rest) -> None:
            seen.append(edges.nnz)
            super().__init__(edges, *rest)

    monkeypatch.setattr("accord.models.lightgcn.Propagation", Watched)
    source = LightGCN(**{**SETTINGS, "patience": 30, "epochs": 2}).fit(data, RUN)
    assert seen[1] == data.matrix.nnz > seen[0]
    assert source.trained is not None
    assert np.isfinite(source.trained.figures).all()


@pytest.mark.parametrize("loss", [{"loss": "softmax"}, {"loss": "bpr", "negatives": 8, "dropout": 0.2}])
def test_a_killed_fit_goes_on(tmp_path, monkeypatch, loss):
    settings = {**SETTINGS, "patience": 20, "epochs": 6, **loss}
    check_going_on(lambda: LightGCN(**settings), checkerboard().data, tmp_path, monkeypatch)


def test_an_event_without_company_cannot_be_learned_from():
    data, _ = sparse_groups("friends")
    with pytest.raises(CannotFit, match="two events"):
        LightGCN(**SETTINGS).fit(data.with_events(np.arange(data.n_events) % 2 == 0), RUN)
