"""Sequential reads what was done, with which value and in which circumstances, and its heads say ratings and clicks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")

import torch
from killed import check_going_on

from accord.core.arrays import Longs
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, CannotFit, InputError
from accord.core.history import History, kind_code
from accord.core.queries import Queries
from accord.core.run import Run
from accord.core.slate import EMPTY
from accord.learn.packed import Packed
from accord.models.logged import Cut, Log
from accord.models.reader import Kinds, Known, Reader, Values
from accord.models.sequential import Sequential, SequentialConfig
from accord.models.tasks import weights_of
from accord.models.told import Told

RUN = Run(cache=None)
N, USERS, LENGTH = 12, 120, 6
SETTINGS = {"dim": 16, "epochs": 16, "patience": 0, "batch": 50, "dropout": 0.1, "lr": 1e-2, "average": 0.9, "ahead": 1}
STEPS = {"near": 1, "far": 2}
"""Forward on a circle, so that nobody comes back."""


def log(item: Longs, **columns: Any) -> Dataset:
    """A log of ``USERS`` people with ``LENGTH`` events each; ``item``: ``int[USERS, LENGTH]``."""
    user = np.repeat(np.arange(USERS), LENGTH).astype(np.int32)
    times = np.tile(np.arange(LENGTH) * 86_400.0 * 7, USERS)
    own = {"user": user, "item": item.ravel().astype(np.int32), "weight": np.ones(len(user), np.float32)}
    events = pa.table({**own, "timestamp": times, **columns})
    items = pa.table({"item_id": [f"i{number}" for number in range(N)]})
    return Dataset(events, items, pa.table({"user_id": [f"u{number}" for number in range(USERS)]}), order="time")


def walks() -> tuple[np.ndarray, Longs]:
    """Walks on a circle, and a word an event: it says where the next lies."""
    rng = np.random.default_rng(0)
    words = rng.choice(list(STEPS), (USERS, LENGTH))
    steps = np.vectorize(STEPS.get)(words)
    moves = np.concatenate([rng.integers(N, size=(USERS, 1)), steps[:, :-1]], axis=1)
    return words.ravel(), moves.cumsum(axis=1) % N


def hits(source: Sequential, kinds: np.ndarray | None = None, values: np.ndarray | None = None, **asked: Any) -> float:
    """How often, of people at each item, the first of the list lies where the word says: near, then far."""
    here = np.tile(np.arange(N), 2)
    history = replace(History.of([[int(item)] for item in here]), kinds=kinds, values=values)
    queries = replace(Queries.of([[0]] * len(here), **asked), history=history)
    wanted = (here + np.repeat([1, 2], N)) % N
    return float((source.offer(queries, 1).items[:, 0] == wanted).mean())


def test_kinds_say_where_it_goes() -> None:
    words, item = walks()
    data = log(item, event=words)
    source = Sequential(**SETTINGS).fit(data, RUN)
    kinds = np.repeat([kind_code("near"), kind_code("far")], N).astype(np.int32)
    assert source.reads_told
    assert hits(source, kinds) > 0.75
    assert hits(source) <= 0.6  # of those who do not say it, half go elsewhere
    assert hits(source, np.full(2 * N, kind_code("never heard"), np.int32)) <= 0.6
    deaf = Sequential(**{**SETTINGS, "epochs": 1}, kinds=False).fit(data, RUN)
    assert not deaf.reads_told
    assert hits(deaf, kinds) == hits(deaf)


def test_values_say_where_it_goes() -> None:
    words, item = walks()
    source = Sequential(**{**SETTINGS, "epochs": 30}).fit(log(item, value=np.where(words == "near", 5.0, 1.0)), RUN)
    assert hits(source, values=np.repeat(np.float32([5, 1]), N)) > 0.75
    assert hits(source) <= 0.6


def halves() -> tuple[np.ndarray, Longs]:
    """Random items, those at home from the first half of the catalogue, those on a train from the second."""
    rng = np.random.default_rng(2)
    item = np.argsort(rng.random((USERS, N)), axis=1)[:, :LENGTH]
    return np.where(item < N // 2, "home", "train").ravel(), item


def share_of_first_half(source: Sequential, **asked: Any) -> float:
    """Among the best three of people at each item."""
    return float((source.offer(Queries.of([[item] for item in range(N)], **asked), 3).items < N // 2).mean())


def test_circumstances_choose() -> None:
    words, item = halves()
    source = Sequential(**{**SETTINGS, "epochs": 8}, context=("place",)).fit(log(item, place=words), RUN)
    assert source.config.unknown == 0.1
    for name, low, high in (("home", 0.9, 1.0), ("train", 0.0, 0.1), ("nowhere", 0.2, 0.8), (None, 0.2, 0.8)):
        places = np.full(N, name, dtype=object)
        assert low <= share_of_first_half(source, context={"place": places}) <= high, name
    assert 0.2 <= share_of_first_half(source) <= 0.8
    nobody = Queries.of([[]], context={"place": np.array(["home"], dtype=object)})
    assert source.scored(nobody).facts["spread"][0] == 0


def test_the_hour_chooses() -> None:
    words, item = halves()
    data = log(item)
    late = data.event_times + np.where(words == "home", 0, 12 * 3_600.0)
    place = data.events.column_names.index("timestamp")
    data = replace(data, events=data.events.set_column(place, "timestamp", pa.array(late)))
    source = Sequential(**{**SETTINGS, "epochs": 8}, clock=("hour",), gaps=False).fit(data, RUN)
    midnight = 1e4 * 86_400
    assert share_of_first_half(source, now=np.full(N, midnight)) > 0.9
    assert share_of_first_half(source, now=np.full(N, midnight + 12.5 * 3_600)) < 0.1
    assert 0.2 <= share_of_first_half(source) <= 0.8
    with pytest.raises(CannotFit, match="no clock"):
        Sequential(**SETTINGS, clock=("hour",)).fit(replace(data, order="row"), RUN)


def test_what_a_log_lacks_is_not_read_unless_named() -> None:
    _, item = walks()
    source = Sequential(**{**SETTINGS, "epochs": 1}).fit(log(item), RUN)
    assert not source.reads_told
    history = History.of([[1, 2]])
    told = replace(history, kinds=np.array([5, 6], np.int32), values=np.float32([1, 2]))
    plain, beside = (replace(Queries.of([[0]]), history=each) for each in (history, told))
    np.testing.assert_array_equal(source.scored(plain).scores, source.scored(beside).scores)
    with pytest.raises(CannotFit, match="no column 'place'"):
        Sequential(**SETTINGS, context=("place",)).fit(log(item), RUN)


def test_saved_whole_and_as_earlier_versions_did() -> None:
    words, item = walks()
    data = log(item, event=words, place=words, value=np.arange(len(words)) % 5.0)
    settings = {**SETTINGS, "epochs": 2, "context": ("place",), "clock": ("weekday",), "tasks": "learned"}
    source = Sequential(**settings).fit(data, RUN)
    loaded = Sequential(**source.config.model_dump()).load_state(source.state())
    asked = data.queries(np.arange(9), context={"place": np.array(["near", None, "far"] * 3, dtype=object)})
    np.testing.assert_array_equal(loaded.scored(asked).scores, source.scored(asked).scores)
    items = np.arange(9, dtype=np.int32)[:, None]
    np.testing.assert_array_equal(loaded.ratings(asked, items), source.ratings(asked, items))
    assert loaded.reads_told
    early = Sequential(**{**SETTINGS, "epochs": 2, "kinds": False, "values": False}).fit(data, RUN)
    assert not any("kinds" in name or "values" in name or "heads/" in name for name in early.state())
    late = Sequential(**{**SETTINGS, "epochs": 2}).load_state(early.state())  # settings that it lacked by default
    np.testing.assert_array_equal(late.scored(asked).scores, early.scored(asked).scores)
    with pytest.raises(ArtefactError, match="does not fit"):
        broken = {k: v for k, v in source.state().items() if k != "reader/kinds.rows.weight"}
        Sequential(**settings).load_state(broken)


def test_a_killed_fit_with_heads_goes_on(tmp_path, monkeypatch) -> None:
    words, item = walks()
    data = log(item, event=words, value=np.arange(USERS * LENGTH) % 5.0)
    settings = {**SETTINGS, "patience": 20, "epochs": 5, "tasks": "learned", "batch": 200}
    check_going_on(lambda: Sequential(**settings), data, tmp_path, monkeypatch)


def tastes() -> tuple[Longs, np.ndarray]:
    """Random items, and whether each is of the kind that its user likes: even or odd numbers."""
    rng = np.random.default_rng(3)
    item = np.argsort(rng.random((USERS, N)), axis=1)[:, :LENGTH]
    return item, (item % 2 == np.arange(USERS)[:, None] % 2).ravel()


def likers(data: Dataset) -> tuple[Queries, np.ndarray, np.ndarray]:
    """Queries of two people who like even and odd numbers, all items, and which of these they like."""
    queries = data.queries(np.array([0, 1]))
    return queries, np.tile(np.arange(N, dtype=np.int32), (2, 1)), np.arange(N) % 2 == np.array([[0], [1]])


@pytest.mark.parametrize(
    "changes", [{"tasks": {"next": 1.0, "rating": 1.0}}, {"tasks": "learned", "mode": "masked", "epochs": 50}], ids=str
)
def test_ratings_follow_taste(changes: dict[str, Any]) -> None:
    item, likes = tastes()
    data = log(item, value=np.where(likes, 5.0, 2.0))
    source = Sequential(**{**SETTINGS, "epochs": 20, **changes}).fit(data, RUN)
    queries, items, wanted = likers(data)
    said = source.ratings(queries, items)
    assert said.dtype == np.float32
    assert np.sqrt(np.mean((said - np.where(wanted, 5, 2)) ** 2)) < 1.0  # 1.5 for the mean of an item
    assert said.min() >= 2 and said.max() <= 5
    empty = items.copy()
    empty[0, 3] = EMPTY
    again = source.ratings(queries, empty)
    assert np.isnan(again[0, 3])
    np.testing.assert_allclose(np.delete(again[0], 3), np.delete(said[0], 3), atol=1e-5)
    alone = source.ratings(queries.take(np.array([1])), items[1:])
    np.testing.assert_allclose(alone, said[1:], atol=1e-5)
    with pytest.raises(InputError, match="not learned to say this"):
        source.clicks(queries, items)


def test_clicks_follow_taste_and_what_was_passed_over_is_no_next_item() -> None:
    item, likes = tastes()
    item = np.where(item == 0, 2, item)
    item[:, 3], likes[3::LENGTH] = 0, False  # everybody is shown item 0, and nobody takes it
    data = log(item, event=np.where(likes, "click", "impression"))
    source = Sequential(**{**SETTINGS, "epochs": 25, "tasks": {"next": 1.0, "click": 1.0}}).fit(data, RUN)
    queries, items, wanted = likers(data)
    said = source.clicks(queries, items)
    assert said.min() > 0 and said.max() < 1
    wanted[:, 0] = False
    assert said[wanted].mean() > 0.65 > 0.3 > said[~wanted].mean()
    assert said[:, 0].max() < 0.15
    scores = source.scored(replace(queries, include_seen=True)).scores
    assert (scores[:, 0] < scores.mean(axis=1)).all()


def test_tasks_that_the_log_cannot_feed() -> None:
    _, item = walks()
    for task, told in (("rating", "no values that differ"), ("click", "every event of the log is a choice")):
        with pytest.raises(CannotFit, match=told):
            Sequential(**SETTINGS, tasks={"next": 1.0, task: 1.0}).fit(log(item), RUN)
    with pytest.raises(InputError, match="must pick items"):
        Sequential(tasks={"rating": 1.0})
    assert weights_of("learned", None, np.array([True])) == {"next": 1.0, "click": 1.0}


def test_rare_kinds_and_constant_values_are_not_read() -> None:
    kinds = np.array([7] * 5 + [3] * 9 + [0] * 9 + [8] * 4, np.int32)
    known = Known.of(kinds, np.full(27, 2.0, np.float32), ())
    assert known.kinds.tolist() == [3, 7]
    assert known.scale is None
    assert Known.of(None, None, ()).kinds.tolist() == []
    scale = Known.of(None, np.float32([1, 3, np.nan]), ()).scale
    assert scale is not None and scale.tolist() == [2, 1]
    rows = Kinds(known.kinds, 4)(torch.tensor([3, 7, 0, 8, 99]))
    torch.testing.assert_close(rows[2:], rows[2].expand(3, -1))
    assert not torch.equal(rows[0], rows[1])
    value = Values(scale, 2)
    value.along.data.fill_(1.0)
    value.none.data.fill_(7.0)
    assert value(torch.tensor([1.0, torch.nan, 1e9])).tolist() == [[-1, -1], [7, 7], [5, 5]]


def test_places_of_hidden_events_are_blank() -> None:
    history = replace(History.of([[1, 2]]), kinds=np.array([4, 5], np.int32), values=np.float32([1, 2]))
    told = Told.of(history, torch.device("cpu")).spread(torch.tensor([False, False, True]))
    assert told.kinds.tolist() == [4, 5, 0]
    assert told.weights.tolist() == [1, 1, 1] and told.gaps[2] == 0
    assert told.values[2].isnan()
    bare = Told.of(History.of([[1, 2]]), torch.device("cpu"))
    assert bare.kinds.tolist() == [0, 0] and bare.values.isnan().all()
    without = told.without(torch.tensor([True, False, False]))
    assert without.kinds.tolist() == [0, 5, 0] and without.values[:1].isnan().all() and without.values[1] == 2


def test_of_a_hidden_event_nothing_is_told() -> None:
    """A centred weight is the value, a weight by kind the kind."""
    kinds, values = np.array([4, 5, 4], np.int32), np.float32([1, 2, 5])
    history = replace(History.of([[1, 2, 3]]), kinds=kinds, values=values, times=np.array([0.0, 60.0, 9e5]))
    plain, hidden = Told.of(history, torch.device("cpu")), torch.tensor([False, True, True])
    other = replace(plain, weights=plain.weights + 7 * hidden, gaps=plain.gaps + 3 * hidden)
    config = SequentialConfig(mode="masked", dim=8)
    reader = Reader(config, Known.of(kinds.repeat(5), values.repeat(5), ())).eval()
    torch.nn.init.ones_(reader.weight)
    packed, vectors = Packed.of(np.array([3])), torch.randn(3, 8)
    torch.testing.assert_close(reader(vectors, plain, packed, hidden), reader(vectors, other, packed, hidden))
    assert not torch.allclose(reader(vectors, plain, packed), reader(vectors, other, packed))


def test_rows_of_the_log_are_those_of_the_histories() -> None:
    words, item = walks()
    data = log(item, event=words)
    data = replace(data, events=data.events.take(np.random.default_rng(1).permutation(data.n_events)))
    classes = np.arange(data.n_events)[:, None]
    whole = Log(data.event_items, data.event_kinds, None, classes, None, None)
    cut = Cut.of(data, whole, np.random.default_rng(0), wanted=True)
    assert len(cut.held.items) == USERS // 10 == len(cut.held_rows)
    assert (data.event_items[cut.held_rows] == cut.held.items).all()
    assert not np.isin(cut.held_rows, cut.rows.items).any()
    assert len(cut.rows.items) + len(cut.held_rows) == data.n_events
    assert (data.event_users[cut.rows.items] == cut.rows.rows).all()
    read = whole.read(cut.rows)
    assert (read.times == data.event_times[cut.rows.items]).all()
    assert (read.kinds == data.event_kinds[cut.rows.items]).all()
