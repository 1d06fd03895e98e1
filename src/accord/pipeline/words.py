"""Reasons in words, English and Chinese, that say no more than the numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import pyarrow as pa

from accord.core import columns as c
from accord.core.errors import InputError
from accord.pipeline.counterfactual import Without
from accord.pipeline.shapley import BASE, OTHERS
from accord.rerank.boosts import BOOST

LITTLE = 0.01
"""A source that adds a smaller share of what speaks for an item is not named."""
LONG = 120
"""Longer titles are cut."""
_NOT_SHOWN = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Marks that turn the direction of writing: they could reorder the sentence around them."""
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
Language: TypeAlias = Literal["en", "zh"]
Titles: TypeAlias = "Mapping[int, str] | Sequence[str]"
"""Titles by item number."""


@dataclass(frozen=True, slots=True)
class Reason:
    """The reason for one place of one list."""

    item: int
    score: float
    sources: dict[str, float]
    """What each source adds to the score; the parts add up to it (empty where popularity alone speaks).

    Beside sources there may be ``others`` (the weakest together), ``base`` (the score where no source has an opinion)
    and ``boost`` (what a placement adds)."""
    because: list[tuple[int, float]]
    """History items that speak for it, strongest first, with their share of all that speaks for it."""
    shared: list[str]
    """Values of list columns that the item shares with those history items, such as ``genres: Comedy``."""
    words: list[str] = field(default_factory=list[str])
    """Terms that the item shares with the history items that speak for it by their words, strongest first."""
    without: list[Without] = field(default_factory=list[Without])
    """Where it would stand without each of those history items; empty where that was not asked."""


@dataclass(frozen=True, slots=True)
class _Phrases:
    """What a language needs."""

    popular: str
    nothing: str
    because: str
    chosen: str
    by: str
    kind: str
    """A kind of evidence with the name of the source and its share."""
    both: str
    comma: str
    shares: str
    says: str
    semicolon: str
    stop: str
    elsewhere: str
    same: str
    gone: str
    kinds: dict[str, str]


_EN = _Phrases(
    popular="Popular with everybody.",
    nothing="Nothing speaks for it.",
    because="Because of {}",
    chosen="Chosen",
    by=", by {}",
    kind="{} ({})",
    both=" and ",
    comma=", ",
    shares="shares {}",
    says="common words {}",
    semicolon="; ",
    stop=".",
    elsewhere=" Without “{title}” it would be number {place}.",
    same=" Without “{title}” it would still be number {place}.",
    gone=" Without “{title}” it would not be among the first {depth}.",
    kinds={OTHERS: "all other sources", BOOST: "a rule"},
)
_ZH = _Phrases(
    popular="广受欢迎。",
    nothing="没有什么支持它。",
    because="因为{}",
    chosen="入选",
    by="，依据{}",
    kind="{}（{}）",
    both="和",
    comma="、",
    shares="共同点：{}",
    says="共同的词：{}",
    semicolon="；",
    stop="。",
    elsewhere="没有“{title}”，它会排在第{place}位。",
    same="没有“{title}”，它仍排在第{place}位。",
    gone="没有“{title}”，它不会进入前{depth}位。",
    kinds={
        OTHERS: "其他来源",
        BOOST: "规则",
        "behaviour": "行为",
        "content": "内容",
        "popularity": "热度",
        "rising popularity": "上升的热度",
        "popularity within a part": "某一部分中的热度",
        "people alike": "相似的人",
        "what comes next": "接下来的选择",
        "the order of what was done": "行为的先后顺序",
        "behaviour along the graph": "行为关系图",
        "behaviour and its order": "行为及其先后顺序",
        "behaviour through a net": "经神经网络归纳的行为",
        "taste and circumstances": "口味与情境",
        "behaviour and content": "行为与内容",
        "behaviour that content predicts": "由内容预测的行为",
        "behaviour around like content": "相似内容周围的行为",
        "common friends": "共同的好友",
    },
)
_LANGUAGES: dict[str, _Phrases] = {"en": _EN, "zh": _ZH}


def sentence(reason: Reason, titles: Titles, kinds: Mapping[str, str], lang: str = "en") -> str:
    """A reason in words. ``kinds``: what each source looks at (``evidence``); ``lang``: ``en`` or ``zh``.

    Titles come from strangers: they are quoted, cut and without control characters, but not escaped for HTML.
    """
    if lang not in _LANGUAGES:
        raise InputError("no such language", place="lang", value=lang, remedy=f"One of: {', '.join(_LANGUAGES)}.")
    phrases = _LANGUAGES[lang]
    whole = sum(max(value, 0.0) for name, value in reason.sources.items() if name != BASE)
    adding = {name: value for name, value in reason.sources.items() if name != BASE and value > LITTLE * whole}
    if not reason.because and all(kinds.get(name) == "popularity" for name in adding):
        popular = adding or (not reason.sources and reason.score > 0)
        return phrases.popular if popular else phrases.nothing
    parts = [_spoken_for(reason, adding, titles, kinds, phrases)]
    if reason.shared:
        parts.append(phrases.shares.format(_grouped(reason.shared, phrases.comma)))
    if reason.words:
        parts.append(phrases.says.format(phrases.comma.join(f"“{plain(word)}”" for word in reason.words)))
    told = "".join(_moved(without, titles, phrases) for without in reason.without[:1])
    return phrases.semicolon.join(parts) + phrases.stop + told


def _spoken_for(
    reason: Reason, adding: Mapping[str, float], titles: Titles, kinds: Mapping[str, str], phrases: _Phrases
) -> str:
    """The strongest history items and the strongest sources."""
    total = sum(adding.values()) or 1.0
    strong = sorted(adding, key=lambda name: -adding[name])[:2]
    told = phrases.both.join(_kind(name, adding[name] / total, kinds, phrases) for name in strong)
    events = phrases.both.join(f"“{plain(titles[item])}”" for item, _ in reason.because[:2])
    return (phrases.because.format(events) if events else phrases.chosen) + (phrases.by.format(told) if told else "")


def _kind(name: str, share: float, kinds: Mapping[str, str], phrases: _Phrases) -> str:
    if name in (OTHERS, BOOST):
        return phrases.kind.format(phrases.kinds[name], f"{share:.0%}")
    kind = kinds.get(name, name)
    return phrases.kind.format(phrases.kinds.get(kind, kind), f"{name} {share:.0%}")


def in_words(kind: str, lang: str) -> str:
    """What a source looks at, or a part that is no source, as sentences name it; unknown kinds stay as they are."""
    return _LANGUAGES[lang].kinds.get(kind, kind)


def _moved(without: Without, titles: Titles, phrases: _Phrases) -> str:
    """Where it would be without one event."""
    title = plain(titles[without.event])
    if without.place is None and without.before is None:
        return ""  # it is as far down with all events
    if without.place is None:
        return phrases.gone.format(title=title, depth=without.depth)
    phrase = phrases.same if without.place == without.before else phrases.elsewhere
    return phrase.format(title=title, place=without.place)


def _grouped(shared: list[str], comma: str, most: int = 3) -> str:
    """``genres: Comedy``, ``genres: War`` -> ``genres Comedy, War``."""
    columns: dict[str, list[str]] = {}
    for entry in shared[:most]:
        name, _, value = entry.partition(": ")
        columns.setdefault(name, []).append(plain(value))
    return "; ".join(f"{name} {comma.join(values)}" for name, values in columns.items())


def plain(text: str) -> str:
    """A stranger's text as it may stand in a sentence: one line, without marks that turn it around, not too long."""
    line = _BLANK.sub(" ", _NOT_SHOWN.sub("", text)).strip()
    return line if len(line) <= LONG else line[: LONG - 1].rstrip() + "…"


def titles_of(items: pa.Table) -> list[str]:
    """The title of each item, or its id where it has none."""
    ids = items[c.ITEM].to_pylist()
    titles = items[c.TITLE].to_pylist() if c.TITLE in items.column_names else [None] * len(ids)
    return [str(title) if title else str(name) for title, name in zip(titles, ids, strict=True)]
