"""Errors of predictions: against scikit-learn, and by hand."""

import numpy as np
import pytest
from sklearn import metrics as golden

from accord.core.errors import InputError
from accord.evaluate import prediction
from accord.evaluate.prediction import Outcomes, report


@pytest.fixture(params=[False, True], ids=["plain", "weighted"])
def clicks(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes, probabilities with ties, weights."""
    rng = np.random.default_rng(1)
    chance = np.round(rng.random(500), 2) * 0.98 + 0.01
    weights = rng.integers(1, 9, 500).astype(float) if request.param else np.ones(500)
    return (rng.random(500) < chance**1.5).astype(float), chance, weights


def test_probabilities_agree_with_scikit_learn(clicks):
    truth, chance, weights = clicks
    assert prediction.log_loss(*clicks) == pytest.approx(golden.log_loss(truth, chance, sample_weight=weights))
    assert prediction.auc(*clicks) == pytest.approx(golden.roc_auc_score(truth, chance, sample_weight=weights))
    assert prediction.brier(*clicks) == pytest.approx(golden.brier_score_loss(truth, chance, sample_weight=weights))


def test_ratings_agree_with_scikit_learn(clicks):
    rng = np.random.default_rng(2)
    truth, predicted, weights = rng.integers(1, 6, 500).astype(float), rng.normal(3, 1, 500), clicks[2]
    expected = golden.root_mean_squared_error(truth, predicted, sample_weight=weights)
    assert prediction.rmse(truth, predicted, weights) == pytest.approx(expected)
    expected = golden.mean_absolute_error(truth, predicted, sample_weight=weights)
    assert prediction.mae(truth, predicted, weights) == pytest.approx(expected)


def test_a_weight_counts_as_so_many_copies(clicks):
    truth, chance, weights = clicks
    copies = np.repeat(np.arange(len(truth)), weights.astype(int))
    for metric in (prediction.log_loss, prediction.auc, prediction.brier, prediction.calibration_error):
        assert metric(truth, chance, weights) == pytest.approx(metric(truth[copies], chance[copies]))


def test_reliability_by_hand():
    chance = np.array([0.1, 0.1, 0.3, 0.3, 0.6, 0.6, 0.9, 0.9])
    truth = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    low, high = prediction.reliability(truth, chance, bins=2)
    assert low == pytest.approx({"said": 0.2, "came": 0.25, "share": 0.5})
    assert high == pytest.approx({"said": 0.75, "came": 0.75, "share": 0.5})
    assert prediction.calibration_error(truth, chance, bins=2) == pytest.approx(0.025)


def test_equal_probabilities_share_one_bin_and_have_no_auc_to_speak_of():
    truth = np.array([1.0, 0.0, 0.0, 0.0])
    assert prediction.reliability(truth, np.full(4, 0.25)) == [{"said": 0.25, "came": 0.25, "share": 1.0}]
    assert prediction.auc(truth, np.full(4, 0.25)) == 0.5
    assert prediction.auc(np.zeros(4), np.full(4, 0.25)) is None


def test_the_reliability_of_true_probabilities_agrees_with_scikit_learn():
    calibration = pytest.importorskip("sklearn.calibration")
    rng = np.random.default_rng(3)
    chance = rng.random(4_000)
    truth = (rng.random(4_000) < chance).astype(float)
    came, said = calibration.calibration_curve(truth, chance, n_bins=10, strategy="quantile")
    bins = prediction.reliability(truth, chance)
    np.testing.assert_allclose([row["said"] for row in bins], said, atol=1e-6)
    np.testing.assert_allclose([row["came"] for row in bins], came, atol=1e-6)
    assert prediction.calibration_error(truth, chance) < 0.03


def outcomes(n_users: int = 60, noise: float = 0.5) -> Outcomes:
    rng = np.random.default_rng(4)
    users = np.repeat(np.arange(n_users), 5)
    truth = rng.normal(3, 1, len(users))
    good = truth + rng.normal(0, noise, len(users))
    return Outcomes(users, truth, {"mean": np.full(len(users), 3.0), "same": good.copy(), "head": good})


def test_a_report_tells_a_real_gain_from_none():
    told = report(outcomes(), "rating")
    against_mean, against_same = told["comparisons"]
    assert (told["n"], told["n_queries"], told["measures"]) == (300, 60, "rating")
    assert against_mean["high"] < 0 and against_mean["p"] < 0.01
    assert against_mean["low"] < against_mean["difference"] < against_mean["high"]
    systems = {name: figures["rmse"]["value"] for name, figures in told["systems"].items()}
    assert against_mean["difference"] == pytest.approx(systems["head"] - systems["mean"])
    assert against_same == against_same | {"difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


def test_the_interval_knows_that_outcomes_of_one_user_go_together():
    """Five copies of each outcome of a user say no more than one."""
    rng = np.random.default_rng(5)
    truth, good = rng.normal(3, 1, 80), rng.normal(3, 1, 80)
    widths = []
    for copies in (1, 5):
        users = np.repeat(np.arange(80), copies)
        part = Outcomes(users, np.repeat(truth, copies), {"b": np.full(len(users), 3.0), "a": np.repeat(good, copies)})
        row = report(part, "rating")["comparisons"][0]
        widths.append(row["high"] - row["low"])
    assert widths[0] == pytest.approx(widths[1])


def test_cuts_are_joined_without_mixing_their_users():
    part = outcomes(10)
    joined = Outcomes.joined([part, part])
    assert report(joined, "rating")["n_queries"] == 20
    assert prediction.rmse(joined.truth, joined.predicted["head"]) == pytest.approx(
        prediction.rmse(part.truth, part.predicted["head"])
    )


def test_odd_lengths_are_refused():
    with pytest.raises(InputError, match="one length"):
        Outcomes(np.arange(3), np.zeros(3), {"head": np.zeros(2)})
    with pytest.raises(InputError, match="one length"):
        Outcomes(np.arange(0), np.zeros(0), {"head": np.zeros(0)})
