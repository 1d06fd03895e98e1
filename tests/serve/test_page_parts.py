"""What the page is made of: languages, moves and bars, files as they were vendored."""

import hashlib
import re
from dataclasses import fields, replace
from importlib.resources import files

import numpy as np
import pytest

from accord.serve.pages.card import quality_of, sources_of
from accord.serve.pages.catalogue import Shown
from accord.serve.pages.languages import preferred
from accord.serve.pages.listing import COLOURS, PLAIN, colours_of, moves_of, parts_of, rows_of
from accord.serve.pages.static import KINDS, address
from accord.serve.pages.texts import EN, ZH
from accord.serve.schemas import Listed


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("de-AT, en;q=0.5, zh-TW;q=0.8", "zh"),
        ("en-GB,zh;q=0.9", "en"),
        ("zh;q=0", "en"),
        ("zh;q=much, en;q=0.1", "en"),
        ("*, fr", "en"),
    ],
)
def test_the_language_is_what_the_browser_likes_best(header, language):
    assert preferred(header) == language


def test_both_languages_fill_in_as_much_everywhere():
    for each in fields(EN):
        english, chinese = getattr(EN, each.name), getattr(ZH, each.name)
        assert english.count("{}") == chinese.count("{}"), each.name
        assert english.strip(), each.name
        assert chinese.strip(), each.name


def test_every_text_is_used():
    sources = [path.read_text() for path in (files("accord.serve.pages") / "templates").iterdir()]
    used = set(re.findall(r"\bt\.(\w+)", " ".join(sources)))
    assert {each.name for each in fields(EN)} - used - {"name"} == set()


def shown(*names: str) -> dict[str, Shown]:
    return {name: Shown(name, name) for name in names}


def test_rows_know_where_they_were_and_how_long_their_bars_are():
    listed = [Listed(item_id="b", score=2.0), Listed(item_id="new", score=None), Listed(item_id="a", score=0.5)]
    rows = rows_of(listed, shown("a", "b", "new"), ["a", "b", "gone", "chosen"], {})
    assert [row.moved for row in rows] == [1, None, -2]
    assert [row.width for row in rows] == [100.0, 0.0, 25.0]
    moves = moves_of(rows, ["a", "b", "gone", "chosen"], {"chosen"})
    assert moves is not None
    assert (moves.fresh, moves.up, moves.down, moves.gone) == (1, 1, 1, ["gone"])
    assert moves_of(rows, []) is None


def test_bars_of_scores_below_zero_begin_at_the_lowest():
    listed = [Listed(item_id=name, score=score) for name, score in (("a", 1.0), ("b", -1.0), ("c", -3.0))]
    assert [row.width for row in rows_of(listed, shown("a", "b", "c"), [], {})] == [100.0, 50.0, 0.0]
    assert [row.width for row in rows_of([Listed(item_id="a", score=0.0)], shown("a"), [], {})] == [0.0]


def test_parts_fill_the_bar_and_those_that_take_away_have_no_place_in_it():
    parts = parts_of({"knn": 1.0, "content": 3.0, "base": -0.5, "silent": 0.0}, {"knn": "c0", "content": "c1"})
    assert [(part.name, part.colour, part.start, part.width) for part in parts] == [
        ("content", "c1", 0.0, 75.0),
        ("knn", "c0", 75.0, 25.0),
        ("base", PLAIN, 100.0, 0.0),
    ]


def test_colours_do_not_come_twice():
    colours = colours_of([f"s{number}" for number in range(COLOURS + 3)])
    assert len(set(colours.values())) == len(colours) == COLOURS
    css = (files("accord.serve.pages") / "static" / "page.css").read_text()
    assert all(f".{colour} {{ fill" in css for colour in (*colours.values(), PLAIN))


def test_the_vendored_file_is_the_one_that_was_taken():
    folder = files("accord.serve.pages") / "static"
    digest = hashlib.sha256((folder / "htmx.min.js").read_bytes()).hexdigest()
    assert digest in (folder / "VENDORED.md").read_text()
    assert "Zero-Clause BSD" in (folder / "LICENSE-htmx.txt").read_text()


def test_our_scripts_and_styles_call_nobody():
    for name in set(KINDS) - {"htmx.min.js", "icon.svg"}:
        assert "//" not in re.sub(
            r"^\s*//.*$", "", (files("accord.serve.pages") / "static" / name).read_text(), flags=re.M
        )
    assert re.fullmatch(r"/static/page\.js\?v=[0-9a-f]{12}", address("page.js"))


def test_the_card_tells_sources_by_weight_and_what_the_fusion_was_worth(pipeline):
    told = sources_of(pipeline, "zh")
    weights = [source.known for source in told]
    assert weights == sorted(weights, reverse=True)
    assert np.isclose(sum(weight for weight in weights if weight is not None), 1.0)
    assert {source.reads for source in told} <= {"行为", "内容", "热度", "上升的热度"}
    tried = [{"kind": "weighted", "a": 0.3, "b": 0.2}, {"kind": "popular alone", "a": 0.1, "b": 0.05}]
    tried += [{"kind": "knn alone", "a": 0.2, "b": 0.18}, {"kind": "weighted, after dropping", "a": 0.3, "b": 0.25}]
    quality = quality_of({"validation": {"tried": tried}}, pipeline)
    assert quality is not None
    assert (quality.fused, quality.single, quality.popular) == (0.25, ("knn", 0.18), 0.05)
    assert quality_of({}, pipeline) is None


def test_a_single_source_is_worth_what_it_is_alone(ranked):
    name = next(iter(ranked.sources))
    alone = type(ranked.fuser)(sources=(name,))
    tried = [{"kind": f"{name} alone", "a": 0.1, "b": 0.07}, {"kind": "rank, after dropping", "a": 0.1, "b": 0.01}]
    single = replace(ranked, fuser=alone)
    quality = quality_of({"validation": {"tried": tried}}, single)
    assert quality is not None
    assert quality.fused == 0.07
    assert [source.known for source in sources_of(single, "en")] == [None]
