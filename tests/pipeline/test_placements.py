from dataclasses import replace
from pathlib import Path

import pytest

from accord.core.errors import InputError
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.placements import Placement, load_placements, placements_of
from stocked import stocked

TEXT = """
[placements.home]
n = 12
description = "the first page"

[placements.home.rules]
available = "sellable"
age = { field = "posted", max = "30d" }
filters = { tags = { not = ["tag3"] } }

[placements.home.caps]
maker = 2

[[placements.home.pins]]
place = 3
item = "i5"
label = "sponsored"

[[placements.home.boosts]]
values = { tags = ["tag1"] }
by = 0.5

[placements.e-mail]
n = 4
"""


@pytest.fixture
def stocked_pipeline(pipeline: Pipeline) -> Pipeline:
    return replace(pipeline, data=stocked(pipeline.data))


def test_a_file_is_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "placements.toml"
    path.write_text(TEXT, encoding="utf-8")
    found = load_placements(path)
    home = found["home"]
    assert (list(found), home.name, home.n, found["e-mail"].n) == (["home", "e-mail"], "home", 12, 4)
    assert home.rules.age is not None
    assert (home.rules.age.high, home.caps, home.pins[0].label, home.boosts[0].by) == (
        2_592_000,
        {"maker": 2},
        "sponsored",
        0.5,
    )


BAD = {
    "nothing": ("", "one table [placements.NAME]"),
    "something else": ("[home]\nn = 3", "one table [placements.NAME]"),
    "no TOML": ("[placements.home", "not TOML"),
    "a name": ("[placements.Home]", "lower-case"),
    "a name inside": ('[placements.home]\nname = "x"', "its name is that of the table"),
    "no table": ("[placements]\nhome = 3", "a placement is a table"),
    "an unknown key": ("[placements.home]\ncolour = 3", "file: placements.home.colour"),
    "an unknown rule": ("[placements.home.rules]\ncolour = 3", "file: placements.home.rules.colour"),
    "no length": ("[placements.home]\nn = 0", "file: placements.home.n"),
    "no cap": ("[placements.home.caps]\nmaker = 0", "file: placements.home.caps.maker"),
    "a cap of half": ("[placements.home.caps]\nmaker = 1.5", "file: placements.home.caps.maker"),
    "two pins in a place": (
        '[placements.home]\npins = [{place = 1, item = "a"}, {place = 1, item = "b"}]',
        "two pins have the same place",
    ),
    "a pin twice": (
        '[placements.home]\npins = [{place = 1, item = "a"}, {place = 2, item = "a"}]',
        "two pins have the same item",
    ),
    "a boost of nothing": ("[placements.home]\nboosts = [{by = 1}]", "a boost needs items or values"),
    "a boost without end": ('[placements.home]\nboosts = [{by = 11, items = ["a"]}]', "boosts.0.by"),
    "too many disliked": (f"[placements.home]\nless_like.items = {[str(n) for n in range(51)]}", "at most 50 items"),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_mistake_is_told_with_its_place(mistake: str) -> None:
    text, told = BAD[mistake]
    with pytest.raises(InputError) as caught:
        placements_of(text, "file")
    assert told in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_placements(tmp_path / "none.toml")
    with pytest.raises(InputError, match="not a text file"):
        load_placements(tmp_path)


def test_what_fits_a_pipeline_has_nothing_to_tell(stocked_pipeline: Pipeline) -> None:
    assert [one.check(stocked_pipeline) for one in placements_of(TEXT, "file").values()] == [[], []]


def test_what_looks_wrong_is_told(stocked_pipeline: Pipeline) -> None:
    odd = Placement.model_validate(
        {
            "n": 2,
            "preset": "fast",
            "pins": [{"place": 3, "item": "i1"}, {"place": 1, "item": "gone"}],
            "mute": {"items": ["away", "i1"]},
        }
    )
    assert odd.check(stocked_pipeline) == [
        "pins: 1 of 2 items are not in the catalogue, such as 'gone'",
        "mute: 1 of 2 items are not in the catalogue, such as 'away'",
        "made for the preset 'fast', and the pipeline is 'small'",
        "place 3 of 'i1' lies beyond the list of 2",
    ]


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"rules": {"stock": "none"}}, "rules.stock"),
        ({"rules": {"age": "maker"}}, "rules.age"),
        ({"rules": {"region": "none"}}, "rules.region"),
        ({"caps": {"none": 1}}, "caps.none"),
        ({"boosts": [{"by": 1, "items": ["i1"]}, {"by": 1, "values": {"none": [1]}}]}, "boosts.1.values.none"),
        ({"mute": {"values": {"year": ["new"]}}}, "mute.values.year"),
    ],
)
def test_a_field_that_does_not_fit_is_an_error(values: dict, place: str, stocked_pipeline: Pipeline) -> None:
    with pytest.raises(InputError) as caught:
        Placement.model_validate(values).check(stocked_pipeline)
    assert caught.value.place == place
