"""What fusers are told of the circumstances in which a list is asked for."""

from dataclasses import replace

import numpy as np
import pytest

from accord.core.errors import ArtefactError
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.fuse.circumstances import MOST, OFTEN, Circumstances, facts_of

DAY = 86_400


def asked(places: list[object], now: float = np.nan) -> Slate:
    queries = replace(Queries.of([[]] * len(places)), now=np.full(len(places), now))
    queries = replace(queries, context={"place": np.array(places, object)})
    return Slate(np.zeros((len(places), 2), np.int32), facts=facts_of(queries))


def test_usual_values_are_told_apart_and_others_are_zero():
    slate = asked(["home"] * OFTEN + ["work"] * OFTEN + ["moon"] * (OFTEN - 1) + [None])
    told = Circumstances.of(slate, (), ("place", "weather"))
    assert told.width == 2
    found = told(slate)
    assert found.sum(axis=1).tolist() == [1.0] * 2 * OFTEN + [0.0] * OFTEN
    assert found[:OFTEN].argmax(axis=1).std() == 0
    assert not told(asked([7, None, "moon"])).any()


def test_at_most_so_many_values_are_told_apart():
    slate = asked([number for number in range(2 * MOST) for _ in range(OFTEN)])
    assert Circumstances.of(slate, (), ("place",)).width == MOST


def test_a_whole_number_is_the_same_with_a_decimal_point():
    told = Circumstances.of(asked([3] * OFTEN), (), ("place",))
    np.testing.assert_array_equal(told(asked([3, 3.0, "3", 3.5])), [[1], [1], [1], [0]])


def test_the_clock_turns():
    told = Circumstances(("hour", "weekday"), ())
    assert told.width == 4
    noon, same, later = (told(asked(["x"], day * DAY + DAY / 2))[0] for day in (10, 17, 12))
    np.testing.assert_allclose(noon, same, atol=1e-4)
    np.testing.assert_allclose(noon[:2], [0, -1], atol=1e-4)
    np.testing.assert_allclose(noon[:2], later[:2], atol=1e-4)
    assert np.abs(noon[2:] - later[2:]).max() > 0.5
    assert not told(asked(["x"]))[0].any()


def test_nothing_asked_for_is_nothing_told():
    assert Circumstances((), ())(asked(["home"] * 3)).shape == (3, 0)


def test_a_saved_one_reads_the_same_and_a_damaged_one_is_refused():
    slate = asked(["home"] * OFTEN)
    told = Circumstances.of(slate, (), ("place",))
    again = Circumstances.of_state(told.state(), (), ("place",))
    np.testing.assert_array_equal(again(slate), told(slate))
    for harmed in ({}, {"context.place": np.zeros((2, 2))}, {"context.place": np.zeros(MOST + 1)}):
        with pytest.raises(ArtefactError, match="place"):
            Circumstances.of_state(harmed, (), ("place",))
