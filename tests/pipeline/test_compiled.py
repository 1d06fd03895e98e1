"""Masks are what a plain loop over the rows says."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.core.config import parse
from accord.core.errors import InputError
from accord.pipeline.compiled import CompiledCatalogue
from accord.pipeline.fields import Fields
from accord.pipeline.rules import Rules, Selection
from stocked import DAY, START, facts, table_of

N = 60
FACTS = facts(N)
IDS = [f"i{number}" for number in range(N)]
CATALOGUE = CompiledCatalogue(table_of(FACTS), {name: number for number, name in enumerate(IDS)})


def rules(**values):
    return parse(Rules, values, "rules")


def rows(name):
    return [value if not isinstance(value, list) else (value or None) for value in FACTS[name]]


unknown = st.sampled_from(["show", "hide"])
conditions = st.one_of(
    st.tuples(st.just("maker"), st.lists(st.sampled_from([f"maker{n}" for n in range(7)]), min_size=1, max_size=3)),
    st.tuples(st.just("tags"), st.lists(st.sampled_from([f"tag{n}" for n in range(6)]), min_size=1, max_size=3)),
    st.tuples(st.just("year"), st.lists(st.integers(1989, 1996), min_size=1, max_size=3)),
    st.tuples(st.just("sellable"), st.lists(st.booleans(), min_size=1, max_size=2)),
)


def has(value, wanted):
    return any(one in wanted for one in value) if isinstance(value, list) else value in wanted


@given(conditions, st.booleans(), st.none() | unknown)
def test_values_in_and_not_in(condition, positive, shown):
    field, wanted = condition
    rule = {"in" if positive else "not": wanted} | ({} if shown is None else {"unknown": shown})
    mask = CATALOGUE.fixed(rules(filters={field: rule}))
    nothing = (not positive) if shown is None else shown == "show"
    assert mask.tolist() == [nothing if value is None else has(value, wanted) == positive for value in rows(field)]


@given(st.none() | st.floats(0, 100), st.none() | st.floats(0, 100), unknown)
def test_bounds(low, high, shown):
    rule = {name: value for name, value in (("min", low), ("max", high)) if value is not None}
    if not rule:
        return
    mask = CATALOGUE.fixed(rules(filters={"cost": {**rule, "unknown": shown}}))
    expected = [
        shown == "show" if cost is None else (low is None or cost >= low) and (high is None or cost <= high)
        for cost in rows("cost")
    ]
    assert mask.tolist() == expected


@given(st.floats(-30 * DAY, 90 * DAY), st.floats(0, 30), st.none() | st.floats(0, 40), unknown)
def test_ages_are_counted_back_from_now(late, low, high, shown):
    now = START + late
    rule = {"field": "posted", "min": low * DAY, "unknown": shown} | ({} if high is None else {"max": high * DAY})
    mask = CATALOGUE.at(rules(age=rule), now, {})
    times = CATALOGUE.fields.numbers("posted").values
    expected = [
        shown == "show" if np.isnan(time) else time <= now - low * DAY and (high is None or time >= now - high * DAY)
        for time in times
    ]
    assert mask.tolist() == expected


def test_without_a_moment_nothing_is_known_of_ages():
    assert CATALOGUE.at(rules(age="posted"), np.nan, {}).all()
    assert not CATALOGUE.at(rules(age={"field": "posted", "unknown": "hide"}), np.nan, {}).any()


@pytest.mark.parametrize("default", [None, "fr"])
@pytest.mark.parametrize("place", ["de", "cn", "nowhere", None])
def test_regions(place, default):
    rule = {"field": "regions", **({} if default is None else {"default": default})}
    mask = CATALOGUE.at(rules(region=rule), np.nan, {"region": place})
    there = place or default
    assert mask.tolist() == [value is None or there in value for value in rows("regions")]


def test_stock_availability_blocked_and_only():
    assert CATALOGUE.fixed(rules(stock="stock")).tolist() == [v is None or v > 0 for v in rows("stock")]
    strict = rules(stock={"field": "stock", "above": 1, "unknown": "hide"})
    assert CATALOGUE.fixed(strict).tolist() == [v is not None and v > 1 for v in rows("stock")]
    assert CATALOGUE.fixed(rules(available="sellable")).tolist() == [v is not False for v in rows("sellable")]
    assert CATALOGUE.fixed(rules(available="stock")).tolist() == [v is None or v > 0 for v in rows("stock")]
    chosen = CATALOGUE.fixed(rules(only=["i3", "i5", "gone"], blocked=["i5", "unheard of"]))
    assert np.flatnonzero(chosen).tolist() == [3]


def test_labels_that_mean_available_are_told_or_plain():
    table = pa.table(
        {"item_id": ["a", "b", "c", "d"], "state": ["Yes", "no", None, ""], "tier": ["gold", "tin", "", None]}
    )
    catalogue = CompiledCatalogue(table, {})
    assert catalogue.fixed(rules(available="state")).tolist() == [True, False, True, True]
    assert catalogue.fixed(rules(available={"field": "tier", "values": ["gold"]})).tolist() == [True, False, True, True]
    with pytest.raises(InputError, match="neither yes nor no") as caught:
        catalogue.fixed(rules(available="tier"))
    assert (caught.value.received, caught.value.place) == ("'gold'", "rules.available")


def test_all_rules_hold_together():
    both = rules(stock="stock", filters={"maker": "maker1", "cost": {"max": 50}})
    parts = [rules(stock="stock"), rules(filters={"maker": "maker1"}), rules(filters={"cost": {"max": 50}})]
    assert np.array_equal(CATALOGUE.fixed(both), np.logical_and.reduce([CATALOGUE.fixed(part) for part in parts]))


def test_dates_are_compared_with_times():
    mask = CATALOGUE.fixed(rules(filters={"posted": {"min": "2023-11-01", "max": "2023-11-20T12:00:00Z"}}))
    times = CATALOGUE.fields.numbers("posted").values
    assert np.array_equal(mask, (times >= 1_698_796_800) & (times <= 1_700_481_600))
    assert 0 < mask.sum() < N


BAD = {
    "rules.filters.colour": ({"filters": {"colour": "red"}}, "There are: item_id (text), maker (text), tags (list)"),
    "rules.filters.cost.in": ({"filters": {"cost": "cheap"}}, "holds numbers"),
    "rules.filters.cost.min": ({"filters": {"cost": {"min": "2023-01-01"}}}, "holds numbers"),
    "rules.filters.posted.max": ({"filters": {"posted": {"max": "soon"}}}, "holds times"),
    "rules.filters.maker": ({"filters": {"maker": {"min": 3}}}, "holds text"),
    "rules.filters.maker.not": ({"filters": {"maker": {"not": 3}}}, "holds text"),
    "rules.filters.sellable.in": ({"filters": {"sellable": "yes"}}, "holds true or false"),
    "rules.filters.year.in": ({"filters": {"year": True}}, "holds numbers"),
    "rules.stock": ({"stock": "maker"}, "Fields that hold numbers: stock, cost, year"),
    "rules.available": ({"available": "tags"}, "holds lists"),
    "rules.age": ({"age": "maker"}, "holds text"),
    "rules.region": ({"region": "cost"}, "Fields that hold text or lists: item_id, maker, tags, regions"),
}


@pytest.mark.parametrize("place", BAD)
def test_a_field_that_is_not_there_or_holds_something_else_is_named(place):
    values, told = BAD[place]
    with pytest.raises(InputError) as caught:
        CATALOGUE.check(rules(**values))
    assert caught.value.place == place
    assert told in str(caught.value)


def test_masks_are_kept_and_forgotten_in_turn(monkeypatch):
    monkeypatch.setattr("accord.pipeline.compiled.MASKS", 3 * N)
    catalogue = CompiledCatalogue(table_of(FACTS), {})
    first = catalogue.fixed(rules(stock="stock"))
    for number in range(2):
        catalogue.fixed(rules(filters={"year": 1990 + number}))
    assert catalogue.fixed(rules(stock="stock")) is first
    for number in range(3):
        catalogue.fixed(rules(filters={"year": 1990 + number}))
    assert catalogue.fixed(rules(stock="stock")) is not first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = False


def test_selections_are_the_union_of_ids_and_values():
    chosen = CATALOGUE.selected(parse(Selection, {"items": ["i2", "gone"], "values": {"year": [1990]}}, "mute"), "mute")
    assert chosen.tolist() == [number == 2 or year == 1990 for number, year in enumerate(rows("year"))]


def test_columns_of_every_make_are_read():
    table = pa.table(
        {
            "item_id": ["a", "b", "c"],
            "label": pa.array(["x", None, "y"]).dictionary_encode(),
            "large": pa.array([["p", "p", None], [], None], pa.large_list(pa.large_string())),
            "codes": pa.array([[1, 2], None, [2]]),
            "day": pa.array([0, 1, None], pa.date32()),
            "available_at": [5, None, 7],
            "nested": [{"a": 1}, None, None],
        }
    )
    fields = Fields(table)
    assert fields.kinds == {
        "item_id": "text",
        "label": "text",
        "large": "list",
        "codes": "list",
        "day": "time",
        "available_at": "time",
    }
    assert fields.words("label").having(["y"]).tolist() == [False, False, True]
    assert [row.tolist() for row in fields.words("large").of_item] == [[0], [], []]
    assert fields.words("codes").having(["2"]).tolist() == [True, False, True]
    assert fields.numbers("day").values.tolist()[:2] == [0, 86_400]
    assert fields.numbers("available_at").known.tolist() == [True, False, True]
    assert [row.tolist() for row in fields.groups("available_at", "caps")] == [[0], [], [1]]


def test_a_sliced_or_chunked_table_is_read_as_its_rows():
    table = table_of(FACTS)
    cut = pa.concat_tables([table.slice(7, 20), table.slice(40, 9)])
    fields, places = Fields(cut), [*range(7, 27), *range(40, 49)]
    for name in ("tags", "maker", "sellable"):
        assert np.array_equal(fields.words(name).known, CATALOGUE.fields.words(name).known[places])
    some = fields.words("tags").having(["tag1"])
    assert np.array_equal(some, CATALOGUE.fields.words("tags").having(["tag1"])[places])
