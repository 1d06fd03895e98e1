from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from query_samples import N_ITEMS, batches

from accord.core import queries as queries_module
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, CannotFit, InputError
from accord.core.queries import Queries
from accord.core.roles import FACTS, Encoder, Recommender, Scored
from accord.core.run import Run
from accord.core.slate import EMPTY
from accord.core.state import load_state, save_state


class Affinity(Recommender):
    """Scores an item by the sum of a fixed table over the history, rounded so that many tie."""

    learned = ("table",)
    table: Any

    def _fit(self, data, run):
        self.table = run.rng("table").standard_normal((data.n_items, data.n_items)).round(0).astype(np.float32)

    def _scores(self, queries):
        return np.ascontiguousarray(queries.history.matrix(self.n_items) @ self.table)


class Sequence(Affinity):
    needs_order = True


class Clocked(Affinity):
    needs_clock = True


def catalogue(n_items=N_ITEMS, order="none") -> Dataset:
    numbers = {"user": pa.array([0], pa.int32()), "item": pa.array([0], pa.int32()), "weight": pa.array([1.0])}
    items = pa.table({"item_id": [str(i) for i in range(n_items)]})
    return Dataset(pa.table(numbers), items, pa.table({"user_id": ["u"]}), order=order)


SOURCE = Affinity().fit(catalogue(), Run(cache=None))


@given(batches(), st.integers(0, N_ITEMS + 2))
def test_only_items_that_may_be_shown_are_offered_each_once(batch, m):
    queries, allowed = batch
    slate = SOURCE.offer(queries, m)
    for row, some in enumerate(allowed):
        shown = slate.items[row][slate.filled[row]].tolist()
        assert set(shown) <= some
        assert len(set(shown)) == len(shown)
        if slate.facts["spread"][row] > 0:
            assert len(shown) == min(m, len(some))


@given(batches(), st.integers(1, N_ITEMS))
def test_offer_and_score_agree(batch, m):
    queries, _ = batch
    slate = SOURCE.offer(queries, m)
    assert np.array_equal(SOURCE.score(queries, slate.items), slate.column("score"), equal_nan=True)


@given(batches(min_size=1))
def test_score_has_no_opinion_of_hidden_items(batch):
    queries, allowed = batch
    every = np.tile(np.arange(N_ITEMS, dtype=np.int32), (len(queries), 1))
    scores, facts = SOURCE.score(queries, every), SOURCE.offer(queries, 1).facts
    for row, some in enumerate(allowed):
        known = set(np.flatnonzero(~np.isnan(scores[row])).tolist())
        assert known == (some if facts["spread"][row] > 0 else set())


@given(batches(min_size=1), st.integers(1, 40))
def test_the_size_of_chunks_changes_nothing(batch, cells):
    queries, _ = batch
    whole = SOURCE.offer(queries, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queries_module.Queries.chunks, "__defaults__", (cells,))
        parts = SOURCE.offer(queries, 5)
        again = SOURCE.score(queries, whole.items)
    assert np.array_equal(parts.items, whole.items)
    assert np.array_equal(parts.column("score"), whole.column("score"), equal_nan=True)
    assert np.array_equal(again, whole.column("score"), equal_nan=True)
    for name in FACTS:
        np.testing.assert_allclose(parts.facts[name], whole.facts[name], rtol=1e-6, atol=1e-6)  # sums of other shapes


@given(batches(min_size=1), st.integers(1, 30))
def test_facts_are_those_of_the_items_that_may_be_shown(batch, block):
    queries, allowed = batch
    raw = np.random.default_rng(3).normal(5, 2, (len(queries), N_ITEMS)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("accord.core.scored.BLOCK", block)
        scored = Scored.of(raw.copy(), queries.eligible(N_ITEMS), queries.tie_keys())
    for row, some in enumerate(allowed):
        facts = {name: values[row] for name, values in scored.facts.items()}
        shown = raw[row, sorted(some)].astype(np.float64)
        assert facts["eligible"] == len(some)
        assert np.isneginf(scored.scores[row]).sum() == N_ITEMS - len(some)
        if some:
            assert (facts["low"], facts["high"]) == (shown.min(), shown.max())
            assert facts["mean"] == pytest.approx(shown.mean())
            assert facts["spread"] == pytest.approx(shown.std() if len(some) > 1 else 0)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_an_opinion_counts_whatever_its_scale(scale):
    scores = np.array([[1.0, 2.0, 3.0]], np.float32) * np.float32(scale)
    queries = Queries.of([[]])
    scored = Scored.of(scores, queries.eligible(3), queries.tie_keys())
    assert scored.facts["spread"][0] == pytest.approx(scale * np.sqrt(2 / 3))
    assert scored.offer(1).items.tolist() == [[2]]


def test_equal_scores_are_no_opinion():
    slate = SOURCE.offer(Queries.of([[], [1]]), 3)
    assert slate.items[0].tolist() == [EMPTY] * 3
    assert np.isnan(slate.column("score")[0]).all()
    assert slate.facts["spread"][0] == 0
    assert (slate.items[1] != EMPTY).all()


def test_an_empty_batch_has_every_column_and_fact():
    slate = SOURCE.offer(Queries.of([]), 4)
    assert slate.items.shape == slate.column("score").shape == (0, 4)
    assert set(slate.facts) == set(FACTS)


def test_a_source_that_needs_order_or_time_says_so():
    for source, order in ((Sequence, "none"), (Clocked, "row")):
        with pytest.raises(CannotFit, match=f"the log has no .*Received: '{order}'"):
            source().fit(catalogue(order=order), Run(cache=None))
    Sequence().fit(catalogue(order="row"), Run(cache=None))


def test_score_refuses_what_it_cannot_index():
    queries = Queries.of([[0], [1]])
    with pytest.raises(InputError, match="items: one row of items a query"):
        SOURCE.score(queries, np.zeros((3, 1), np.int32))
    with pytest.raises(InputError, match=r"items: item numbers must be below 11\. Received: 11"):
        SOURCE.score(queries, np.full((2, 1), N_ITEMS, np.int32))


def test_a_source_answers_the_same_after_saving(tmp_path):
    save_state(tmp_path / "a.safetensors", SOURCE.state())
    again = Affinity().load_state(load_state(tmp_path / "a.safetensors"))
    queries = Queries.of([[1, 2], [3]])
    assert again.n_items == N_ITEMS
    assert np.array_equal(again.recommend(queries, 5).items, SOURCE.offer(queries, 5).items)


def test_a_state_without_the_size_of_the_catalogue_is_refused():
    with pytest.raises(ArtefactError, match="saved Affinity lacks the size"):
        Affinity().load_state({"table": SOURCE.table})


def test_the_same_seed_learns_the_same_and_purposes_do_not_disturb_each_other():
    run = Run(seed=4, cache=None)
    assert np.array_equal(Affinity().fit(catalogue(), run).table, Affinity().fit(catalogue(), run).table)
    assert run.rng("a").random() != run.rng("b").random()
    assert run.rng("a").random() != Run(seed=5).rng("a").random()


def test_a_step_is_timed_even_where_it_fails():
    run = Run(cache=None)
    with pytest.raises(ValueError, match="no"), run.step("fit"):
        raise ValueError("no")
    assert [timing.step for timing in run.timings] == ["fit"]
    assert run.timings[0].peak_mib > 1


def test_a_part_without_its_primitives_says_which():
    with pytest.raises(InputError, match="a source must define _fit"):
        Recommender().fit(catalogue(), Run(cache=None))
    with pytest.raises(InputError, match="an encoder must define encode"):
        Encoder().encode(catalogue().items, Run(cache=None))
