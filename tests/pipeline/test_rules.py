import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.core.config import parse
from accord.core.errors import InputError
from accord.pipeline.rules import MOST_FILTERS, MOST_IDS, Condition, Rules, Selection, moment_of, seconds_of


def rules(**values):
    return parse(Rules, values, "rules")


@pytest.mark.parametrize(("said", "meant"), [("90s", 90), ("1.5h", 5_400), ("30d", 2_592_000), (" 2 w ", 1_209_600)])
def test_durations_have_units(said, meant):
    assert seconds_of(said) == meant
    assert rules(age={"field": "posted", "max": said}).age.high == meant


@given(st.floats(0, 1e9))
def test_a_duration_without_a_unit_is_seconds(seconds):
    assert rules(age={"field": "posted", "min": seconds}).age.low == seconds


def test_moments_are_utc_where_they_name_no_zone():
    assert moment_of("1970-01-02") == 86_400
    assert moment_of("1970-01-01T01:00:00+01:00") == 0
    assert moment_of(12.5) == 12.5


def test_a_bare_name_and_a_bare_value_are_short_for_tables():
    short = rules(available="sellable", filters={"maker": "a", "year": [1990, 1991], "cost": {"not": 3}})
    long = rules(
        available={"field": "sellable"},
        filters={"maker": {"in": ["a"]}, "year": {"in": [1990, 1991]}, "cost": {"not": [3]}},
    )
    assert short == long
    assert short.key == long.key


def test_the_key_is_of_what_holds_for_every_query():
    plain = rules(blocked=["a"])
    assert rules(blocked=["a"], age="posted", region="regions", include_seen=True).key == plain.key
    assert rules(blocked=["b"]).key != plain.key


def test_a_copy_has_a_key_of_its_own():
    first = rules(blocked=["a"])
    keys = {first.key, first.model_copy(update={"blocked": ("b",)}).key, first.model_copy(update={"blocked": ()}).key}
    assert len(keys) == 3


BAD = {
    "rules.colour": {"colour": 1},
    "rules.blocked.0": {"blocked": [1]},
    "rules.blocked": {"blocked": ["x"] * (MOST_IDS + 1)},
    "rules.filters": {"filters": {f"f{n}": 1 for n in range(MOST_FILTERS + 1)}},
    "rules.filters.a": {"filters": {"a": {}}},
    "rules.filters.a.in": {"filters": {"a": []}},
    "rules.filters.a.foo": {"filters": {"a": {"min": 1, "foo": 2}}},
    "rules.age.max": {"age": {"field": "t", "max": "soon"}},
    "rules.age.min": {"age": {"field": "t", "min": -1}},
    "rules.region.field": {"region": {"context": "land"}},
    "rules.stock.unknown": {"stock": {"field": "stock", "unknown": "perhaps"}},
}


@pytest.mark.parametrize("place", BAD)
def test_a_mistake_is_named_with_its_place(place):
    with pytest.raises(InputError) as caught:
        rules(**BAD[place])
    assert caught.value.place == place


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_bounds_are_finite(number):
    with pytest.raises(InputError):
        rules(filters={"cost": {"min": number}})


def test_rules_are_the_same_in_json():
    values = {"stock": {"field": "stock", "above": 2}, "filters": {"maker": {"not": ["a"]}, "new": True}}
    assert Rules.model_validate_json(json.dumps(values)) == rules(**values)


def test_only_not_shows_what_says_nothing():
    assert Condition.model_validate({"not": ["a"]}).shows_unknown
    assert not Condition.model_validate({"not": ["a"], "min": 1}).shows_unknown
    assert not Condition.model_validate("a").shows_unknown
    assert Condition.model_validate({"max": 3, "unknown": "show"}).shows_unknown


def test_a_selection_is_bounded():
    with pytest.raises(InputError, match="at most 10000"):
        parse(Selection, {"values": {"a": ["x"] * MOST_IDS, "b": ["y"]}}, "mute")
    with pytest.raises(InputError, match="each field needs a value"):
        parse(Selection, {"values": {"a": []}}, "mute")
    assert not Selection()
