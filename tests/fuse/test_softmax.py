"""Planted probabilities are recovered, likelihoods are those of other implementations, scores are those by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from test_weighted import mixed_panel

from accord.core.arrays import Ragged
from accord.core.run import Run
from accord.core.slate import Slate
from accord.fuse.base import EVENTS, Panel
from accord.fuse.calibration import calibration
from accord.fuse.likelihood import drawn, fit_logit, log_softmax, pool_step, pool_weights
from accord.fuse.softmax import Softmax
from accord.testing import planted

RUN = Run(cache=None)
FACTS = {"mean": 0.0, "spread": 1.0, "low": 0.0, "high": 1.0}


def panel_of(scores: dict[str, np.ndarray], truth: list[list[int]], total: int = 0, cold: np.ndarray | None = None):
    """Lists of the same items, whose scores are standard already."""
    shape = next(iter(scores.values())).shape
    columns = {name: values.astype(np.float32) for name, values in scores.items()}
    columns[EVENTS] = np.where(np.zeros(shape, bool) if cold is None else cold, 0, 5).astype(np.float32)
    facts = {f"{name}.{fact}": np.full(shape[0], value) for name in scores for fact, value in FACTS.items()}
    items = np.tile(np.arange(shape[1], dtype=np.int32), (shape[0], 1))
    return Panel(Slate(items, columns, facts), Ragged.of(truth), total or shape[0])


def sampled(chances: np.ndarray, rng: np.random.Generator) -> list[list[int]]:
    """One true place a list, drawn by its chances."""
    drawn_at = (chances.cumsum(axis=1) > rng.random((len(chances), 1))).argmax(axis=1)
    return [[int(place)] for place in drawn_at]


def calibrated(pool: str, queries: int = 3_000, seed: int = 0):
    """Two sources, and truth drawn from a pool of their softmaxes; the chances beside it."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, queries, 12))
    if pool == "log":
        chances = softmax(1.5 * a + 0.6 * b, axis=1)
    else:
        chances = 0.7 * softmax(2 * a, axis=1) + 0.3 * softmax(3 * b, axis=1)
    return panel_of({"a": a, "b": b}, sampled(chances, rng)), chances


def test_planted_chances_are_recovered_by_the_log_pool():
    panel, chances = calibrated("log")
    fuser = Softmax(sources=("a", "b")).fit(panel, RUN)
    np.testing.assert_allclose(fuser.sharpness[0] * fuser.weights[0], [1.5, 0.6], atol=0.08)
    assert fuser.temperature[0] == pytest.approx(1, abs=0.06)
    assert np.abs(fuser.probabilities(panel.slate) - chances).mean() < 0.005


def test_planted_chances_are_recovered_by_the_linear_pool():
    panel, chances = calibrated("linear")
    fuser = Softmax(sources=("a", "b"), pool="linear").fit(panel, RUN)
    a, b = fuser.weights[0]
    assert a + b == pytest.approx(1, abs=1e-5)
    assert a > b + 0.2
    linear = np.abs(fuser.probabilities(panel.slate) - chances).mean()
    assert linear < 0.03


def test_a_single_sharpness_is_that_which_was_planted():
    rng = np.random.default_rng(1)
    a = rng.standard_normal((3_000, 8))
    panel = panel_of({"a": a}, sampled(softmax(2.5 * a, axis=1), rng))
    fuser = Softmax(sources=("a",)).fit(panel, RUN)
    assert fuser.sharpness[0, 0] == pytest.approx(2.5, abs=0.12)
    reverse = panel_of({"a": -a}, panel.truth.values[:, None].tolist())
    assert Softmax(sources=("a",)).fit(reverse, RUN).sharpness[0, 0] == 0  # a source may be useless, never turned round


def test_held_back_figures_are_honest():
    panel, chances = calibrated("log")
    fuser = Softmax(sources=("a", "b")).fit(panel, RUN)
    loss, even, error = fuser.held_back
    entropy = -np.log(chances[np.arange(len(chances)), panel.truth.values]).mean()
    assert loss == pytest.approx(entropy, abs=0.01)
    assert even == pytest.approx(np.log(12))
    assert error < 0.03
    judge = calibrated("log", seed=5)[0]
    assert fuser.calibration(judge).log_loss == pytest.approx(loss, abs=0.03)
    assert fuser.calibration(judge).error < 0.04


def test_the_last_temperature_takes_back_overconfidence():
    rng = np.random.default_rng(3)
    noise = {f"n{number}": rng.standard_normal((60, 12)) for number in range(25)}
    panel = panel_of(noise, [[int(place)] for place in rng.integers(0, 12, 60)])
    fuser = Softmax(sources=tuple(noise)).fit(panel, RUN)
    assert fuser.temperature[0] > 2
    assert fuser.held_back[0] < np.log(12) + 0.1


@given(st.integers(0, 100_000))
def test_a_step_of_the_pool_never_lowers_the_likelihood(seed):
    rng = np.random.default_rng(seed)
    likelihoods = rng.random((30, 4)) ** 3 + 1e-9
    weights = rng.dirichlet(np.ones(4))
    values = []
    for _ in range(6):
        values.append(np.log(likelihoods @ weights).sum())
        weights = pool_step(likelihoods, weights)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(values) >= -1e-9).all()


def test_the_weights_of_a_mixture_are_recovered():
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.full(6, 0.3), (20_000, 2))
    truth = sampled(chances.transpose(0, 2, 1) @ [0.7, 0.3], rng)
    likelihoods = np.take_along_axis(chances, np.array(truth)[:, :, None], axis=2)[:, :, 0]
    np.testing.assert_allclose(pool_weights(likelihoods), [0.7, 0.3], atol=0.02)


@pytest.mark.parametrize("reg", [0.5, 20.0])
def test_the_logit_of_pairs_is_logistic_regression(reg):
    rng = np.random.default_rng(2)
    features = rng.standard_normal((300, 2, 3)).astype(np.float32)
    gaps = features[:, 0] - features[:, 1]
    first = rng.random(300) < 1 / (1 + np.exp(-gaps @ [1.0, -0.5, 0.2]))
    panel = panel_of({"a": features[:, :, 0]}, [[0 if won else 1] for won in first])
    golden = LogisticRegression(C=1 / reg, fit_intercept=False, tol=1e-8).fit(gaps, first).coef_[0]
    np.testing.assert_allclose(fit_logit(features, panel, reg=reg), golden, atol=2e-3)


def by_hand(pool: str) -> tuple[Softmax, Slate]:
    slate = panel_of({"a": np.array([[0.0, 1.0, 2.0]]), "b": np.array([[1.0, 0.0, 0.0]])}, [[0]]).slate
    fuser = Softmax(sources=("a", "b"), pool=pool)
    fuser.sharpness = np.array([[1.0, 2.0]] * 2, np.float32)
    fuser.weights = np.array([[0.75, 0.25]] * 2, np.float32)
    fuser.inside = np.array([0.8], np.float32)
    return fuser, slate


def test_the_linear_pool_by_hand():
    fuser, slate = by_hand("linear")
    a, b = np.exp([0, 1, 2]), np.exp([2, 0, 0])
    wanted = 0.8 * np.stack([0.75 * a / a.sum(), 0.25 * b / b.sum()], axis=1)
    np.testing.assert_allclose(fuser.contributions(slate)[0], wanted, rtol=1e-5)
    np.testing.assert_allclose(fuser.probabilities(slate)[0], wanted.sum(axis=1), rtol=1e-5)
    fuser.temperature = np.array([2.0], np.float32)
    flat = np.sqrt(wanted.sum(axis=1))
    np.testing.assert_allclose(fuser.contributions(slate)[0].sum(axis=1), 0.8 * flat / flat.sum(), rtol=1e-5)


def test_the_log_pool_by_hand():
    fuser, slate = by_hand("log")
    wanted = np.stack([0.75 * np.array([0, 1, 2]), 0.25 * np.array([2, 0, 0])], axis=1)
    logs = wanted.sum(axis=1) - np.log(np.exp(wanted.sum(axis=1)).sum()) + np.log(0.8)
    parts = fuser.contributions(slate)[0]
    np.testing.assert_allclose(parts.sum(axis=1), logs, rtol=1e-5)
    np.testing.assert_allclose(parts[1] - parts[0], wanted[1] - wanted[0], atol=1e-6)
    np.testing.assert_allclose(np.exp(logs), fuser.probabilities(slate)[0], rtol=1e-5)


@pytest.mark.parametrize("pool", ["linear", "log"])
def test_what_no_source_offered_keeps_its_share(pool):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((50, 5))
    truth = [[place, 99] for place in rng.integers(0, 5, 50).tolist()]
    fuser = Softmax(sources=("a",), pool=pool).fit(panel_of({"a": a}, truth, total=100), RUN)
    assert fuser.inside[0] == pytest.approx(0.25)
    slate = panel_of({"a": a}, truth).slate
    np.testing.assert_allclose(fuser.probabilities(slate).sum(axis=1), 0.25, rtol=1e-5)


@pytest.mark.parametrize("pool", ["linear", "log"])
def test_cold_items_get_odds_and_weights_of_their_own(pool):
    fuser = Softmax(sources=("cf", "text"), pool=pool).fit(mixed_panel("warm"), RUN)
    judge = mixed_panel("mixed", queries=400, seed=7)
    before = fuser.value(judge)
    fuser.fit_cold(mixed_panel("cold", seed=1), mixed_panel("mixed", seed=2))
    (cf, text), (cold_cf, cold_text) = fuser.sharpness * fuser.weights
    assert cf > 3 * text
    assert cold_text > 3 * cold_cf
    assert fuser.value(judge) > before + 0.03


def test_cold_places_that_hardly_come_up_lose_their_odds():
    rng = np.random.default_rng(0)
    a, cold = rng.standard_normal((800, 10)), np.tile(np.arange(10) >= 5, (800, 1))
    panel = panel_of({"a": a}, sampled(softmax(a - 2 * cold, axis=1), rng), cold=cold)
    for pool in ("linear", "log"):
        assert Softmax(sources=("a",), pool=pool).fit(panel, RUN).shift[0] == pytest.approx(-2, abs=0.25)


def test_over_other_sources_the_scores_of_items_with_events_stay():
    panel = planted.panel()
    fuser = Softmax(sources=("strong", "weak")).fit(panel, RUN)
    wider = fuser.with_sources(("noise", "weak", "strong"))
    np.testing.assert_array_equal(wider.weights[0, 0], 0)
    np.testing.assert_allclose(wider.probabilities(panel.slate), fuser.probabilities(panel.slate), atol=1e-6)


def test_log_softmax_survives_large_scores_and_empty_places():
    logs = log_softmax(np.array([[2000.0, 0.0, 5.0]], np.float32), np.array([[True, True, False]]))
    np.testing.assert_allclose(logs, [[0, -2000, -np.inf]])


def test_calibration_by_hand():
    panel = panel_of({"a": np.zeros((2, 2))}, [[0], [1]])
    found = calibration(np.log(np.array([[0.8, 0.2], [0.8, 0.2]], np.float32)), panel)
    assert found.log_loss == pytest.approx(-(np.log(0.8) + np.log(0.2)) / 2)
    assert found.even_log_loss == pytest.approx(np.log(2))
    assert found.error == pytest.approx(0.3)


def test_queries_are_drawn_among_those_with_an_offered_truth():
    panel = panel_of({"a": np.zeros((40, 3))}, [[0] if row % 2 else [99] for row in range(40)], total=60)
    few = drawn(panel, 10, RUN)
    assert (len(few), few.total) == (10, 30)
    assert set(few.truth.values.tolist()) == {0}
    assert drawn(panel, 10, RUN) is few
