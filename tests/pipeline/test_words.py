"""Sentences say what the numbers say, in both languages, and strangers' titles stay text."""

import pytest

from accord.core import catalog
from accord.core.errors import InputError
from accord.pipeline.counterfactual import Without
from accord.pipeline.reasons import evidence
from accord.pipeline.words import _ZH, Reason, plain, sentence

KINDS = {"popular": "popularity", "knn": "behaviour", "content": "content", "mine": "tides"}
TITLES = {0: "Alpha", 1: "Beta", 2: "Gamma"}


def reason(**values: object) -> Reason:
    sources = {"knn": 0.75, "content": 0.25, "popular": -0.1, "base": 9.0}
    settings = {"item": 2, "score": 1.0, "sources": sources, "because": [(0, 0.6), (1, 0.4)], "shared": []}
    return Reason(**{**settings, **values})


def test_both_languages_say_the_same() -> None:
    one = reason(shared=["genres: War"], words=["red wool", "hat"], without=[Without(0, 14, 0.2, 2, 100)])
    assert sentence(one, TITLES, KINDS) == (
        "Because of “Alpha” and “Beta”, by behaviour (knn 75%) and content (content 25%); shares genres War; "
        "common words “red wool”, “hat”. Without “Alpha” it would be number 14."
    )
    assert sentence(one, TITLES, KINDS, "zh") == (
        "因为“Alpha”和“Beta”，依据行为（knn 75%）和内容（content 25%）；共同点：genres War；"
        "共同的词：“red wool”、“hat”。"
        "没有“Alpha”，它会排在第14位。"
    )


@pytest.mark.parametrize(
    ("without", "english", "chinese"),
    [
        (Without(0, 2, 0.9, 2, 100), "Without “Alpha” it would still be number 2.", "没有“Alpha”，它仍排在第2位。"),
        (
            Without(0, None, None, 2, 100),
            "Without “Alpha” it would not be among the first 100.",
            "没有“Alpha”，它不会进入前100位。",
        ),
        (Without(0, None, None, None, 100), "", ""),
    ],
)
def test_what_would_be_without_it(without: Without, english: str, chinese: str) -> None:
    one = reason(without=[without])
    for lang, wanted in (("en", english), ("zh", chinese)):
        bare = sentence(reason(), TITLES, KINDS, lang)
        assert sentence(one, TITLES, KINDS, lang).removeprefix(bare).strip() == wanted


def test_popularity_alone_and_nothing() -> None:
    alone = reason(sources={"popular": 0.3, "knn": 0.0, "base": 0.4}, because=[])
    assert sentence(alone, TITLES, KINDS) == "Popular with everybody."
    assert sentence(alone, TITLES, KINDS, "zh") == "广受欢迎。"
    nothing = reason(sources={"popular": -0.3, "base": 0.4}, because=[])
    assert sentence(nothing, TITLES, KINDS) == "Nothing speaks for it."
    assert sentence(nothing, TITLES, KINDS, "zh") == "没有什么支持它。"


def test_the_base_is_no_reason_but_groups_and_rules_are_named() -> None:
    one = reason(sources={"knn": 0.2, "others": 0.5, "boost": 0.3, "base": 7.0})
    assert sentence(one, TITLES, KINDS).endswith("by all other sources (50%) and a rule (30%).")
    assert sentence(one, TITLES, KINDS, "zh").endswith("依据其他来源（50%）和规则（30%）。")


def test_evidence_from_outside_is_told_in_its_own_words() -> None:
    one = reason(sources={"mine": 1.0})
    assert sentence(one, TITLES, KINDS, "zh") == "因为“Alpha”和“Beta”，依据tides（mine 100%）。"


def test_every_shipped_kind_of_evidence_has_chinese_words() -> None:
    kinds = {catalog.find("sources", name).evidence for name in catalog.names("sources")}
    assert kinds - _ZH.kinds.keys() == set()


def test_titles_from_strangers_stay_one_line_of_text() -> None:
    assert plain("a\nb\tc\x00d") == "a b c d"
    assert plain("<b>[red]x[/]</b> {0} %s") == "<b>[red]x[/]</b> {0} %s"
    assert plain("\u202egnp.exe\u2066") == "gnp.exe"
    assert len(plain("long " * 100)) <= 120
    tricky = {**TITLES, 0: "{title} {place} {}\n”"}
    said = sentence(reason(without=[Without(0, 3, 0.1, 1, 100)]), tricky, KINDS)
    assert said.count("{title} {place} {}") == 2
    assert "\n" not in said


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(InputError, match=r"lang.*'fr'.*en, zh"):
        sentence(reason(), TITLES, KINDS, "fr")


def test_what_sources_look_at(pipeline) -> None:
    assert evidence(pipeline) == {name: source.evidence for name, source in pipeline.sources.items()}
