"""The weights that are learned: planted truth, a search over a grid, and what cold items may cost."""

import numpy as np
import pytest

from accord.core.arrays import Ragged
from accord.core.queries import Queries
from accord.core.run import Run
from accord.core.slate import Slate
from accord.evaluate.metrics import ndcg
from accord.fuse.base import EVENTS, Panel, standardised
from accord.fuse.cold import GAINS, MAY_COST, MOST_COST, UNITS
from accord.fuse.weighted import Weighted
from accord.testing import planted

RUN = Run(cache=None)
NAMES = (*planted.SIGNAL, "silent")


def fused(fuser: Weighted, slate: Slate) -> np.ndarray:
    return fuser(Queries.of([[]] * len(slate)), slate).column("score")


def mixed_panel(
    kind: str, queries: int = 200, width: int = 12, lift: float = 2.5, often: float = 0.5, seed: int = 0
) -> Panel:
    """Source ``cf`` knows the true items that have events, ``text`` the cold ones; ``often`` the true one is cold."""
    rng = np.random.default_rng(seed)
    shape = (queries, width)
    cold = {"warm": np.zeros(shape, bool), "cold": np.ones(shape, bool), "mixed": rng.random(shape) < 0.5}[kind]
    wanted = rng.random((queries, 1)) < often
    true = np.arange(width) == (rng.random(shape) + (cold == wanted)).argmax(axis=1)[:, None]
    columns = {
        "cf": rng.standard_normal(shape) + 2.5 * (true & ~cold),
        "text": rng.standard_normal(shape) + lift * (true & cold),
        EVENTS: np.where(cold, 0.0, 9.0),
    }
    facts = {f"{name}.{fact}": np.full(queries, value) for name in ("cf", "text") for fact, value in FACTS.items()}
    items = np.tile(np.arange(width, dtype=np.int32), (queries, 1))
    slate = Slate(items, {name: values.astype(np.float32) for name, values in columns.items()}, facts)
    return Panel(slate, Ragged.of([[int(place)] for place in true.argmax(axis=1)]), queries + 40)


FACTS = {"mean": 0.0, "spread": 1.0, "low": -4.0, "high": 4.0}


def learned(**settings: float) -> Weighted:
    fuser = Weighted(sources=("cf", "text")).fit(mixed_panel("warm"), RUN)
    return fuser.fit_cold(mixed_panel("cold", seed=1), mixed_panel("mixed", seed=2, **settings))


@pytest.mark.parametrize("normalise", ["z", "minmax"])
def test_the_informative_source_is_found(normalise):
    panel, judge = planted.panel(), planted.panel(queries=400, seed=9)
    equal = Weighted(sources=NAMES, normalise=normalise)
    fitted = Weighted(sources=NAMES, normalise=normalise).fit(panel, RUN)
    strong, weak, noise, silent = fitted.weights[0]
    assert strong > weak > noise >= 0
    assert silent == 0
    assert noise < 0.15 * strong
    np.testing.assert_allclose(fitted.weights.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(fitted.weights[0], fitted.weights[1])
    assert panel.ndcg(fused(fitted, panel.slate)) > panel.ndcg(fused(equal, panel.slate))
    assert judge.ndcg(fused(fitted, judge.slate)) > judge.ndcg(fused(equal, judge.slate)) + 0.03
    for name in planted.SIGNAL:
        assert judge.ndcg(fused(fitted, judge.slate)) > judge.ndcg(judge.slate.column(name))


def test_two_weights_are_nearly_as_good_as_the_best_of_a_grid():
    panel = planted.panel(seed=3)
    names = ("strong", "weak")
    fitted = Weighted(sources=names).fit(panel, RUN)
    scores = standardised(panel.slate, names)
    best = max(panel.ndcg(scores @ np.array([share, 1 - share])) for share in np.linspace(0, 1, 101))
    assert panel.ndcg(fused(fitted, panel.slate)) > best - 0.01


def test_without_evidence_all_sources_count_alike():
    panel = planted.panel(queries=3)
    empty = Panel(panel.slate.rows(np.arange(0)), panel.truth.take(np.arange(0)), 0)
    assert Weighted(sources=NAMES).fit(empty, RUN).weights.tolist() == [[0.25] * 4] * 2


def many_sources(queries: int, seed: int, of: int = 24) -> tuple[Panel, tuple[str, ...]]:
    """Many sources, most of them copies with noise of the same two halves of what there is to know."""
    rng = np.random.default_rng(seed)
    shape = (queries, 40)
    halves = rng.standard_normal((2, *shape))
    true = (halves.sum(axis=0) + 0.5 * rng.standard_normal(shape)).argmax(axis=1)
    names = tuple(f"s{number}" for number in range(of))
    share = (0.95, *[0.5] * (of // 2 - 1), 0.9, *[0.4] * (of // 2 - 1))
    columns = {
        name: share[number] * halves[number // (of // 2)] + (1 - share[number]) * 2 * rng.standard_normal(shape)
        for number, name in enumerate(names)
    }
    facts = {f"{name}.{fact}": np.full(queries, value) for name in names for fact, value in FACTS.items()}
    items = np.tile(np.arange(shape[1], dtype=np.int32), (queries, 1))
    floats = {name: values.astype(np.float32) for name, values in columns.items()}
    slate = Slate(items, floats | {EVENTS: np.full(shape, 9.0, np.float32)}, facts)
    return Panel(slate, Ragged.of([[int(place)] for place in true]), queries), names


@pytest.mark.parametrize("queries", [100, 1_500])
def test_many_sources_alike_hide_no_good_one(queries):
    """Ascent from equal weights, one at a time, would leave the good ones among the rest."""
    (panel, names), (judge, _) = many_sources(queries, 0), many_sources(2_000, 1)
    fuser, equal = Weighted(sources=names).fit(panel, RUN), Weighted(sources=names)
    best = Weighted(sources=("s0", "s12")).fit(judge, RUN).value(judge)
    assert fuser.weights[0, [0, 12]].sum() > 0.7
    assert fuser.value(judge) > max(equal.value(judge) + 0.05, best - (0.03 if queries > 1_000 else 0.1))


def test_weights_do_not_depend_on_those_before():
    panel, names = many_sources(800, 2)
    again = Weighted(sources=names)
    again.weights = np.tile(np.linspace(0.2, 1.8, len(names), dtype=np.float32) / len(names), (2, 1))
    np.testing.assert_array_equal(again.fit(panel, RUN).weights, Weighted(sources=names).fit(panel, RUN).weights)


def test_weights_and_shift_make_the_score():
    slate = planted.panel(queries=20).slate
    fuser = Weighted(sources=("strong", "weak"))
    fuser.weights = np.array([[0.75, 0.25], [0.1, 0.9]], np.float32)
    fuser.shift = np.array([-1.5], np.float32)
    scores, cold = standardised(slate, ("strong", "weak")), slate.column(EVENTS) == 0
    wanted = np.where(cold, scores @ [0.1, 0.9] - 1.5, scores @ [0.75, 0.25])
    np.testing.assert_allclose(fused(fuser, slate)[slate.filled], wanted[slate.filled], rtol=1e-4, atol=1e-5)


def test_cold_items_get_weights_of_their_own():
    fuser = learned()
    (cf, text), (cold_cf, cold_text) = fuser.weights / fuser.weights.sum(axis=1, keepdims=True)
    assert cf > 0.8 > text
    assert cold_text > 0.8 > cold_cf
    judge = mixed_panel("mixed", queries=400, seed=7)
    warm_only = Weighted(sources=("cf", "text")).fit(mixed_panel("warm"), RUN)
    assert judge.ndcg(fused(fuser, judge.slate)) > judge.ndcg(fused(warm_only, judge.slate)) + 0.03


@pytest.mark.parametrize(("lift", "often"), [(0.0, 0.5), (1.0, 0.5), (2.5, 0.5), (0.5, 0.95), (2.0, 0.1)])
def test_cold_items_cost_the_others_no_more_than_they_may(lift, often):
    fuser, mixed = learned(lift=lift, often=often), mixed_panel("mixed", seed=2, lift=lift, often=often)
    cold = mixed.slate.column(EVENTS) == 0
    scores = standardised(mixed.slate, ("cf", "text"))
    alike = scores @ fuser.weights[0]
    shares = fuser.weights[1] / fuser.weights[1].sum()
    truths = {
        kind: Ragged.of([[t] if cold[row, t] == kind else [] for row, t in enumerate(mixed.truth.values.tolist())])
        for kind in (False, True)
    }

    def quality(scores, kind):
        return np.nan_to_num(ndcg(mixed.slate.with_column("score", scores).ranked(), truths[kind], 10))

    def at(gain, units):
        return np.where(cold, gain * scores @ shares + units * alike[~cold].std(), alike).astype(np.float32)

    alone = quality(np.where(cold, -1e3, alike).astype(np.float32), False)
    squares = (alone**2).sum() - alone.sum() ** 2 / mixed.total
    allowed = min(MAY_COST * np.sqrt(squares), MOST_COST * alone.sum())
    tried = [at(gain, units) for gain in GAINS for units in UNITS]
    bearable = [one for one in tried if alone.sum() - quality(one, False).sum() <= allowed + 1e-6]
    chosen = fused(fuser, mixed.slate)
    assert alone.sum() - quality(chosen, False).sum() <= allowed + 1e-4
    if not fuser.blend[0]:
        assert quality(chosen, True).sum() == pytest.approx(max(quality(one, True).sum() for one in bearable), abs=1e-3)
    assert max(quality(one, True).sum() for one in tried) > quality(chosen, True).sum()  # the bound binds


def test_an_item_is_the_colder_the_fewer_events_it_has():
    slate = planted.panel(queries=20).slate
    slate = slate.with_column(EVENTS, np.random.default_rng(0).integers(0, 5, slate.items.shape).astype(np.float32))
    fuser = Weighted(sources=("strong", "weak"))
    fuser.weights = np.array([[0.75, 0.25], [0.2, 0.4]], np.float32)
    fuser.shift, fuser.blend = np.array([-1.5], np.float32), np.array([2.0], np.float32)
    scores, cold = standardised(slate, ("strong", "weak")), 2 / (2 + slate.column(EVENTS))
    wanted = (1 - cold) * (scores @ [0.75, 0.25]) + cold * (scores @ [0.2, 0.4] - 1.5)
    np.testing.assert_allclose(fused(fuser, slate)[slate.filled], wanted[slate.filled], rtol=1e-4, atol=1e-5)


def test_items_of_few_events_are_half_cold_where_that_is_better():
    def panel(seed):
        mixed = mixed_panel("mixed", queries=600, seed=seed, often=0.3)
        rare = mixed.slate.column(EVENTS) == 0
        truly = rare & (np.random.default_rng(seed).random(rare.shape) < 0.3)
        events = np.where(truly, 0.0, np.where(rare, 1.0, 99.0)).astype(np.float32)
        return Panel(mixed.slate.with_column(EVENTS, events), mixed.truth, mixed.total)

    warm_only = Weighted(sources=("cf", "text")).fit(mixed_panel("warm"), RUN)
    fuser = warm_only.with_sources(("cf", "text")).fit_cold(mixed_panel("cold", seed=1), panel(2))
    assert fuser.blend[0] > 0
    judge = panel(3)
    with_blend = judge.ndcg(fused(fuser, judge.slate))
    fuser.blend = np.zeros(1, np.float32)
    assert with_blend > judge.ndcg(fused(fuser, judge.slate)) + 0.02


def test_what_was_saved_before_items_could_be_half_cold_still_loads():
    fuser = learned()
    state = {name: array for name, array in fuser.state().items() if name != "blend"}
    loaded = Weighted(sources=("cf", "text")).load_state(state)
    assert loaded.blend.tolist() == [0]
    np.testing.assert_array_equal(loaded.weights, fuser.weights)


def test_over_fewer_sources_the_proportions_stay():
    fuser = Weighted(sources=("a", "b", "c"))
    fuser.weights, fuser.shift = np.array([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]], np.float32), np.array([-1.0], np.float32)
    fewer = fuser.with_sources(("c", "a"))
    np.testing.assert_allclose(fewer.weights, [[0.6, 0.4], [0.5, 0.5]], rtol=1e-6)
    assert fewer.shift.tolist() == [-1]
    np.testing.assert_allclose(fuser.with_sources(("new", "b")).weights, [[0, 1], [0, 1]])
    fuser.weights[1], fuser.blend = [0.2, 0.4, 0.0], np.array([2.0], np.float32)
    fewer = fuser.with_sources(("a", "c"))
    np.testing.assert_allclose(fewer.weights[1], [0.6, 0.0], rtol=1e-6)  # the gain of cold scores stays
    assert fewer.blend.tolist() == [2]


def test_without_a_mixed_panel_nothing_is_shifted():
    fuser = Weighted(sources=("cf", "text")).fit(mixed_panel("warm"), RUN).fit_cold(mixed_panel("cold", seed=1))
    assert fuser.shift.tolist() == [0]
