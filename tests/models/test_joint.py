"""Joint: two heads over one table, their losses and scores added up by hand, and what is learned."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")

import torch
from killed import check_going_on

from accord.core.errors import ArtefactError, InputError
from accord.core.queries import Queries
from accord.core.run import Run
from accord.models.joint import COLLABORATIVE, DEEP, Joint, JointItems
from accord.models.next_items import NextItems
from accord.models.sequential import Sequential
from accord.testing.planted import checkerboard

RUN = Run(cache=None)
SETTINGS = {"dim": 16, "epochs": 12, "patience": 0, "batch": 40, "dropout": 0.1, "lr": 1e-2, "average": 0.9}
WORLD = checkerboard()


@pytest.fixture(scope="module")
def fitted() -> Joint:
    return Joint(**SETTINGS).fit(WORLD.data, RUN)


def with_mix(source: Joint, mix: float) -> Joint:
    """The same arrays, read with another share of the deep head."""
    return Joint(**{**source.config.model_dump(), "mix": mix}).load_state(source.state())


class Caught(Exception):
    """Holds the task of a fit that goes no further."""


def task_of(monkeypatch, data=WORLD.data, **settings) -> JointItems:
    """The task of a fit, before it is trained."""

    def loop(task, *rest):
        raise Caught(task)

    monkeypatch.setattr("accord.models.sequential.Loop", loop)
    with pytest.raises(Caught) as caught:
        Joint(**{**SETTINGS, "dropout": 0.0, **settings}).fit(data, RUN)
    return caught.value.args[0]


def test_the_loss_is_the_weighted_sum_of_both(monkeypatch):
    task = task_of(monkeypatch, collaborative=0.3, deep=2.0)
    rows = task.batches(np.random.default_rng(0))[0]
    (mean, of_mean), (deep, of_deep) = task._collaborative(rows), NextItems.loss(task, rows)
    total, of = task.loss(rows)
    wanted = 0.3 * mean / of_mean + 2.0 * deep / of_deep
    torch.testing.assert_close(total / of, wanted)


def test_both_losses_shape_the_table_and_each_its_own_head(monkeypatch):
    task = task_of(monkeypatch)
    rows, net = task.batches(np.random.default_rng(0))[0], task.module

    def reached(loss: torch.Tensor) -> list[bool]:
        net.zero_grad(set_to_none=True)
        loss.backward()
        parts = (net.table.own.weight, next(net.taste.deep.parameters()), next(net.reader.body.parameters()))
        return [part.grad is not None and bool(part.grad.any()) for part in parts]

    assert reached(task._collaborative(rows)[0]) == [True, True, False]
    assert reached(NextItems.loss(task, rows)[0]) == [True, False, True]
    assert reached(task.loss(rows)[0]) == [True, True, True]


def test_the_score_is_the_weighted_sum_of_both(fitted):
    asked = Queries.of([[1, 2, 3], [5], []], include_seen=True)
    deep, mean, both = (with_mix(fitted, mix)._scores(asked) for mix in (1.0, 0.0, 0.3))
    placed = fitted.placed
    np.testing.assert_allclose(both[:, placed], (0.3 * deep + 0.7 * mean)[:, placed], atol=1e-4)
    np.testing.assert_array_equal(both[:, ~placed], np.repeat(both[:, placed].min(axis=1)[:, None], (~placed).sum(), 1))
    assert np.abs(deep - mean).max() > 0.1
    alone = Sequential(**{name: fitted.config.model_dump()[name] for name in Sequential.Config.model_fields})
    np.testing.assert_allclose(alone.load_state(fitted.state())._scores(asked), deep, atol=1e-5)


def test_the_mean_knows_no_order_but_age(fitted):
    mean = with_mix(fitted, 0.0)
    once, turned = mean._scores(Queries.of([[1, 2, 3], [3, 2, 1]], include_seen=True))
    assert np.abs(once - turned).max() > 1e-3
    ageless = Joint(**{**fitted.config.model_dump(), "mix": 0.0, "recency": np.inf}).load_state(fitted.state())
    once, turned = ageless._scores(Queries.of([[1, 2, 3], [3, 2, 1]], include_seen=True))
    np.testing.assert_allclose(once, turned, atol=1e-5)


@pytest.mark.parametrize("weights", ["given", "learned"])
@pytest.mark.parametrize("mix", [0.0, 0.5, 1.0])
def test_either_head_finds_the_own_group(weights, mix):
    source = Joint(**SETTINGS, weights=weights, mix=mix).fit(WORLD.data, RUN)
    slate = source.offer(WORLD.data.queries(), 3)
    assert (WORLD.item_groups[slate.items] == WORLD.user_groups[:, None]).mean() > 0.9
    assert set(source.counted) == {COLLABORATIVE, DEEP}
    assert (source.counted == {COLLABORATIVE: 1.0, DEEP: 1.0}) == (weights == "given")


@pytest.mark.parametrize("head", [COLLABORATIVE, DEEP])
def test_a_head_whose_loss_counts_nothing_is_left_out(monkeypatch, head):
    other = {COLLABORATIVE: DEEP, DEEP: COLLABORATIVE}[head]
    task = task_of(monkeypatch, **{other: 0.0}, mix=0.4)
    rows = task.batches(np.random.default_rng(0))[0]
    wanted = {COLLABORATIVE: task._collaborative, DEEP: lambda rows: NextItems.loss(task, rows)}[head](rows)
    torch.testing.assert_close(task.loss(rows)[0], wanted[0])
    assert task.config.shares == {head: 1.0, other: 0.0}
    with pytest.raises(InputError, match="at least one"):
        Joint(collaborative=0.0, deep=0.0)


def test_what_a_head_cannot_learn_is_refused():
    with pytest.raises(InputError, match="deep head"):
        Joint(deep=0.0, tasks={"next": 1.0, "rating": 0.5})
    with pytest.raises(InputError, match="masked"):
        Joint(mode="masked")


def test_further_tasks_are_told_by_the_deep_head():
    events, rng = WORLD.data.events, np.random.default_rng(0)
    rated = replace(WORLD.data, events=events.append_column("value", pa.array(rng.uniform(1, 5, len(events)))))
    source = Joint(**SETTINGS, tasks={"next": 1.0, "rating": 0.5}).fit(rated, RUN)
    alone = Sequential(**{name: source.config.model_dump()[name] for name in Sequential.Config.model_fields})
    asked, items = rated.queries().take(np.arange(5)), np.arange(10, dtype=np.int32).reshape(5, 2)
    told = alone.load_state(source.state()).ratings(asked, items)
    np.testing.assert_allclose(source.ratings(asked, items), told, atol=1e-6)
    assert np.ptp(told) > 0


def test_items_that_were_only_shown_are_not_predicted(monkeypatch):
    events = WORLD.data.events
    kinds = np.where(np.arange(len(events)) % 3 == 0, "impression", "view")
    shown = replace(WORLD.data, events=events.append_column("event", pa.array(kinds)))
    task = task_of(monkeypatch, data=shown, tasks={"next": 1.0, "click": 0.5})
    rows = task.batches(np.random.default_rng(0))[0]
    places = task.windows.history.take(rows)
    weight = task._collaborative(rows)[1]
    coming = [places.items[a + 1 : b] for a, b in zip(places.offsets, places.offsets[1:], strict=False)]
    alive = [task.log.chosen[row[at : at + 4]].any() for row in coming for at in range(len(row))]
    assert float(weight) == pytest.approx(sum(alive))
    assert 0 < sum(alive) < len(alive)


def test_the_silent_are_told_nothing(fitted):
    assert fitted.scored(Queries.of([[]])).facts["spread"][0] == 0


def test_a_killed_fit_goes_on(tmp_path, monkeypatch):
    settings = {**SETTINGS, "patience": 20, "epochs": 6, "weights": "learned"}
    check_going_on(lambda: Joint(**settings), WORLD.data, tmp_path, monkeypatch)


def test_a_foreign_head_is_refused(fitted):
    state = {name: part for name, part in fitted.state().items() if not name.startswith("taste/deep")}
    with pytest.raises(ArtefactError, match="does not fit"):
        Joint(**fitted.config.model_dump()).load_state(state)
