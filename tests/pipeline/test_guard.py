"""A pipeline that is guarded goes on without a source; one that is not raises what the source raises."""

from dataclasses import replace

import numpy as np
import pytest

from accord.pipeline.pipeline import Pipeline


def every(tasks):
    return {name: ask() for name, ask in tasks.items()}


def without(*names):
    return lambda tasks: {name: ask() for name, ask in tasks.items() if name not in names}


def test_a_guard_that_leaves_nothing_out_changes_nothing(pipeline: Pipeline):
    queries = pipeline.queries(["u1", "u2", "nobody"])
    plain, guarded = (one.recommend(queries, 10) for one in (pipeline, replace(pipeline, guard=every)))
    assert np.array_equal(plain.items, guarded.items)
    np.testing.assert_array_equal(plain.columns["score"], guarded.columns["score"])


def test_a_source_left_out_has_no_opinion_and_the_others_answer(pipeline: Pipeline):
    queries, gone = pipeline.queries(["u1", "u2"]), next(iter(pipeline.sources))
    slate = replace(pipeline, guard=without(gone)).recommend(queries, 10)
    assert np.isnan(slate.column(gone)).all()
    assert slate.filled.all()


def test_without_any_source_the_list_is_still_full(pipeline: Pipeline):
    slate = replace(pipeline, guard=lambda _: {}).recommend(pipeline.queries(["u1"]), 10)
    assert slate.filled.all()
    assert not slate.column("score").any()


def test_without_a_guard_errors_are_raised(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch):
    source = next(iter(pipeline.sources.values()))
    monkeypatch.setattr(type(source), "_scores", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pipeline.recommend(pipeline.queries(["u1"]), 10)


def test_similar_items_are_among_those_that_may_be_shown(pipeline: Pipeline):
    shown = np.arange(pipeline.data.n_items) % 2 == 0
    slate = pipeline.similar(np.array([3], np.int32), 10, shown)
    assert slate.filled.any()
    assert not (slate.items[slate.filled] % 2).any()
