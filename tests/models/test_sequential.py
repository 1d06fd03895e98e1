"""Sequential: it learns what follows what, whatever reads the sequence, and places items by their content."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")

import torch
from killed import check_going_on

from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, CannotFit, InputError
from accord.core.history import History
from accord.core.queries import Queries
from accord.core.run import Run
from accord.learn.judged import ndcg_at_10
from accord.learn.packed import Packed
from accord.models import sequential
from accord.models.bodies import Attention, body_of, turned
from accord.models.sequences import Batch, Windows, held_back
from accord.models.sequential import Sequential, SequentialConfig
from accord.models.told import gap_classes

RUN = Run(cache=None)
N, COLD = 20, 5
SETTINGS = {"dim": 16, "epochs": 15, "patience": 0, "batch": 40, "dropout": 0.1, "lr": 1e-2, "average": 0.9, "ahead": 1}


def circle(users: int = 150) -> Dataset:
    """After each item comes the next of a circle; the last few items nobody has met, but they read like their left
    neighbours in the catalogue's words."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 10, users)
    user = np.repeat(np.arange(users), lengths)
    place = np.concatenate([np.arange(length) for length in lengths])
    item = (np.repeat(rng.integers(N, size=users), lengths) + place) % N
    columns = {"user": user.astype(np.int32), "item": item.astype(np.int32), "weight": np.ones(len(user), np.float32)}
    events = pa.table({**columns, "timestamp": place * 3600.0})
    words = np.random.default_rng(1).standard_normal((N, 24)).astype(np.float32)
    words = np.concatenate([words, words[:COLD] + 0.1 * np.random.default_rng(2).standard_normal((COLD, 24))])
    items = pa.table({"item_id": [f"i{number}" for number in range(N + COLD)]})
    people = pa.table({"user_id": [f"u{number}" for number in range(users)]})
    return Dataset(events, items, people, order="time", vectors={"words": words.astype(np.float32)})


DATA = circle()


def hits(source: Sequential, data: Dataset = DATA) -> float:
    """How often the next of the circle is offered first."""
    history = data.histories
    right = (history.items[history.offsets[1:] - 1] + 1) % N
    return float((source.offer(data.queries(include_seen=True), 1).items[:, 0] == right).mean())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"positions": "rotary", "blocks": 2, "gaps": False},
        {"body": "gated"},
        {"body": "gru"},
        {"body": "caser"},
        {"mode": "masked", "epochs": 40},
        {"loss": "sampled", "negatives": 10},
        {"loss": "in_batch"},
        {"loss": "gbce", "negatives": 10, "epochs": 20},
        {"loss": "bpr", "epochs": 25},
        {"item": "content", "columns": ("words",), "epochs": 25},
        {"item": "bounded", "columns": ("words",), "epochs": 25},
        {"adversarial": 0.1},
    ],
    ids=str,
)
def test_whatever_reads_it_the_next_of_the_circle_comes_first(changes):
    source = Sequential(**{**SETTINGS, **changes}).fit(DATA, RUN)
    assert hits(source) > 0.5  # one in twenty by chance


def test_the_order_counts_and_not_the_set():
    source = Sequential(**SETTINGS).fit(DATA, RUN)
    there = source.offer(Queries.of([[3, 4, 5], [5, 4, 3]], include_seen=True), 1).items[:, 0]
    assert there[0] == 6
    assert there[1] != 6


@pytest.mark.parametrize("form", ["content", "sum", "bounded"])
def test_an_item_nobody_has_met_stands_where_its_content_says(form):
    source = Sequential(**{**SETTINGS, "item": form, "columns": ("words",), "epochs": 25}).fit(DATA, RUN)
    before = Queries.of([[(N + twin - 2) % N, (N + twin - 1) % N] for twin in range(COLD)])
    ranks = (-source.scored(before).scores).argsort(axis=1).argsort(axis=1)
    twins = ranks[np.arange(COLD), N + np.arange(COLD)]
    assert np.median(twins) < 6
    table = torch.linalg.norm(torch.from_numpy(source.vectors), dim=1)
    assert table[N:].min() > 0.2 * table[:N].mean()


def test_ids_alone_leave_it_last_and_silent_people_silent():
    source = Sequential(**SETTINGS).fit(DATA, RUN)
    scores = source.scored(Queries.of([[1, 2], []])).scores
    assert (scores[0, N:] == np.min(scores[0][np.isfinite(scores[0])])).all()
    assert source.scored(Queries.of([[]])).facts["spread"][0] == 0


def test_a_bounded_correction_is_bounded():
    source = Sequential(**{**SETTINGS, "item": "bounded", "columns": ("words",), "bound": 0.3}).fit(DATA, RUN)
    only = replace(DATA, vectors={"words": DATA.vectors["words"]})
    content = Sequential(**{**SETTINGS, "item": "bounded", "columns": ("words",), "bound": 0.3})
    content.load_state(source.state())
    from accord.models.item_table import projected

    distance = np.linalg.norm(source.vectors - projected(source.content, only.vectors), axis=1)
    assert distance.max() < 0.3 + 1e-4
    assert distance[:N].max() > 0.01
    assert distance[N:].max() < 1e-4


def test_a_damaged_or_foreign_network_is_refused():
    source = Sequential(**SETTINGS).fit(DATA, RUN)
    state = source.state()
    name = next(name for name in state if name.endswith("deep.0.weight"))
    with pytest.raises(ArtefactError, match="does not fit"):
        Sequential(**SETTINGS).load_state({**state, name: state[name][:3]})
    with pytest.raises(ArtefactError, match="does not fit"):
        Sequential(**SETTINGS).load_state({key: values for key, values in state.items() if key != name})


@pytest.mark.parametrize("loss", [{"loss": "softmax"}, {"loss": "sampled", "negatives": 5}], ids=str)
def test_a_killed_fit_goes_on(tmp_path, monkeypatch, loss):
    settings = {**SETTINGS, "patience": 20, "epochs": 6, **loss}
    check_going_on(lambda: Sequential(**settings), DATA, tmp_path, monkeypatch)


def test_widths_that_do_not_fit_are_said():
    with pytest.raises(CannotFit, match="multiple of twice the heads"):
        Sequential(dim=10, heads=4).fit(DATA, RUN)


def test_windows_hold_every_event_but_the_first_as_a_target_once():
    history = History.of([list(range(8)), [5], [], [1, 2]])
    windows = Windows.of(history, last=3)
    rows = [windows.history.take(np.array([row])).items.tolist() for row in range(len(windows.history))]
    assert rows == [[4, 5, 6, 7], [1, 2, 3, 4], [0, 1], [1, 2]]
    assert windows.rows.tolist() == [0, 0, 0, 3]


def test_windows_apart_hold_every_event_once():
    windows = Windows.apart(History.of([list(range(9)), [5], [], [1, 2]]), last=3)
    rows = [windows.history.take(np.array([row])).items.tolist() for row in range(len(windows.history))]
    assert rows == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [1, 2]]
    assert windows.rows.tolist() == [0, 0, 0, 3]
    assert sum(map(len, windows.shuffled(np.random.default_rng(0), 4))) == 4


def test_a_batch_holds_so_many_events_of_like_rows():
    windows = Windows.of(DATA.histories, last=50)
    batches = windows.shuffled(np.random.default_rng(0), 40)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(windows.history)))
    lengths = windows.history.lengths - 1
    events = np.array([lengths[batch].sum() for batch in batches])
    assert events.max() < 40 + lengths.max()
    assert np.median(events) > 30
    assert np.mean([np.ptp(lengths[batch]) for batch in batches]) < 1.5 < np.ptp(lengths)


def test_targets_are_what_follows_and_what_was_read_is_seen():
    batch = Batch.of(History.of([[7, 8, 9, 7]]), ahead=2, tau=1.0, device=torch.device("cpu"))
    assert batch.items.tolist() == [7, 8, 9]
    assert batch.targets.items.tolist() == [[8, 9], [9, 7], [7, -1]]
    first, second = 1 / (1 + np.exp(-1)), np.exp(-1) / (1 + np.exp(-1))
    np.testing.assert_allclose(batch.targets.weights, [[first, second], [first, second], [1, 0]], rtol=1e-6)
    seen = list(zip(batch.targets.seen_rows.tolist(), batch.targets.seen_items.tolist(), strict=True))
    assert seen == [(0, 7), (1, 7), (1, 8), (2, 7), (2, 8), (2, 9)]


def test_gaps_have_classes_by_their_logarithm():
    history = replace(History.of([[1, 2, 3], [4]]), times=np.array([0.0, 0.0, 3600.0, np.nan]))
    assert gap_classes(history).tolist() == [0, 1, 12, 0]


def test_the_newest_event_of_some_is_held_back():
    kept, held = held_back(DATA, np.random.default_rng(0), wanted=True)
    assert len(held.items) == DATA.n_users // 10
    whole = DATA.histories
    assert (whole.age[held.places] == 0).all()
    np.testing.assert_array_equal(kept.places, np.setdiff1d(np.arange(DATA.n_events), held.places))
    np.testing.assert_array_equal(kept.history.items, whole.items[kept.places])
    np.testing.assert_array_equal(held.items, whole.items[held.places])
    for row, place in enumerate(held.places):
        user = whole.rows[place]
        np.testing.assert_array_equal(held.history.ragged[row], whole.ragged[user][:-1])
    nothing, nobody = held_back(DATA, np.random.default_rng(0), wanted=False)
    assert len(nobody.items) == 0
    np.testing.assert_array_equal(nothing.history.items, whole.items)


def test_without_an_order_any_event_is_held_back_and_the_others_are_shuffled():
    data = replace(DATA, order="none")
    whole, ages, moved = data.histories, [], 0
    for seed in range(20):
        kept, held = held_back(data, np.random.default_rng(seed), wanted=True)
        ages += whole.age[held.places].tolist()
        np.testing.assert_array_equal(np.sort(kept.places), np.setdiff1d(np.arange(data.n_events), held.places))
        np.testing.assert_array_equal(kept.history.items, whole.items[kept.places])
        np.testing.assert_array_equal(kept.history.rows, whole.rows[kept.places])
        moved += int((np.diff(kept.places) < 0).sum())
    assert set(ages) == set(range(int(whole.lengths.max())))  # the first of a history as well as the last
    assert moved > DATA.n_events
    again = held_back(data, np.random.default_rng(0), wanted=True)[0]
    np.testing.assert_array_equal(again.places, held_back(data, np.random.default_rng(0), wanted=True)[0].places)


def test_an_item_keeps_its_only_event():
    items = np.array([0, 1, 2, 3, 1, 0, 1, 2], np.int32)
    users = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int32)
    columns = {"user": users, "item": items, "weight": np.ones(8, np.float32), "timestamp": np.arange(8.0)}
    names = {
        kind: pa.table({f"{kind}_id": [f"{kind}{n}" for n in range(size)]}) for kind, size in (("user", 2), ("item", 4))
    }
    data = Dataset(pa.table(columns), names["item"], names["user"], order="time")
    for seed in range(10):
        held = held_back(data, np.random.default_rng(seed), wanted=True)[1]
        assert held.items.tolist() in ([], [2])


def test_what_is_no_fair_question_is_not_held_back():
    whole = DATA.histories
    fair = np.random.default_rng(5).random(DATA.n_events) < 0.5
    for data in (DATA, replace(DATA, order="none")):
        held = held_back(data, np.random.default_rng(0), wanted=True, fair=fair)[1]
        assert len(held.items) > 10
        assert fair[held.places].all()
        for place in held.places if data is DATA else ():  # it is the newest that is fair
            later = np.arange(place + 1, whole.offsets[whole.rows[place] + 1])
            assert not fair[later].any()


def test_what_was_hidden_is_guessed_from_both_sides_and_the_newest_is_learned_too():
    history = History.of([[7, 8, 9, 5], [1, 2]])
    windows, told = Windows.apart(history, last=10), set[int]()
    for _ in range(100):
        batch, hidden = Batch.masked(windows.history, 0.3, torch.device("cpu"))
        assert batch.targets.items[:, 0].tolist() == batch.items[hidden].tolist()
        told |= set(batch.targets.items[:, 0].tolist())
    assert told == {7, 8, 9, 5, 1, 2}


@pytest.mark.parametrize("positions", ["relative", "learned", "rotary"])
def test_a_masked_network_answers_the_longest_histories(positions):
    source = Sequential(**{**SETTINGS, "mode": "masked", "positions": positions, "last": 4, "epochs": 1}).fit(DATA, RUN)
    assert np.isfinite(source.scored(Queries.of([[1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5, 6]])).scores[:, N - 1]).all()


def test_histories_are_read_in_blocks_of_bounded_size(monkeypatch):
    source, sizes = Sequential(**{**SETTINGS, "epochs": 1}).fit(DATA, RUN), []
    asked = DATA.queries(include_seen=True)
    whole, read = source.user_vectors(asked), source._read_block
    monkeypatch.setattr("accord.models.sequential.CELLS", 10 * 8 * SETTINGS["dim"] * 30)
    monkeypatch.setattr(source, "_read_block", lambda *told: sizes.append(len(told[0])) or read(*told))
    np.testing.assert_allclose(source.user_vectors(asked), whole, atol=1e-5)
    assert sum(sizes) == len(asked) and max(sizes) < 40


@pytest.mark.parametrize("body", ["gated", "gru", "caser"])
def test_what_reads_forwards_alone_guesses_nothing_from_both_sides(body):
    with pytest.raises(InputError, match=r"masked.*needs the transformer"):
        Sequential(mode="masked", body=body)


def test_ndcg_of_one_wanted_item_of_many():
    scores, wanted = np.zeros((5, N), np.float32), np.arange(5)
    scores[wanted, wanted] = 1
    assert ndcg_at_10([scores], wanted) == 1
    assert ndcg_at_10([-scores], wanted) == 0


@pytest.mark.parametrize("body", ["transformer", "gated", "gru", "caser"])
def test_nobody_reads_what_comes_later_nor_what_others_did(body):
    config = SequentialConfig(dim=8, body=body, dropout=0.0)
    torch.manual_seed(0)
    network = body_of(config, causal=True).eval()
    values, lengths = torch.randn(9, 8), np.array([5, 4])
    whole = network(values, Packed.of(lengths))
    changed = values.clone()
    changed[3:] += 1
    torch.testing.assert_close(network(changed, Packed.of(lengths))[:3], whole[:3])
    torch.testing.assert_close(network(values[:3], Packed.of(np.array([3]))), whole[:3])


@pytest.mark.parametrize("positions", ["relative", "rotary", "none"])
@pytest.mark.parametrize("causal", [True, False])
def test_shares_of_the_newest_are_what_attention_weighs_with(positions, causal):
    torch.manual_seed(0)
    one = Attention(8, 2, 0.0, positions, 6, causal)
    for weights in one.parameters():
        torch.nn.init.normal_(weights)
    packed, values = Packed.of(np.array([4, 2])), torch.randn(6, 8)
    query, key, _ = (packed.padded(part).view(2, 4, 2, 4).transpose(1, 2) for part in one.read(values).split(8, dim=1))
    if positions == "rotary":
        query, key = turned(query), turned(key)
    shares = one.newest(values, packed)
    for row, length in enumerate((4, 2)):
        wanted = torch.zeros(4)
        for head in range(2):
            logits = torch.stack([query[row, head, length - 1] @ key[row, head, n] / 2 for n in range(length)])
            if positions == "relative":
                logits = logits + torch.stack([one.bias[length - 1 - n + 5, head] for n in range(length)])
            wanted[:length] += logits.softmax(0) / 2
        torch.testing.assert_close(shares[row], wanted)


@pytest.mark.parametrize("mode", ["causal", "masked"])
def test_attention_is_told_by_event_of_the_whole_history(mode):
    source = Sequential(**{**SETTINGS, "epochs": 2, "last": 4, "mode": mode, "blocks": 2}).fit(DATA, RUN)
    histories = [[1, 2, N, 3], [], [5], [N], [4, 5, 6, 7, 8, 9]]  # nobody has met item N
    told = source.attention(Queries.of(histories))
    assert told is not None
    assert told.shape == (5, 6)
    read = np.array([[1, 1, 0, 1, 0, 0], [0] * 6, [1, 0, 0, 0, 0, 0], [0] * 6, [0, 0, 1, 1, 1, 1]], dtype=bool)
    assert ((told > 0) == read).all()
    whole = told.sum(axis=1)[[0, 2, 4]]
    assert whole == pytest.approx(1) if mode == "causal" else (whole < 1).all()
    alone = source.attention(Queries.of([[1, 2, 3]]))
    assert alone is not None
    np.testing.assert_allclose(told[0, [0, 1, 3]], alone[0], atol=1e-6)


def test_attention_of_many_people_is_that_of_each(monkeypatch):
    """They are read in blocks whose longest histories differ."""
    source = Sequential(**{**SETTINGS, "epochs": 1}).fit(DATA, RUN)
    histories = [[1], [2, 3], [], [4, 5, 6, 7], [8], [N], [1, 3, 5], [2, 4, 6, 8, 10]]
    whole = source.attention(Queries.of(histories))
    monkeypatch.setattr(sequential, "CELLS", 4 * source.config.dim)
    told = source.attention(Queries.of(histories))
    np.testing.assert_allclose(told, whole, atol=1e-6)


@pytest.mark.parametrize("body", ["gated", "gru", "caser"])
def test_bodies_without_shares_tell_no_attention(body):
    source = Sequential(**{**SETTINGS, "epochs": 1, "body": body}).fit(DATA, RUN)
    assert source.attention(Queries.of([[1, 2]])) is None


def test_attention_is_that_of_the_last_block():
    source = Sequential(**{**SETTINGS, "epochs": 2, "blocks": 2, "positions": "none", "gaps": False}).fit(DATA, RUN)
    blocks, packed = source.reader.body.blocks, Packed.of(np.array([3]))
    with torch.no_grad():
        told = source.reader.before(torch.from_numpy(source.vectors)[[1, 2, 3]])
        wanted = blocks[1].attention.newest(blocks[1].first(blocks[0](told, packed)), packed)
    given = source.attention(Queries.of([[1, 2, 3]]))
    np.testing.assert_allclose(given, wanted.numpy(), atol=1e-6)
