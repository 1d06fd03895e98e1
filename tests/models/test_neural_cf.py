"""Neural CF: its scores beside the formula, the mean of a history beside a loop, and what it learns."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from killed import check_going_on

from accord.core.errors import ArtefactError, CannotFit
from accord.core.history import History
from accord.core.queries import Queries
from accord.core.run import Run
from accord.models import pair_net
from accord.models.history_means import Ahead, MeanBatch, mean_rows
from accord.models.neural_cf import NeuralCF
from accord.models.pair_net import PairNet
from accord.models.sequences import MET, left_out
from accord.testing.planted import checkerboard

RUN = Run(cache=None)
CPU = torch.device("cpu")
FORMS = ["gmf", "mlp", "neumf"]
SETTINGS = {"dim": 16, "epochs": 20, "patience": 0, "batch": 40, "dropout": 0.1, "lr": 1e-2, "negatives": 16}
N, M, K, DIM = 6, 9, 3, 4


def net_of(form: str) -> PairNet:
    torch.manual_seed(0)
    net = PairNet(form, DIM, (5, 3), 0.0).eval()
    for weights in net.parameters():
        torch.nn.init.normal_(weights)
    return net


def by_hand(net: PairNet, user: torch.Tensor, item: torch.Tensor) -> float:
    """One score, written out."""
    score = 0.0
    if net.product is not None:
        score += float((net.product * user[:DIM] * item[:DIM]).sum())
    if net.deep is not None:
        u, v, (layer, last) = user[-DIM:], item[-DIM:], (net.deep.before[2], net.deep.last)
        a, c = (net.deep.of_user.weight @ u + net.deep.of_user.bias).chunk(2)
        b, d = (net.deep.of_item.weight @ v).chunk(2)
        held = torch.relu(layer.weight @ torch.relu(a + b + c * d) + layer.bias)
        score += float(last.weight[0] @ held)
    return score


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_scores_are_those_of_the_formula_however_they_are_asked_for(form, monkeypatch):
    monkeypatch.setattr(pair_net, "ROWS", 4)
    net = net_of(form)
    users, items = torch.randn(N, net.width), torch.randn(M, net.width)
    wanted = torch.tensor([[by_hand(net, user, item) for item in items] for user in users])
    own = torch.randint(0, M, (N, K))
    torch.testing.assert_close(net(users, items), wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(net(users, items[own]), wanted.gather(1, own), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(net.scores(users, items, net.halves(items)), wanted, atol=1e-4, rtol=1e-4)


def test_what_is_worked_out_in_parts_has_the_same_gradients(monkeypatch):
    net, users, items = net_of("neumf"), torch.randn(N, 2 * DIM), torch.randn(M, 2 * DIM)

    def gradients() -> list[torch.Tensor]:
        net.zero_grad()
        (net(users, items).square().sum() + net(users, items[torch.arange(N * K).view(N, K) % M]).sum()).backward()
        return [weights.grad.clone() for weights in net.parameters()]

    whole = gradients()
    monkeypatch.setattr(pair_net, "CELLS", 1)
    for one, other in zip(gradients(), whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


WEIGHTS = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0], np.float32)
EVENTS = replace(History.of([[4, 2, 7, 2], [1, 3]]), weights=WEIGHTS)


def batch_settings(tau: float) -> tuple:
    return Ahead(True, tau, 2), CPU


@pytest.mark.parametrize("tau", [2.0, np.inf])
def test_a_mean_holds_what_came_before_the_newer_more(tau):
    batch = MeanBatch.of(EVENTS, *batch_settings(tau))
    vectors = torch.randn(8, DIM)
    means = batch.means(vectors[batch.items])
    assert batch.items.tolist() == [4, 2, 7, 1]
    assert batch.targets.items.tolist() == [[2, 7], [7, 2], [2, -1], [3, -1]]
    for state, length in ((0, 1), (1, 2), (2, 3)):
        shares = WEIGHTS[:length] * np.exp(-np.arange(length)[::-1] / tau)
        wanted = torch.from_numpy((shares / shares.sum()).astype(np.float32)) @ vectors[[4, 2, 7][:length]]
        torch.testing.assert_close(means[state], wanted)
    against = replace(EVENTS, weights=WEIGHTS * [1, -1, 1, 1, 1, 1])
    batch = MeanBatch.of(replace(against, weights=against.weights.astype(np.float32)), *batch_settings(tau))
    torch.testing.assert_close(batch.means(vectors[batch.items])[1], vectors[4])
    read = History.of([[4, 2, 7], [1]])
    read = replace(read, weights=WEIGHTS[[0, 1, 2, 4]])
    asked = mean_rows(read.matrix(8, tau), vectors.numpy())
    np.testing.assert_allclose(means[[2, 3]], [asked[0], vectors[1].numpy()], atol=1e-5)


def test_without_an_order_a_mean_holds_all_other_items():
    whole = History.of([[4, 2, 7, 2, 9], [1, 3]])
    batch = MeanBatch.without_order(EVENTS, whole, Ahead(False, 2.0, 4), CPU)
    vectors = torch.randn(8, DIM)
    means = batch.means(vectors[batch.items])
    assert batch.targets.items[:, 0].tolist() == [4, 2, 7, 2, 1, 3]
    assert batch.targets.weights[:, 0].tolist() == WEIGHTS.tolist()
    wanted = (2 * vectors[2] + 0.5 * vectors[7] + vectors[2]) / 3.5
    torch.testing.assert_close(means[0], wanted)
    for state in (1, 3):  # the item came up twice: the other time tells what is asked for
        torch.testing.assert_close(means[state], (vectors[4] + 0.5 * vectors[7]) / 1.5)
    torch.testing.assert_close(means[4], vectors[3])
    seen = [batch.targets.seen_items[batch.targets.seen_rows == state].tolist() for state in range(6)]
    assert [set(items) for items in seen] == [{4, 2, 7, 9}] * 4 + [{1, 3}] * 2


def test_of_people_who_did_very_much_some_is_told_and_the_window_in_any_case():
    every = np.arange(3 * MET, dtype=np.int32)
    window = History.of([every[7:11].tolist(), [5, 6]])
    whole = History.of([every.tolist(), [5, 6, 8]])
    targets = left_out(window, np.ones(6, np.float32), whole, CPU)
    rows, items = targets.seen_rows.numpy(), targets.seen_items.numpy()
    assert (np.diff(rows) >= 0).all()
    assert np.bincount(rows).tolist() == [MET + 4] * 4 + [3 + 2] * 2
    for state in range(4):
        told = items[rows == state]
        assert set(told) >= {7, 8, 9, 10}
        assert set(told[4:]) == set(range(0, 3 * MET, 3)), "evenly drawn"
    assert set(items[rows == 5]) == {5, 6, 8}


def test_a_net_refuses_to_score_a_large_catalogue_for_every_event(monkeypatch):
    monkeypatch.setattr("accord.models.neural_cf.WIDE", 10)
    with pytest.raises(CannotFit, match=r"more than 10 items.*sampled"):
        NeuralCF(**SETTINGS, form="mlp", loss="softmax").fit(checkerboard().data, RUN)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loss", ["softmax", "bce", "bpr"])
def test_everybody_is_offered_items_of_the_own_group(form, loss):
    world = checkerboard()
    source = NeuralCF(**SETTINGS, form=form, loss=loss).fit(world.data, RUN)
    slate = source.offer(world.data.queries(), 3)
    assert (world.item_groups[slate.items] == world.user_groups[:, None]).mean() > 0.9


@pytest.mark.parametrize("order", ["time", "none"])
def test_recency_counts_where_there_is_an_order(order):
    world = checkerboard()
    events = world.data.events if order == "time" else world.data.events.drop_columns(["timestamp"])
    source = NeuralCF(**SETTINGS).fit(replace(world.data, events=events, order=order), RUN)
    one, other = (source.score(Queries.of([row]), np.array([[5, 6]], np.int32)) for row in ([1, 2, 3], [3, 2, 1]))
    assert np.allclose(one, other, atol=1e-6) == (order == "none")


@pytest.mark.parametrize("form", FORMS)
def test_strangers_are_answered_by_their_history_and_the_silent_not_at_all(form):
    world = checkerboard()
    source = NeuralCF(**SETTINGS, form=form).fit(world.data, RUN)
    known = world.data.queries()
    strangers = replace(known, users=np.array([f"s{number}" for number in range(len(known))], dtype=object))
    np.testing.assert_array_equal(source.offer(strangers, 5).items, source.offer(known, 5).items)
    told = source.scored(Queries.of([[], [int(world.cold[0])], [1]])).facts["spread"]
    assert (told > 0).tolist() == [False, False, True]
    scores = source._scores(Queries.of([[1, 2]]))
    assert (scores[0, world.cold] == scores.min()).all()


def test_negative_events_are_neither_read_nor_predicted():
    world = checkerboard()
    source = NeuralCF(**SETTINGS).fit(world.data, RUN)
    asked = Queries.of([[1, 2], [1]], include_seen=True)
    weights = np.array([1.0, -2.0, 1.0], np.float32)
    scores = source._scores(replace(asked, history=replace(asked.history, weights=weights)))
    np.testing.assert_allclose(scores[0], source._scores(Queries.of([[1]]))[0], atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_killed_fit_goes_on(tmp_path, monkeypatch, form):
    settings = {**SETTINGS, "patience": 20, "epochs": 6, "form": form}
    check_going_on(lambda: NeuralCF(**settings), checkerboard().data, tmp_path, monkeypatch)


def test_a_foreign_net_is_refused():
    source = NeuralCF(**SETTINGS, form="neumf").fit(checkerboard().data, RUN)
    state = source.state()
    with pytest.raises(ArtefactError, match="does not fit"):
        NeuralCF(**SETTINGS, form="neumf").load_state(
            {name: part for name, part in state.items() if "deep.of_user" not in name}
        )


def test_single_events_cannot_be_learned_from():
    data = checkerboard().data
    first = np.zeros(data.n_events, dtype=bool)
    first[np.unique(data.event_users, return_index=True)[1]] = True
    with pytest.raises(CannotFit, match="two events"):
        NeuralCF(**SETTINGS, form="neumf").fit(data.with_events(first), RUN)
