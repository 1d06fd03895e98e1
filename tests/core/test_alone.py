"""What one query of a large catalogue is told, beside all scores one by one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.core import alone
from accord.core.alone import FewScores, Standing, StandingScores, is_alone
from accord.core.arrays import Ragged
from accord.core.queries import Queries
from accord.core.scored import FACTS, Scored
from accord.core.slate import EMPTY
from accord.core.topk import Drawn, top_k

N = 400
VALUES = st.sampled_from([-1.5, -0.25, 0.0, 0.25, 0.5, 2.0])


@st.composite
def asked(draw):
    """One query with a history and exclusions, sometimes with a mask."""
    numbers = st.lists(st.integers(0, N - 1), max_size=30)
    query = Queries.of([draw(numbers)], exclude=Ragged.of([draw(numbers)]))
    hidden = draw(st.lists(st.integers(0, N - 1), max_size=60))
    mask = np.ones(N, dtype=bool)
    mask[hidden] = False
    return replace(query, open=mask) if draw(st.booleans()) else query


def same(one: Scored, every: Scored) -> None:
    np.testing.assert_array_equal(one.scores, every.scores)
    for name in FACTS:
        assert one.facts[name][0] == pytest.approx(every.facts[name][0], rel=1e-5, abs=1e-6)
    for m in (0, 1, 7, 60, N, N + 5):
        ours, theirs = one.offer(m), every.offer(m)
        np.testing.assert_array_equal(ours.items, theirs.items)
        np.testing.assert_array_equal(ours.column("score"), theirs.column("score"))
    items = np.concatenate([np.arange(N), [EMPTY]])[None].astype(np.int32)
    np.testing.assert_array_equal(one.at(items), every.at(items))
    assert one.at(items).dtype == np.float32
    for mark in (True, False):
        for ours, theirs in zip(one.best(5, np.array([mark])), every.best(5, np.array([mark])), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@settings(deadline=None)
@given(asked(), st.dictionaries(st.integers(0, N - 1), VALUES, max_size=150))
def test_few_scores_are_what_all_scores_say(query, given_scores):
    rules, keys = query.eligible(N), query.tie_keys()
    items = np.array(sorted(given_scores), np.int64)
    values = np.array([given_scores[item] for item in items.tolist()], np.float32)
    whole = np.zeros((1, N), np.float32)
    whole[0, items] = values
    same(FewScores.under(items, values, rules, keys), Scored.of(whole, rules, keys))


@settings(deadline=None)
@given(asked(), st.lists(VALUES, min_size=N, max_size=N))
def test_standing_scores_are_what_all_scores_say(query, values):
    rules, keys = query.eligible(N), query.tie_keys()
    whole = np.array([values], np.float32)
    same(StandingScores.under(Standing.of(whole[0].copy()), rules, keys), Scored.of(whole, rules, keys))


@given(st.integers(1, 3_000), st.integers(0, 1 << 40), st.integers(1, 400))
def test_ties_are_drawn_as_by_a_full_sort(n, key, k):
    wanted, _ = top_k(np.zeros((1, n), np.float32), k, np.array([key]))
    drawn = Drawn(n, key)
    assert drawn.first(k)[: min(k, n)].tolist() == wanted[0].tolist()
    assert drawn.first(2 * k)[: min(k, n)].tolist() == wanted[0].tolist()


def test_only_one_query_with_most_of_a_large_catalogue_is_alone(monkeypatch):
    monkeypatch.setattr(alone, "LEAST", N)
    some = np.arange(N) < N // 2 - 1
    assert is_alone(Queries.of([[3]]).eligible(N))
    assert not is_alone(Queries.of([[3]]).eligible(N - 1))
    assert not is_alone(Queries.of([[3], [4]]).eligible(N))
    assert not is_alone(Queries.of([[3]], open=some).eligible(N))
