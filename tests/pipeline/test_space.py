"""What may be tuned: ranges, choices, and the paths that lead to a setting."""

import math
from dataclasses import replace
from typing import Any

import pytest

import shop
from accord.core.config import parse
from accord.core.errors import InputError
from accord.pipeline.artefact import resolved
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.space import Range, ends, part_of
from accord.pipeline.spec import PipelineSpec, spec_of, value_at, with_values

SPACE = """
[tune]
queries = 50

[tune.space]
"sources.knn.k" = { low = 5, high = 45, step = 20 }
"sources.knn.tau" = [1.0, inf]
"encoders.tfidf.min_df" = { low = 1, high = 3 }
"fusers.0.normalise" = ["z", "minmax"]
"""


def spec(space: str = SPACE) -> PipelineSpec:
    return spec_of(shop.SMALL + space, "file.toml")


@pytest.mark.parametrize(
    "values, what",
    [
        ({"low": 3, "high": 3}, "low must be below high"),
        ({"low": 0, "high": 3, "log": True}, "a low above 0"),
        ({"low": 1, "high": 3, "log": True, "step": 1}, "without step"),
        ({"low": 0.0, "high": 1.0, "step": 0.3}, "whole number of steps"),
        ({"low": 0, "high": 1, "step": 0}, "whole number of steps"),
        ({"low": 0, "high": math.inf}, "finite"),
        ({"low": 0}, "required"),
    ],
)
def test_impossible_ranges_are_refused(values: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what):
        parse(Range, values, "here")


def test_whole_ends_mean_whole_numbers() -> None:
    whole, real, stepped = Range(low=1, high=9), Range(low=1.0, high=9), Range(low=0.0, high=1.0, step=0.1)
    assert (whole.whole, real.whole, Range(low=0, high=1, step=0.5).whole) == (True, False, False)
    assert [whole.holds(value) for value in (1, 9, 4.0)] == [True] * 3, "4.0 of a file is a whole number too"
    assert not any(whole.holds(value) for value in (10, 4.5, True, None))
    assert real.holds(4) and real.holds(1.5) and not real.holds(0.99)
    assert stepped.holds(0.3) and not stepped.holds(0.35)


def test_values_are_written_by_path_and_nothing_else_changes() -> None:
    before = spec()
    after = with_values(
        before, {"sources.knn.k": 7, "fusers.0.normalise": "minmax", "sources.trending.half_life": None}
    )
    assert after.sources["knn"] == {"kind": "item_knn", "k": 7}
    assert after.sources["trending"] == {"kind": "popular"}
    assert after.fusers[0] == {"kind": "weighted", "normalise": "minmax"}
    assert before == spec(), "the pipeline that it came from stays as it was"
    assert with_values(after, {"sources.knn.k": 20}).sources["content"] == before.sources["content"]


def test_a_value_is_that_of_the_file_or_the_default() -> None:
    given = spec()
    assert value_at(given, "sources.knn.k", "x") == 20
    assert value_at(given, "fusers.0.normalise", "x") == "z"
    assert value_at(given, "sources.popular.half_life", "x") is None
    side = spec_of(SIDE, "side.toml")
    assert value_at(side, "sources.ease.side.tfidf", "x") == 2.0
    assert with_values(side, {"sources.ease.side.tfidf": 3.0}).sources["ease"]["side"] == {"tfidf": 3.0}


SIDE = """
[encoders.tfidf]
kind = "tfidf"

[sources.ease]
kind = "ease"
side = { tfidf = 2.0 }
"""


@pytest.mark.parametrize(
    "line, what",
    [
        ('"knn.k" = [1]', "not the path of a setting"),
        ('"sources.knn" = [1]', "not the path of a setting"),
        ('"sources.knn.kind" = ["ease"]', "not the path of a setting"),
        ('"sources.none.k" = [1]', "no such table"),
        ('"sources.knn.side.tfidf" = [1]', "no such table"),
        ('"fusers.7.normalise" = ["z"]', "no such table"),
        ('"fusers.weighted.normalise" = ["z"]', "no such table"),
        ('"sources.knn.kk" = [1]', "sources.knn.kk"),
        ('"sources.knn.k" = [5, 0]', "sources.knn.k"),
        ('"sources.knn.k" = []', "sources.knn.k"),
        ('"sources.knn.k" = { low = 0, high = 10 }', "sources.knn.k"),
    ],
)
def test_what_cannot_be_tuned_is_refused_when_the_file_is_read(line: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        spec(f"\n[tune.space]\n{line}\n")


def test_the_table_survives_the_way_through_a_file() -> None:
    given = spec()
    assert spec_of(given.to_toml(), "again") == given
    assert ends(given.tune.space["sources.knn.k"]) == [5, 45]
    assert ends(given.tune.space["sources.knn.tau"]) == [1.0, math.inf]


def test_what_was_chosen_holds_no_space(pipeline: Pipeline) -> None:
    """A source that was dropped would be missed by a path."""
    assert resolved(replace(pipeline, spec=spec())).tune.space == {}


def test_the_parts_of_a_path() -> None:
    assert part_of("sources.ease.side.tfidf") == ("sources", "ease", ["side", "tfidf"])
