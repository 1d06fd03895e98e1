"""Popularity by category, hour and place, and trends, on logs small enough to count by hand."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest

from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.queries import Queries
from accord.core.run import Run
from accord.models.popular_by import PopularBy
from accord.models.trend import Trend
from accord.testing.planted import GROUPS, checkerboard
from accord.testing.sources import SourceContract

RUN = Run(cache=None)


class TestByBrand(SourceContract):
    name = "popular_by"
    settings: ClassVar = {"by": "brand"}
    late: ClassVar = {"tau": 2.0, "last": 3, "shrink": 5.0}


def log(rows: list[tuple[int, float, str | None]], n_items: int, **items: list) -> Dataset:
    """One event of one user a row: (item, hours since 1970, place)."""
    item, hours, place = zip(*rows, strict=True)
    events = {
        "user": pa.array([0] * len(rows), pa.int32()),
        "item": pa.array(item, pa.int32()),
        "weight": pa.array([1.0] * len(rows), pa.float32()),
        "timestamp": [3600.0 * hour for hour in hours],
        "place": pa.array(place, pa.string()),
    }
    table = pa.table({"item_id": [str(n) for n in range(n_items)], **items})
    return Dataset(pa.table(events), table, pa.table({"user_id": ["a"]}), order="time")


def asked(rows: list[list[int]], **settings) -> Queries:
    return replace(Queries.of(rows), include_seen=True, **settings)


PLACES = log([(0, 9, "bar"), (0, 33, "bar"), (1, 10, "bar"), (2, 20, "home"), (2, 21, "home"), (2, 22, None)], 4)
OVERALL = np.array([2, 1, 3, 0])


def test_a_part_is_shrunk_towards_the_whole():
    source = PopularBy(by="place", shrink=2).fit(PLACES, RUN)
    places = np.array(["bar", "home", "elsewhere", None], dtype=object)
    scores = np.expm1(source.scored(asked([[]] * 4, context={"place": places})).scores)
    bar = 6 * (np.array([2, 1, 0, 0]) + 2 * OVERALL / 6) / (3 + 2)
    home = 6 * (np.array([0, 0, 2, 0]) + 2 * OVERALL / 6) / (2 + 2)
    np.testing.assert_allclose(scores, [bar, home, OVERALL, OVERALL], rtol=1e-5)


def test_who_does_not_say_where_gets_overall_popularity():
    source = PopularBy(by="place").fit(PLACES, RUN)
    np.testing.assert_allclose(np.expm1(source.scored(asked([[], [0]])).scores), [OVERALL, OVERALL], rtol=1e-5)


def test_the_hour_is_that_of_now():
    source = PopularBy(by="hour", shrink=1).fit(PLACES, RUN)
    now = np.array([48 + 9.9, 24 + 20.0, 3.0, np.nan]) * 3600
    scores = np.expm1(source.scored(asked([[]] * 4, now=now)).scores)
    nine = 6 * (np.array([2, 0, 0, 0]) + OVERALL / 6) / (2 + 1)
    eight = 6 * (np.array([0, 0, 1, 0]) + OVERALL / 6) / (1 + 1)
    np.testing.assert_allclose(scores, [nine, eight, OVERALL, OVERALL], rtol=1e-5)


def test_the_categories_are_those_of_the_last_items():
    kinds = [["tea", "hot"], ["tea"], ["ale"], None]
    data = log([(0, 1, None), (0, 2, None), (1, 3, None), (2, 4, None)], 4, kinds=kinds)
    source = PopularBy(by="kinds", shrink=1, last=1).fit(data, RUN)
    scores = np.expm1(source.scored(asked([[2, 1], [1, 2], [0], [3], []])).scores)
    whole = np.array([2, 1, 1, 0])
    tea = 4 * (np.array([2, 1, 0, 0]) + whole / 4) / (3 + 1)
    ale = 4 * (np.array([0, 0, 1, 0]) + whole / 4) / (1 + 1)
    hot = 4 * (np.array([2, 0, 0, 0]) + whole / 4) / (2 + 1)
    np.testing.assert_allclose(scores, [tea, ale, (tea + hot) / 2, whole, whole], rtol=1e-5)


def test_numbers_and_dictionaries_are_names_too():
    rows = [(0, 1, None), (1, 2, None)]
    for column in ([7, 8], pa.array(["x", "y"]).dictionary_encode()):
        source = PopularBy(by="kind", shrink=1).fit(log(rows, 2, kind=column), RUN)
        assert source.offer(asked([[0], [1]]), 1).items.tolist() == [[0], [1]]


def test_what_cannot_be_divided_is_named():
    with pytest.raises(CannotFit, match="no_such"):
        PopularBy(by="no_such").fit(PLACES, RUN)
    with pytest.raises(CannotFit, match="clock"):
        PopularBy().fit(replace(PLACES, order="row"), RUN)


def test_own_category_comes_first_on_the_checkerboard():
    world = checkerboard()
    slate = PopularBy(by="brand").fit(world.data, RUN).offer(world.data.queries(), 3)
    right = (world.item_groups[slate.items] == world.user_groups[:, None]).mean()
    assert right == 1.0 > 1 / GROUPS


def days(rows: list[tuple[int, float, int]]) -> Dataset:
    """So many events of an item, so many days before the last: (item, days, events)."""
    return log([(item, (100 - ago) * 24, None) for item, ago, times in rows for _ in range(times)], 4)


def test_trend_compares_two_windows_and_allows_for_the_whole():
    data = days([(0, 0, 6), (0, 9, 2), (1, 0, 2), (1, 10, 6), (2, 30, 50)])
    trend = Trend(window=7, shrink=1).fit(data, RUN).trend
    wanted = np.log1p(8) * np.log([(6 + 1) / (2 + 1), (2 + 1) / (6 + 1)])
    np.testing.assert_allclose(trend, [*wanted, 0, 0], rtol=1e-5, atol=1e-7)
    growing = days([(0, 0, 6), (0, 7, 3), (1, 0, 2), (1, 7, 1)])
    np.testing.assert_allclose(Trend(window=7, shrink=1).fit(growing, RUN).trend, 0, atol=1e-6)


def test_trend_of_a_log_shorter_than_a_window_is_popularity():
    trend = Trend(window=7, shrink=1).fit(days([(0, 0, 3), (1, 1, 1)]), RUN).trend
    np.testing.assert_allclose(trend, np.log1p([3, 1, 0, 0]) * np.log([4, 2, 1, 1]), rtol=1e-5)
