"""Panels and normalised scores: hand-worked, and NDCG against the evaluation's own."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.core.arrays import Ragged
from accord.core.run import Run
from accord.core.slate import Slate
from accord.evaluate.metrics import ndcg
from accord.evaluate.significance import mean_and_error
from accord.fuse.base import EVENTS, Panel, find_targets, is_cold, ranged, standardised
from accord.fuse.likelihood import halved
from accord.testing import planted

NAN = np.nan


def hand_made() -> Slate:
    """Two queries, three places; source ``a`` has an opinion of the first only, ``b`` misses one item."""
    return Slate(
        np.array([[4, 7, 9], [2, 5, -1]], np.int32),
        {
            "a": np.array([[1, 3, 5], [NAN, NAN, NAN]], np.float32),
            "b": np.array([[10, NAN, 30], [-1, 1, NAN]], np.float32),
            EVENTS: np.array([[0, 2, 0], [3, 0, NAN]], np.float32),
        },
        {
            "a.mean": np.array([3.0, 7.0]),
            "a.spread": np.array([2.0, 0.0]),
            "a.low": np.array([-5.0, 7.0]),
            "a.high": np.array([5.0, 7.0]),
            "b.mean": np.array([10.0, 0.0]),
            "b.spread": np.array([10.0, 0.5]),
            "b.low": np.array([0.0, -1.0]),
            "b.high": np.array([40.0, 1.0]),
        },
    )


def test_standard_scores_by_hand():
    wanted = [[[-1, 0], [0, 0], [1, 2]], [[0, -2], [0, 2], [0, 0]]]
    np.testing.assert_allclose(standardised(hand_made(), ("a", "b")), wanted)


def test_ranges_by_hand():
    wanted = [[[0.6, 0.25], [0.8, 0], [1, 0.75]], [[0, 0], [0, 1], [0, 0]]]
    np.testing.assert_allclose(ranged(hand_made(), ("a", "b")), wanted, rtol=1e-6)


def test_a_spread_of_zero_is_no_opinion():
    flat = hand_made().with_column("a", np.full((2, 3), 7, np.float32))
    assert not standardised(flat, ("a",))[1].any()
    assert not ranged(flat, ("a",))[1].any()


def asked_often() -> Panel:
    """60 queries of 12 people, one of whom asks 20."""
    made = planted_panel()
    return replace(made, people=np.array([f"u{max(0, row - 19) % 12}" for row in range(len(made))], dtype=object))


def planted_panel() -> Panel:
    rng = np.random.default_rng(0)
    items = np.argsort(rng.random((60, 30)), axis=1)[:, :5].astype(np.int32)
    return Panel(Slate(items, {"a": rng.random((60, 5)).astype(np.float32)}), Ragged.of(items[:, :1].tolist()), 60)


def test_parts_hold_whole_people():
    panel = asked_often()
    part = panel.parts(3, np.random.default_rng(0))
    assert set(part) == {0, 1, 2}
    assert all(len(set(part[panel.people == name])) == 1 for name in set(panel.people))
    once = planted_panel().parts(3, np.random.default_rng(0))
    assert np.bincount(once).tolist() == [20, 20, 20]
    assert np.array_equal(part, panel.take(np.arange(60)).parts(3, np.random.default_rng(0)))
    assert not len(panel.take(np.arange(0)).parts(3, np.random.default_rng(0)))


def test_halves_of_a_panel_hold_whole_people():
    panel = asked_often()
    halves = halved(panel, Run(cache=None))
    assert sorted(np.concatenate([half.slate.items for half in halves]).tolist()) == sorted(panel.slate.items.tolist())
    assert not set(halves[0].people) & set(halves[1].people)
    assert sum(half.total for half in halves) == 60


def test_errors_of_a_panel_are_of_people():
    values = np.random.default_rng(1).random(60)
    panel = asked_often()
    assert planted_panel().error(values) == pytest.approx(60 * mean_and_error(values)[1], rel=0.01)
    assert replace(planted_panel(), people=np.arange(60)).error(values) == planted_panel().error(values)
    often = np.repeat(range(6), [20, 5, 5, 10, 10, 10])
    assert replace(planted_panel(), people=often).error(values) == pytest.approx(
        60 * mean_and_error(values, often)[1] * math.sqrt(5 / 6)
    )
    assert replace(planted_panel(), people=often).error(np.ones(60)) == pytest.approx(0)
    half = planted_panel().take(np.arange(60), total=120)  # the others have 0
    assert half.error(np.ones(60)) == pytest.approx(120 * np.repeat([0, 1], 60).std() / math.sqrt(120))
    assert panel.take(np.arange(20)).people is not None
    joined = Panel.joined([panel.take(np.arange(20)), panel.take(np.arange(20, 60))])
    assert joined.people.tolist() == panel.people.tolist()


def test_panels_of_chunks_know_who_asked():
    """Queries whose truth nobody offered are left out, and so are those who asked them."""
    panel = planted_panel()
    truth = Ragged.of([[items[0]] if row % 3 else [29_000] for row, items in enumerate(panel.slate.items)])
    chunks = [(panel.slate.rows(rows), truth.take(rows)) for rows in (np.arange(25), np.arange(25, 60))]
    found = Panel.of(chunks, np.arange(60).astype(object))
    assert found.people.tolist() == [row for row in range(60) if row % 3]
    assert found.total == 60


def test_cold_places():
    assert is_cold(hand_made()).tolist() == [[True, False, True], [False, True, False]]


def test_targets_by_hand():
    truth = Ragged.of([[9, 100, 4], [4, 5]])
    rows, places = find_targets(hand_made(), truth)
    assert list(zip(rows.tolist(), places.tolist(), strict=True)) == [(0, 0), (0, 2), (1, 1)]


def test_an_empty_place_is_never_a_target():
    # one catalogue row further, the cell before item 0 is the last item of the row above
    slate = Slate(np.array([[0, 1], [-1, -1]], np.int32))
    assert find_targets(slate, Ragged.of([[1], [0]]))[0].tolist() == [0]


def test_queries_whose_truth_nobody_offered_count_as_zero():
    panel = Panel.of([(hand_made(), Ragged.of([[9], [8]])), (hand_made(), Ragged.of([[3], [2]]))])
    assert (len(panel), panel.total) == (2, 4)
    assert panel.slate.items.tolist() == [[4, 7, 9], [2, 5, -1]]
    assert panel.truth.values.tolist() == [9, 2]
    assert panel.ndcg(panel.slate.column("b")) == pytest.approx((1 + 1 / math.log2(3)) / 4)


def test_ties_stand_at_their_mean_rank_and_nan_last():
    slate = Slate(np.array([[1, 2, 3, 4, -1]], np.int32))
    panel = Panel(slate, Ragged.of([[2]]), 1)
    assert panel.ndcg(np.array([[5.0, 5.0, 1.0, 0.0, 9.0]])) == pytest.approx(1 / math.log2(2.5))
    assert panel.ndcg(np.array([[5.0, NAN, 1.0, 0.0, 9.0]]), k=3) == 0


@given(st.integers(0, 100_000), st.integers(1, 15))
def test_ndcg_is_that_of_the_evaluation(seed, k):
    rng = np.random.default_rng(seed)
    drawn = planted.panel(queries=6, width=int(rng.integers(2, 16)), n_items=40, seed=seed)
    truth = Ragged.of([rng.permutation(40)[: rng.integers(1, 12)] for _ in range(6)])
    scores = rng.permutation(drawn.slate.items.size).reshape(drawn.slate.items.shape).astype(np.float32)
    judged = ndcg(drawn.slate.with_column("score", np.where(drawn.slate.filled, scores, NAN)).ranked(), truth, k)
    whole = Panel(drawn.slate, truth, 6).ndcg(scores, k)
    assert whole == pytest.approx(float(judged.mean()), abs=1e-6)
    asked = Panel.of([(drawn.slate.with_column("score", scores), truth)])
    assert asked.ndcg(asked.slate.column("score"), k) == pytest.approx(whole)


def test_joined_panels_are_padded():
    narrow = Panel(hand_made().head(1), Ragged.of([[4], [2]]), 5)
    wide = Panel(hand_made(), Ragged.of([[9, 4], [5]]), 2)
    joined = Panel.joined([narrow, wide])
    assert joined.slate.items.tolist() == [[4, -1, -1], [2, -1, -1], [4, 7, 9], [2, 5, -1]]
    assert joined.total == 7
    parts = 5 * narrow.ndcg(narrow.slate.column("b")) + 2 * wide.ndcg(wide.slate.column("b"))
    assert joined.ndcg(joined.slate.column("b")) == pytest.approx(parts / 7)


def test_planted_sources_are_as_good_as_planted():
    panel = planted.panel(queries=500)
    strong, weak, noise = (panel.ndcg(panel.slate.column(name)) for name in planted.SIGNAL)
    assert strong > weak + 0.1 > noise + 0.2
    assert replace(panel).slate.facts["silent.spread"].max() == 0
