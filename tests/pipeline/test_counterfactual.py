"""What the list would be without one event is what is recommended to somebody without it."""

from dataclasses import replace

import numpy as np
import pytest

from accord.core.arrays import Ragged
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.pipeline.counterfactual import without_events
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.reasons import counterfactuals


def listed(pipeline: Pipeline, history: list[int], exclude: list[int]) -> list[int]:
    queries = Queries.of([history], exclude=Ragged.of([exclude]))
    return pipeline.recommend(queries, 100).items[0].tolist()


def test_places_are_those_of_a_person_without_the_event(pipeline: Pipeline) -> None:
    history = [4, 9, 17]
    queries = Queries.of([history])
    before = listed(pipeline, history, [])
    slate = pipeline.recommend(queries, 6)
    reasons = counterfactuals(pipeline, queries, slate)[0]
    moved = 0
    for reason in reasons:
        assert [one.event for one in reason.without] == [item for item, _ in reason.because]
        for one in reason.without:
            rest = listed(pipeline, [item for item in history if item != one.event], [one.event])
            wanted = rest.index(reason.item) + 1 if reason.item in rest else None
            assert one.place == wanted
            assert one.before == before.index(reason.item) + 1
            moved += one.place != one.before
    assert moved > 3


def test_a_repeated_item_is_left_out_with_all_its_events(pipeline: Pipeline) -> None:
    repeated, plain = Queries.of([[4, 9, 4]]), Queries.of([[9]], exclude=Ragged.of([[4]]))
    wanted = pipeline.recommend(plain, 100)
    item = int(wanted.items[0, 2])
    found = without_events(pipeline, repeated, [[(item, [4])]])[0][0][0]
    assert (found.place, found.event) == (3, 4)
    assert found.score == pytest.approx(float(wanted.column("score")[0, 2]), abs=1e-5)


def test_what_is_left_out_is_not_offered_in_its_place(pipeline: Pipeline) -> None:
    queries = Queries.of([[4, 9]], exclude=Ragged.of([[11]]))
    for event in (4, 9):
        assert without_events(pipeline, queries, [[(event, [event]), (11, [event])]])[0][0][0].place is None
    again = replace(queries, include_seen=True, exclude=None)
    assert without_events(pipeline, again, [[(4, [9])]])[0][0][0].place is not None


def test_an_item_behind_the_depth_has_no_place(pipeline: Pipeline) -> None:
    queries = Queries.of([[4, 9]])
    last = int(pipeline.recommend(queries, 50).items[0, -1])
    found = without_events(pipeline, queries, [[(last, [4])]], depth=3)[0][0][0]
    assert (found.place, found.score, found.before, found.depth) == (None, None, None, 3)


def test_people_do_not_mix_and_the_cost_is_bounded(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    queries = pipeline.data.queries(np.arange(4))
    slate = pipeline.recommend(queries, 5)
    asked: list[int] = []
    real = Pipeline.recommend
    monkeypatch.setattr(Pipeline, "recommend", lambda self, q, n: asked.append(len(q)) or real(self, q, n))
    together = counterfactuals(pipeline, queries, slate)
    assert len(asked) == 1
    assert asked[0] <= 4 * (1 + 3 * 5)
    for row in range(4):
        one = np.array([row])
        alone = counterfactuals(pipeline, queries.take(one), slate.rows(one))[0]
        assert [[w.place for w in r.without] for r in alone] == [[w.place for w in r.without] for r in together[row]]


def test_somebody_without_history_has_nothing_to_leave_out(pipeline: Pipeline) -> None:
    queries = pipeline.queries(["nobody"])
    slate = pipeline.recommend(queries, 3)
    assert [reason.without for reason in counterfactuals(pipeline, queries, slate)[0]] == [[], [], []]
    assert counterfactuals(pipeline, queries, Slate(np.empty((1, 0), np.int32))) == [[]]
