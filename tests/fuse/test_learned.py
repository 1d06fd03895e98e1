"""Fusers that learn a network find what no weighted sum can say, and otherwise leave it as it is."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from lists import by_age, by_circumstance, by_history, by_text
from test_product import agreeing
from test_softmax import panel_of
from test_weighted import mixed_panel

from accord.core import catalog
from accord.core.errors import ArtefactError
from accord.core.run import Run
from accord.fuse.base import Panel, is_cold, standardised
from accord.fuse.cold import MAY_COST, Balance
from accord.fuse.gate import GateConfig, GateNet
from accord.fuse.learned import Learned
from accord.fuse.likelihood import hits
from accord.fuse.listwise import Lessons
from accord.fuse.net import Batch
from accord.fuse.sheet import Sheet
from accord.fuse.weighted import Weighted

RUN = Run(cache=None)
KINDS = ("concat", "bilinear", "attention", "gate")
MAPS = ("concat", "bilinear")


def made(kind: str, sources: tuple[str, ...], **settings: object) -> Learned:
    return catalog.find("fusers", kind)(sources=sources, **settings)


def scores_of(fuser: Learned | Weighted, panel: Panel) -> np.ndarray:
    return fuser.contributions(panel.slate).sum(axis=2)


@cache
def of_histories(kind: str) -> Learned:
    """A fuser that has learned who asks; nothing changes it."""
    return made(kind, ("short", "long"), epochs=20, lr=0.01).fit(by_history(800), RUN)


@pytest.mark.parametrize("kind", KINDS)
def test_who_asks_says_whom_to_believe(kind):
    plain = Weighted(sources=("short", "long")).fit(by_history(800), RUN)
    assert of_histories(kind).value(by_history(seed=1)) > plain.value(by_history(seed=1)) + 0.1


@pytest.mark.parametrize("kind", ["concat", "bilinear", "gate"])
def test_an_interaction_is_found_that_no_weighted_sum_can_say(kind):
    panel, judge = agreeing(), agreeing(seed=1)
    plain = Weighted(sources=("h", "y")).fit(panel, RUN).value(judge)
    assert made(kind, ("h", "y")).fit(panel, RUN).value(judge) > plain + (0.15 if kind in MAPS else 0.05)


@pytest.mark.parametrize("settings", [{"context": ("place",)}, {"clock": ("hour",)}], ids=["place", "hour"])
@pytest.mark.parametrize("kind", KINDS)
def test_circumstances_say_whom_to_believe(kind, settings):
    panel, judge = by_circumstance(), by_circumstance(seed=1)
    blind = made(kind, ("home", "elsewhere"), epochs=20, lr=0.01).fit(panel, RUN).value(judge)
    fuser = made(kind, ("home", "elsewhere"), epochs=20, lr=0.01, **settings).fit(panel, RUN)
    assert fuser.value(judge) > blind + 0.1
    loaded = type(fuser)(fuser.config).load_state(fuser.state())
    np.testing.assert_array_equal(scores_of(loaded, judge), scores_of(fuser, judge))
    swapped = fuser.with_sources(("elsewhere", "home"))
    np.testing.assert_allclose(scores_of(swapped, judge), scores_of(fuser, judge), atol=1e-4)


@pytest.mark.parametrize("kind", ["concat", "bilinear", "gate"])
def test_how_old_an_item_is_says_whom_to_believe(kind):
    panel, judge = by_age(), by_age(seed=1)
    plain = Weighted(sources=("young", "old")).fit(panel, RUN).value(judge)
    assert made(kind, ("young", "old")).fit(panel, RUN).value(judge) > plain + 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_weighted_sum_is_right_nothing_is_spoiled(kind):
    def plain_truth(seed: int) -> Panel:
        rng = np.random.default_rng(seed)
        a, b = rng.standard_normal((2, 1_000, 20))
        true = (2 * a + b + rng.gumbel(size=a.shape)).argmax(axis=1)
        return panel_of({"a": a, "b": b}, [[int(place)] for place in true])

    panel, judge = plain_truth(0), plain_truth(1)
    plain = Weighted(sources=("a", "b")).fit(panel, RUN).value(judge)
    assert made(kind, ("a", "b")).fit(panel, RUN).value(judge) > plain - 0.01


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("queries", [0, 3, 400])
def test_few_queries_leave_the_weighted_sum(kind, queries):
    panel = by_history(queries)
    plain = Weighted(sources=("short", "long")).fit(panel, RUN)
    fuser = made(kind, ("short", "long")).fit(panel, RUN)
    assert fuser.nets == ()
    np.testing.assert_array_equal(scores_of(fuser, panel), scores_of(plain, panel))


def test_several_networks_are_averaged_and_kept():
    panel, judge = by_history(800), by_history(seed=1)
    fuser = made("gate", ("short", "long"), epochs=10, lr=0.01, bags=3).fit(panel, RUN)
    assert len(fuser.nets) == len(fuser.gains) == 3
    assert fuser.gains.sum() <= 1
    first = made("gate", ("short", "long"), epochs=10, lr=0.01).fit(panel, RUN)
    assert fuser.gains[0] == pytest.approx(first.gains[0] / 3)
    plain = scores_of(fuser.base, judge)
    parts = []
    for net in fuser.nets:
        one = made("gate", ("short", "long"), bags=3)
        one.base, one.nets, one.gains = fuser.base, (net,), np.ones(1, np.float32)
        parts.append(scores_of(one, judge) - plain)
    assert not np.allclose(parts[0], parts[1], atol=0.01)
    np.testing.assert_allclose(scores_of(fuser, judge), plain + np.tensordot(fuser.gains, parts, 1), atol=1e-4)
    loaded = type(fuser)(fuser.config).load_state(fuser.state())
    np.testing.assert_array_equal(scores_of(loaded, judge), scores_of(fuser, judge))
    swapped = fuser.with_sources(("long", "short"))
    np.testing.assert_allclose(scores_of(swapped, judge), scores_of(fuser, judge), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiny_panel_can_be_learned_from(kind):
    panel = by_history(12)
    fuser = made(kind, ("short", "long"), fewest=10, places=10).fit(panel, RUN)
    assert np.isfinite(scores_of(fuser, panel)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_begins_as_the_weighted_sum(kind):
    panel, fuser = by_text(30), made(kind, ("guess",), vectors=("text",))
    sheet = Sheet.of(panel.slate, standardised(panel.slate, ("guess",)), fuser.heard, ("text",))
    net = fuser.Net(fuser.config, {"text": 8}).eval()
    net.look_at(sheet)
    with torch.no_grad():
        assert not net(Batch.of(sheet, fuser.base.weights[0], fuser.heard))[0].any()


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("adapter", [0, 2])
def test_a_map_between_texts_is_learned(kind, adapter):
    panel, judge = by_text(), by_text(seed=1)
    fuser = made(kind, ("guess",), vectors=("text",), adapter=adapter, lr=0.02).fit(panel, RUN)
    assert fuser.reads == ("text",)
    assert fuser.value(judge) > Weighted(sources=("guess",)).value(judge) + 0.15
    loaded = type(fuser)(fuser.config).load_state(fuser.state())
    np.testing.assert_array_equal(scores_of(loaded, judge), scores_of(fuser, judge))
    without = replace(judge, slate=replace(judge.slate, spaces={}))
    assert np.isfinite(scores_of(fuser, without)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_of_a_source_may_be_turned_by_a_refit(kind):
    """Its map cannot be learned, for it would not outlive the fit; what is read of it is the same ever after."""
    fuser = made(kind, ("guess",), vectors=("guess",)).fit(by_text(fixed=False), RUN)
    plain, turned = (scores_of(fuser, by_text(seed=1, fixed=False, turned=turned)) for turned in (False, True))
    np.testing.assert_allclose(plain, turned, atol=1e-3)


def test_cosines_with_vectors_of_a_source_are_read_while_it_is_fused():
    panel = cosine_world()
    fuser = made("gate", ("guess", "noise"), vectors=("guess", "other")).fit(panel, RUN)
    assert fuser.reads == ("guess",)
    assert fuser.with_sources(("noise", "guess")).reads == ("guess",)
    assert fuser.with_sources(("noise",)).reads == ()


def cosine_world(queries: int = 1_000) -> Panel:
    """Two sources, of which the first is right where the cosine is high."""
    rng = np.random.default_rng(0)
    panel = by_text(queries, fixed=False)
    space, shown = panel.slate.spaces["guess"], panel.slate.items
    products = np.einsum("bd,bkd->bk", space.users, space.items[shown])
    cosines = products / np.linalg.norm(space.users, axis=1)[:, None] / np.linalg.norm(space.items, axis=1)[shown]
    guess, noise = rng.standard_normal((2, *shown.shape))
    true = (4 * guess * (cosines > 0) + rng.gumbel(size=shown.shape)).argmax(axis=1)
    panel = panel_of({"guess": guess, "noise": noise}, [[int(n)] for n in shown[np.arange(queries), true]])
    return replace(panel, slate=replace(panel.slate, items=shown, spaces={"guess": space, "other": space}))


@pytest.mark.parametrize("kind", KINDS)
def test_over_more_sources_it_says_what_it_said(kind):
    fuser, judge = of_histories(kind), by_history(50, seed=1)
    third = judge.slate.with_column("third", judge.slate.column("long"))
    third = replace(third, facts=third.facts | {f"third.{n}": third.facts[f"long.{n}"] for n in ("mean", "spread")})
    more = fuser.with_sources(("third", "short", "long"))
    np.testing.assert_allclose(scores_of(more, replace(judge, slate=third)), scores_of(fuser, judge), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_cold_items_have_weights_of_their_own_and_cost_the_others_little(kind):
    fuser = made(kind, ("cf", "text"), fewest=50).fit(mixed_panel("warm"), RUN)
    fuser = fuser.fit_cold(mixed_panel("cold", seed=1), mixed := mixed_panel("mixed", seed=2))
    assert fuser.base.weights[1, 1] > fuser.base.weights[1, 0]
    judge = mixed_panel("mixed", queries=400, seed=7)
    alone = Weighted(sources=("cf", "text")).fit(mixed_panel("warm"), RUN)
    assert fuser.value(judge) > alone.value(judge) + 0.1
    warm_alone = np.where(is_cold(mixed.slate), -np.inf, scores_of(fuser, mixed))
    balance = Balance(mixed, warm_alone)
    assert MAY_COST == 1.0
    assert balance.lost(scores_of(fuser, mixed)) <= balance.allowed + 1e-6


def test_cold_items_are_not_corrected():
    fuser = of_histories("gate")
    slate = by_history(30, seed=1).slate.with_column("events", np.zeros((30, 20), np.float32))
    np.testing.assert_array_equal(fuser.contributions(slate), fuser.base.contributions(slate))


def test_weights_of_attention_sum_to_one():
    panel, fuser = by_history(seed=1), of_histories("attention")
    weights = fuser.contributions(panel.slate) / standardised(panel.slate, ("short", "long"))
    np.testing.assert_allclose(weights.sum(axis=2), 1, atol=1e-3)
    grown = panel.slate.facts["history"] > 10
    assert (weights[grown].mean(axis=(0, 1)) < weights[~grown].mean(axis=(0, 1))).tolist() == [True, False]


def test_the_load_balance_is_that_of_the_paper():
    panel, config = by_history(40), GateConfig(sources=("short", "long"), experts=3, balance=0.5)
    sheet = Sheet.of(panel.slate, standardised(panel.slate, config.sources), np.ones(2, bool), ())
    net = GateNet(config, {})
    batch = Batch.of(sheet, np.full(2, 0.5, np.float32), np.ones(2, bool))
    with torch.no_grad():
        load = torch.softmax(net.gate(net.context(batch)), dim=2).sum(dim=(0, 1)).numpy()
        penalty = float(net(batch)[1])
    assert penalty == pytest.approx(0.5 * (load.std() / load.mean()) ** 2, rel=1e-4)


def test_drawn_places_stand_for_all():
    panel = agreeing(400)
    base = standardised(panel.slate, ("h",))[:, :, 0]
    sheet = Sheet.of(panel.slate, base[:, :, None], np.ones(1, bool), ())
    rng = np.random.default_rng(0)
    sums = []
    for _ in range(200):
        lessons = Lessons.drawn(sheet, base, hits(panel), 10, rng)
        sums.append(np.exp(lessons.base + lessons.offset).sum(axis=1))
        np.testing.assert_allclose(lessons.shares.sum(axis=1), 1, rtol=1e-5)
    few = hits(panel).sum(axis=1) < 5
    np.testing.assert_allclose(np.mean(sums, axis=0)[few], np.exp(base).sum(axis=1)[few], rtol=0.05)


@pytest.mark.parametrize("harm", ["heard", "base.weights", "net.0.gate.0.weight"])
def test_a_damaged_state_is_refused(harm):
    state = of_histories("gate").state()
    harmed = [{name: array for name, array in state.items() if name != harm}]
    if harm != "base.weights":  # the weighted sum does not look at shapes
        harmed.append(state | {harm: np.zeros(7, np.float32)})
    for arrays in harmed:
        with pytest.raises(ArtefactError):
            made("gate", ("short", "long")).load_state(arrays)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(kind):
    panel, judge = by_history(600), by_history(20, seed=1)
    fusers = [made(kind, ("short", "long"), epochs=4, lr=0.02) for _ in range(3)]
    seeds = zip(fusers, (1, 1, 2), strict=True)
    one, same, other = (scores_of(fuser.fit(panel, replace(RUN, seed=seed)), judge) for fuser, seed in seeds)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_over_sources_it_never_heard_of_it_is_the_weighted_sum(kind):
    """As among items without events, which none of the sources it learned from may score."""
    fuser, judge = of_histories(kind), by_history(20, seed=1)
    facts = {name.replace("short", "new"): values for name, values in judge.slate.facts.items()}
    slate = replace(judge.slate.with_column("new", judge.slate.column("short")), facts=facts | judge.slate.facts)
    judge = replace(judge, slate=slate)
    others = fuser.with_sources(("new",))
    assert others.nets == ()
    assert others.warm == ()
    assert others.gains.shape == (0,)
    assert np.isfinite(scores_of(others, judge)).all()
    assert fuser.with_sources(("short", "new")).warm == ("short",)
    loaded = type(others)(others.config).load_state(others.state())
    np.testing.assert_array_equal(scores_of(loaded, judge), scores_of(others, judge))
