import math

import numpy as np
import pytest

from accord.core.errors import InputError
from accord.evaluate import significance
from accord.evaluate.significance import holm, mean_and_error, paired_bootstrap


def test_mean_and_error_leave_out_what_is_unknown():
    mean, error = mean_and_error(np.array([1.0, np.nan, 3.0, 5.0]))
    assert (mean, error) == pytest.approx((3.0, 2 / math.sqrt(3)))
    assert mean_and_error(np.array([np.nan, 2.0]))[0] == 2.0
    assert all(math.isnan(value) for value in mean_and_error(np.empty(0)))


def test_interval_has_the_width_of_the_standard_error():
    values = np.random.default_rng(0).normal(0.1, 1, (2000, 1))
    (interval,) = paired_bootstrap(values, 4000)
    mean, error = mean_and_error(values[:, 0])
    assert interval.difference == pytest.approx(mean)
    assert (interval.low, interval.high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.1 * error)


def test_intervals_cover_the_truth_as_often_as_they_say():
    samples = np.random.default_rng(1).exponential(1.0, (60, 400)) - 1.0  # 400 experiments of 60 queries, mean 0
    intervals = [paired_bootstrap(samples[:, [column]], 400, column)[0] for column in range(400)]
    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    assert 0.89 <= covered <= 0.98
    significant = np.mean([interval.p < 0.05 for interval in intervals])
    assert abs((1 - covered) - significant) < 0.02


def test_p_is_small_for_a_clear_difference_and_one_for_none():
    rng = np.random.default_rng(2)
    clear, none = rng.normal(1, 1, 200), np.zeros(200)
    first, second = paired_bootstrap(np.stack([clear, none], axis=1), 999)
    assert first.p == pytest.approx(2 / 1000)
    assert second.p == 1
    assert (second.low, second.high) == (0, 0)


def test_same_seed_same_answer_whatever_the_chunk(monkeypatch):
    values = np.random.default_rng(3).normal(0, 1, (50, 2))
    whole = paired_bootstrap(values, 500, seed=4)
    monkeypatch.setattr(significance, "CELLS", 1000)
    parts = paired_bootstrap(values, 500, seed=4)
    assert [part.low for part in parts] == pytest.approx([one.low for one in whole])
    assert paired_bootstrap(values, 500, seed=5)[0].low != whole[0].low


def test_queries_without_a_value_are_left_out():
    values = np.array([[1.0, 2.0], [np.nan, 5.0], [3.0, 4.0]])
    first, second = paired_bootstrap(values, 100)
    assert (first.difference, second.difference) == (2.0, 3.0)
    with pytest.raises(InputError, match="no query"):
        paired_bootstrap(np.full((3, 1), np.nan))


def test_holm_by_hand():
    # Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and never below the one before: .02 .03 .06 .06
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]
    assert len(holm(np.empty(0))) == 0


def test_what_one_person_is_asked_errs_together():
    each = np.random.default_rng(0).normal(0.1, 1, (500, 1))
    asked, people = np.repeat(each, 4, axis=0), np.repeat([f"u{number}" for number in range(500)], 4)
    (once,), (fooled,) = paired_bootstrap(each, 2000), paired_bootstrap(asked, 2000)
    (knowing,) = paired_bootstrap(asked, 2000, people=people)
    assert knowing.difference == pytest.approx(once.difference)
    assert knowing.high - knowing.low == pytest.approx(once.high - once.low, rel=0.1)
    assert fooled.high - fooled.low < 0.6 * (knowing.high - knowing.low)
    assert mean_and_error(asked[:, 0], people) == pytest.approx(mean_and_error(each[:, 0]), rel=1e-3)


def test_people_who_are_asked_once_change_nothing():
    values, people = np.random.default_rng(1).normal(size=(90, 2)), np.arange(90).astype(str)
    assert paired_bootstrap(values, 300, people=people) == paired_bootstrap(values, 300)
    assert mean_and_error(values[:, 0], people) == pytest.approx(mean_and_error(values[:, 0]))
    values[::7, 1] = np.nan
    assert paired_bootstrap(values, 300, people=people) == paired_bootstrap(values, 300)


def test_people_asked_unlike_often_have_an_honest_interval():
    """400 experiments of 40 people who are asked 1 to 12 times, each with a bent of their own; the mean is 0."""
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(400):
        people = np.repeat(np.arange(40), rng.integers(1, 13, 40))
        values = rng.normal(size=40)[people] + 0.3 * rng.normal(size=len(people))
        (interval,) = paired_bootstrap(values[:, None], 400, people=people)
        covered.append(interval.low <= 0 <= interval.high)
    assert 0.88 <= np.mean(covered) <= 0.98


def test_of_one_person_alone_the_queries_are_drawn():
    values = np.array([0.1, 0.2, -0.05])
    assert mean_and_error(values, np.array(["a"] * 3)) == mean_and_error(values)
    assert paired_bootstrap(values[:, None], 500, people=np.array(["a"] * 3)) == paired_bootstrap(values[:, None], 500)
