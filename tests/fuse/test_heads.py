"""Heads alone: planted ratings and clicks, what they read, and what they refuse."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

import rated
import shop
from accord.core.errors import CannotFit
from accord.core.history import History
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.data import splits
from accord.data.choices import chosen_events
from accord.fuse.base import EVENTS
from accord.fuse.click import Click
from accord.fuse.heads import Cells, Marks, Scale
from accord.fuse.rating import Rating

RUN = shop.run()


def slate_of(items: np.ndarray, signal: np.ndarray) -> Slate:
    """A slate with one source, ``cf``, in standard units already."""
    facts = {f"cf.{fact}": np.full(len(items), value) for fact, value in {"mean": 0.0, "spread": 1.0}.items()}
    columns = {"cf": signal, "score": signal, EVENTS: np.full(items.shape, 5.0)}
    return Slate(items, {name: values.astype(np.float32) for name, values in columns.items()}, facts)


def empty(n: int) -> History:
    return History.of([[]] * n)


def test_pairs_are_laid_out_in_rows():
    rows, items = np.array([2, 0, 2]), np.array([7, 5, 9], np.int32)
    cells = Cells.of(rows, items, np.array([1, 0, 4], np.float32), np.array([1, 3, 2], np.float32), 3)
    assert cells.items.tolist() == [[5, -1], [-1, -1], [7, 9]]
    np.testing.assert_array_equal(cells.outcomes, np.array([[0, np.nan], [np.nan, np.nan], [1, 4]], np.float32))
    assert cells.weights.tolist() == [[3, 0], [0, 0], [1, 2]]
    assert cells.known.sum() == 3


def test_marks_are_the_newest_of_a_pair_and_belong_to_an_event():
    data = shop.of_events([0, 1, 0], [4, 4, 4], shop.shop())
    marks = Marks(data, np.array([1, 2, 5], np.float32))
    users = np.array(["u0", "u1", "u2", "nobody"], dtype=object)
    np.testing.assert_array_equal(marks.of(users, np.full(4, 4, np.int32)), [5, 2, np.nan, np.nan])
    np.testing.assert_array_equal(marks.rated(data.queries(np.array([0, 1]))).weights, [np.nan, 5, 2])
    stranger = replace(Queries.of([[4]]), users=np.array(["u0"], dtype=object))  # the same name, but no such event
    assert np.isnan(marks.rated(stranger).weights).all()
    assert Marks(data.with_events(np.zeros(3, bool)), np.empty(0, np.float32)).of(users[:1], np.zeros(1, np.int32)).size


def test_a_constant_feature_counts_as_nothing():
    scale = Scale.of(np.array([[1.0, 3.0], [3.0, 3.0]]))
    np.testing.assert_allclose(scale(np.array([[1.0, 9.0]])), [[-1, 0]])


def fitted_rating() -> Rating:
    return Rating(sources=("cf",), neighbours=20).fit(rated.stars(), RUN)


def test_a_source_that_knows_the_rest_is_used_and_predictions_stay_in_range():
    head, rng = fitted_rating(), np.random.default_rng(0)
    items = rng.integers(0, 80, (60, 10)).astype(np.int32)
    signal = rng.normal(size=items.shape)
    slate = slate_of(items, signal)
    truth = head.floors(slate, empty(60))["bias"] + 0.4 * signal
    cells = Cells(items, truth.astype(np.float32), np.ones(items.shape, np.float32))
    head.learn(slate, empty(60), cells, RUN)
    found = head.predict(slate, empty(60))
    inside = (truth > 1) & (truth < 5)
    np.testing.assert_allclose(found[inside], truth[inside], atol=0.05)
    assert found.min() >= 1 and found.max() <= 5


def test_useless_sources_leave_the_bias_model():
    head, rng = fitted_rating(), np.random.default_rng(1)
    items = rng.integers(0, 80, (80, 10)).astype(np.int32)
    slate = slate_of(items, rng.normal(size=items.shape))
    base = head.floors(slate, empty(80))["bias"]
    cells = Cells(items, (base + rng.normal(size=items.shape)).astype(np.float32), np.ones(items.shape, np.float32))
    assert np.abs(head.learn(slate, empty(80), cells, RUN).predict(slate, empty(80)) - base).mean() < 0.1


def test_the_history_moves_the_prediction_by_its_damped_mean():
    head = fitted_rating()
    slate = slate_of(np.array([[3]], np.int32), np.zeros((1, 1)))
    items = np.array([10, 11], np.int32)
    mild = History(np.array([0, 2]), items, np.full(2, np.nan), np.full(2, 5, np.float32))
    silent = replace(mild, weights=np.full(2, np.nan, np.float32))
    away = 5 - head.limits[0] - head.item_bias[items].astype(float)
    base, moved = (float(head.predict(slate, history)[0, 0]) for history in (silent, mild))
    assert moved - base == pytest.approx(away.sum() / (2 + head.config.damp_users), abs=1e-5)
    assert base == pytest.approx(head.limits[0] + head.item_bias[3], abs=1e-5)
    assert np.isnan(head.predict(slate_of(np.array([[-1]], np.int32), np.zeros((1, 1))), mild)).all()


@pytest.mark.parametrize("value", [None, 4.0])
def test_ratings_that_do_not_differ_are_refused(value):
    data = shop.shop()
    if value is not None:
        data = replace(data, events=data.events.append_column("value", pa.array(np.full(data.n_events, value))))
    with pytest.raises(CannotFit, match="no ratings that differ"):
        Rating(sources=("cf",)).fit(data, RUN)


def test_a_sample_of_what_was_not_chosen_counts_for_all_of_it():
    data = shop.shop()
    split = splits.leave_last(data)[0]
    head, holdout = Click(sources=("cf",), negatives=4).fit(split.train, RUN), split.valid
    cells = head.cells(holdout, data, np.random.default_rng(0))
    known = cells.known
    rows = np.nonzero(known)[0]
    items, chosen = cells.items[known], cells.outcomes[known] == 1
    truth = set(zip(holdout.truth.rows.tolist(), holdout.truth.values.tolist(), strict=True))
    assert set(zip(rows[chosen].tolist(), items[chosen].tolist(), strict=True)) == truth
    history = holdout.queries.history
    met = set(zip(history.rows.tolist(), history.items.tolist(), strict=True))
    assert not (truth | met) & set(zip(rows[~chosen].tolist(), items[~chosen].tolist(), strict=True))
    eligible = len(holdout) * data.n_items - len(met) - len(truth)
    assert cells.weights[known][~chosen].sum() == pytest.approx(eligible, rel=0.1)
    again = head.cells(holdout, data, np.random.default_rng(0))
    np.testing.assert_array_equal(again.items, cells.items)


def clicks(n: int = 400, width: int = 20) -> tuple[Slate, Cells]:
    rng = np.random.default_rng(3)
    items = rng.integers(0, 80, (n, width)).astype(np.int32)
    signal = rng.normal(size=items.shape)
    chosen = rng.random(items.shape) < 1 / (1 + np.exp(3 - 1.5 * signal))
    return slate_of(items, signal), Cells(items, chosen.astype(np.float32), np.ones(items.shape, np.float32))


@pytest.mark.parametrize("calibrate", ["none", "isotonic"])
def test_planted_probabilities_are_found(calibrate):
    slate, cells = clicks()
    head = Click(sources=("cf",), calibrate=calibrate).fit(shop.shop(), RUN).learn(slate, empty(400), cells, RUN)
    found = head.predict(slate, empty(400))
    expected = 1 / (1 + np.exp(3 - 1.5 * slate.column("cf")))
    assert np.abs(found - expected).mean() < 0.01
    assert found.mean() == pytest.approx(cells.outcomes.mean(), rel=0.02)


def test_undersampled_negatives_give_back_the_probabilities_of_all():
    slate, cells = clicks()
    rng = np.random.default_rng(4)
    drawn = (cells.outcomes == 1) | (rng.random(cells.outcomes.shape) < 0.25)
    part = Cells(
        cells.items,
        np.where(drawn, cells.outcomes, np.nan).astype(np.float32),
        np.where(drawn, np.where(cells.outcomes == 1, 1, 4), 0).astype(np.float32),
    )
    whole, sampled = (
        Click(sources=("cf",)).fit(shop.shop(), RUN).learn(slate, empty(400), c, RUN) for c in (cells, part)
    )
    np.testing.assert_allclose(
        sampled.predict(slate, empty(400)).mean(), whole.predict(slate, empty(400)).mean(), rtol=0.05
    )


def test_the_regression_is_scikit_learns():
    slate, cells = clicks()
    head = Click(sources=("cf",)).fit(shop.shop(), RUN).learn(slate, empty(400), cells, RUN)
    signal = slate.column("cf").reshape(-1, 1)
    golden = LogisticRegression(C=1e6).fit(signal, cells.outcomes.ravel())
    np.testing.assert_allclose(head.predict(slate, empty(400)).ravel(), golden.predict_proba(signal)[:, 1], atol=2e-3)


def test_what_was_shown_only_is_told_by_kind_or_by_zero():
    data = shop.of_events([0, 0, 1], [1, 1, 1], shop.shop())
    kinds = replace(data, events=data.events.append_column("event", pa.array(["impression", "click", None])))
    assert chosen_events(kinds, ("impression",)).tolist() == [False, True, True]
    assert Click(sources=("cf",)).marks(kinds).tolist() == [1, 1, 1]  # shown, then chosen
    zeros = replace(data, events=data.events.append_column("value", pa.array([1.0, None, 0.0])))
    assert chosen_events(zeros, ()).tolist() == [True, True, False]
    stars = replace(data, events=data.events.append_column("value", pa.array([0.0, 3.0, 5.0])))
    assert chosen_events(stars, ()).all()


def test_with_impressions_only_items_shown_are_learned_from():
    data = rated.impressions()
    split = splits.leave_last(data)[0]
    head = Click(sources=("cf",)).fit(split.train, RUN)
    cells = head.cells(split.valid, data, np.random.default_rng(0))
    assert (cells.weights[cells.known] == 1).all()
    assert cells.known.sum() == len(split.valid.truth.values)
    assert 0 < cells.outcomes[cells.known].mean() < 1


def test_nothing_chosen_and_nothing_learned():
    data = shop.shop()
    never = replace(data, events=data.events.append_column("event", pa.array(["impression"] * data.n_events)))
    with pytest.raises(CannotFit, match="chosen"):
        Click(sources=("cf",)).fit(never, RUN)
    head = Click(sources=("cf",)).fit(data, RUN)
    slate, cells = clicks(3, 2)
    head.learn(slate, empty(3), cells, RUN)
    np.testing.assert_allclose(head.predict(slate, empty(3)), 1 / data.n_items, rtol=1e-5)
