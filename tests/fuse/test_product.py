"""A planted interaction is found, the logistic is that of another implementation, scores are those by hand."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from test_softmax import panel_of
from test_weighted import mixed_panel

from accord.core.run import Run
from accord.fuse.base import Panel
from accord.fuse.product import Places, Product, fit_logistic
from accord.fuse.weighted import Weighted
from accord.testing import planted

RUN = Run(cache=None)


def agreeing(queries: int = 1_500, seed: int = 0) -> Panel:
    """An item comes up where collaborative and content evidence have the same sign, whatever the sign."""
    rng = np.random.default_rng(seed)
    h, y, noise = rng.standard_normal((3, queries, 20))
    true = rng.random(h.shape) < expit(2.0 * h * y - 3)
    some = true.any(axis=1)
    truth = [np.flatnonzero(row).tolist() for row in true[some]]
    return panel_of({"h": h[some], "y": y[some], "noise": noise[some]}, truth)


@pytest.mark.parametrize("form", ["matrix", "elementwise"])
def test_a_product_is_found_that_no_weighted_sum_can_say(form):
    panel, judge = agreeing(), agreeing(seed=1)
    names = ("h", "y")
    product = Product(sources=names, content=("y",), form=form).fit(panel, RUN)
    assert product.value(judge) > Weighted(sources=names).fit(panel, RUN).value(judge) + 0.15
    assert product.products[0, 0, 1] == pytest.approx(2, abs=0.2)
    np.testing.assert_allclose(product.linear[0], 0, atol=0.1)


def test_planted_probabilities_are_recovered():
    rng = np.random.default_rng(2)
    h, y = rng.standard_normal((2, 2_000, 20))
    chances = expit(1.0 * h * y + 0.5 * h - 2)
    true = rng.random(h.shape) < chances
    panel = panel_of({"h": h, "y": y}, [np.flatnonzero(row).tolist() or [99] for row in true])
    fuser = Product(sources=("h", "y"), content=("y",), queries=3_000).fit(panel, RUN)
    assert np.abs(fuser.probabilities(panel.slate) - chances).mean() < 0.02


def test_few_places_stand_for_all():
    panel = agreeing()
    few, all_ = (Product(sources=("h", "y"), content=("y",), negatives=n).fit(panel, RUN) for n in (5, 20))
    assert few.products[0, 0, 1] == pytest.approx(all_.products[0, 0, 1], rel=0.2)
    assert few.bias[0] == pytest.approx(all_.bias[0], abs=0.2)


def test_the_logistic_is_that_of_another_implementation():
    rng = np.random.default_rng(0)
    features = (rng.standard_normal((800, 3)) * [1, 5, 0.2] + [0, 3, -1]).astype(np.float32)
    true = rng.random(800) < expit(features @ [1.0, -0.2, 2.0])
    weights = rng.choice([1.0, 3.0], 800).astype(np.float32)
    places = Places(features, np.zeros(800, np.float32), true, weights)
    centre = np.average(features, axis=0, weights=weights)
    spread = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=weights))
    golden = LogisticRegression(C=1 / 4.0, tol=1e-8).fit((features - centre) / spread, true, sample_weight=weights)
    found = fit_logistic(features, places, reg=4.0)
    np.testing.assert_allclose(found[:3] * spread, golden.coef_[0], atol=5e-3)
    assert found[3] + found[:3] @ centre == pytest.approx(golden.intercept_[0], abs=5e-3)


def test_a_constant_feature_gets_no_coefficient():
    features = np.stack([np.ones(40), np.arange(40) % 7], axis=1).astype(np.float32)
    places = Places(features, np.zeros(40, np.float32), np.arange(40) % 3 == 0, np.ones(40, np.float32))
    assert fit_logistic(features, places, reg=1.0)[0] == 0


def test_the_parts_by_hand():
    slate = panel_of({"h": np.array([[1.0, -2.0]]), "y": np.array([[3.0, 0.5]])}, [[0]]).slate
    fuser = Product(sources=("h", "y"), content=("y",))
    fuser.products[0, 0, 1], fuser.linear[0], fuser.bias[0] = 0.5, [0.1, -0.2], -3.0
    wanted = [[0.1 + 0.75 - 1.5, -0.6 + 0.75 - 1.5], [-0.2 - 0.25 - 1.5, -0.1 - 0.25 - 1.5]]
    np.testing.assert_allclose(fuser.contributions(slate)[0], wanted, rtol=1e-5)
    np.testing.assert_allclose(fuser.probabilities(slate)[0], expit(np.sum(wanted, axis=1)), rtol=1e-5)


def test_the_experts_by_hand():
    slate = panel_of({"h": np.array([[1.0, -2.0]]), "y": np.array([[3.0, 0.5]])}, [[0]]).slate
    fuser = Product(sources=("h", "y"), form="log")
    fuser.slope[0], fuser.offset[0], fuser.linear[0], fuser.bias[0] = [2.0, 1.0], [0.5, -1.0], [1.0, 0.5], 0.2
    h, y = np.log(expit(2 * np.array([1, -2]) + 0.5)), np.log(expit(np.array([3, 0.5]) - 1))
    np.testing.assert_allclose(fuser.contributions(slate)[0], np.stack([h + 0.1, 0.5 * y + 0.1], axis=1), rtol=1e-5)


def test_experts_that_say_no_outweigh():
    """Truth where both experts agree: neither alone is worth much, and the most enthusiastic one is no help."""
    rng = np.random.default_rng(0)
    h, y = 4 * rng.standard_normal((2, 1_000, 20))
    true = rng.random(h.shape) < expit(2 * h) * expit(2 * y) * 0.5
    rows = np.flatnonzero(true.any(axis=1))
    panel = panel_of({"h": h[rows], "y": y[rows]}, [np.flatnonzero(true[row]).tolist() for row in rows])
    kinds = (Product(sources=("h", "y"), form="log"), Weighted(sources=("h", "y")))
    product, weighted = (kind.fit(panel, RUN) for kind in kinds)
    assert product.value(panel) > weighted.value(panel) + 0.01
    assert (product.linear >= 0).all()


@pytest.mark.parametrize(
    ("form", "cells"),
    [
        ("matrix", [("a", "t"), ("b", "t"), ("c", "t"), ("a", "u"), ("b", "u"), ("c", "u")]),
        ("elementwise", [("a", "t"), ("b", "u"), ("c", "t")]),
        ("log", []),
    ],
)
def test_which_scores_are_multiplied(form, cells):
    names = ("a", "t", "b", "u", "c")
    rng = np.random.default_rng(0)
    panel = panel_of({name: rng.standard_normal((60, 6)) for name in names}, [[row % 6] for row in range(60)])
    fuser = Product(sources=names, content=("t", "u", "unknown"), form=form).fit(panel, RUN)
    learned = {(names[one], names[other]) for one, other in np.argwhere(fuser.products[0])}
    assert learned == set(cells)


def test_without_content_there_is_no_product():
    panel = planted.panel()
    fuser = Product(sources=("strong", "weak"), content=()).fit(panel, RUN)
    assert not fuser.products.any()
    assert fuser.linear[0, 0] > fuser.linear[0, 1] > 0


@pytest.mark.parametrize("form", ["matrix", "elementwise", "log"])
def test_cold_items_get_coefficients_of_their_own(form):
    fuser = Product(sources=("cf", "text"), content=("text",), form=form).fit(mixed_panel("warm"), RUN)
    judge = mixed_panel("mixed", queries=400, seed=7)
    before, warm = fuser.value(judge), fuser.linear[0].copy()
    fuser.fit_cold(mixed_panel("cold", seed=1), mixed_panel("mixed", seed=2))
    np.testing.assert_array_equal(fuser.linear[0], warm)
    assert fuser.linear[1, 1] > 3 * abs(fuser.linear[1, 0])
    assert fuser.value(judge) > before + 0.03
    shift = fuser.shift.copy()
    np.testing.assert_array_equal(fuser.fit_cold(mixed_panel("cold", seed=3)).shift, shift)


def test_over_other_sources_the_scores_of_items_with_events_stay():
    panel = planted.panel()
    fuser = Product(sources=("strong", "weak"), content=("weak",)).fit(panel, RUN)
    wider = fuser.with_sources(("noise", "weak", "strong"))
    np.testing.assert_allclose(wider.probabilities(panel.slate), fuser.probabilities(panel.slate), atol=1e-5)
    assert wider.products[0, 2, 1] == fuser.products[0, 0, 1] != 0
