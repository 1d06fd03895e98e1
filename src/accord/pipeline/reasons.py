"""Why an item stands in a list: what each source adds, which events and words speak for it, what would be without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from accord.core import columns as c
from accord.core.arrays import Floats, Ints
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.pipeline.counterfactual import DEPTH, Without, without_events
from accord.pipeline.credit import Cell, Told, credits_of, strongest
from accord.pipeline.pipeline import Gathered, Pipeline
from accord.pipeline.shapley import BASE, Attribution, attributed
from accord.pipeline.vocabulary import common_words, spelling
from accord.pipeline.words import Reason, plain, sentence, titles_of
from accord.rerank.boosts import BOOST

__all__ = [
    "Labels",
    "Reason",
    "Without",
    "as_dict",
    "counterfactuals",
    "evidence",
    "explain",
    "sentence",
    "titles_of",
    "told",
]

WORTH_WORDS = 0.05
"""Words are named where the sources that read them make at least such a share of what speaks for an item."""
BLOCK = 16
"""Queries that are explained at a time."""


def explain(pipeline: Pipeline, queries: Queries, slate: Slate, most: int = 3) -> list[list[Reason]]:
    """Reasons for every filled place of the slates, given as numbers; ``sentence`` says them in words.

    ``most``: the most history items and the most words of each. Sixteen queries are explained at a time: memory is
    16 S x K x H numbers for S sources, K places and histories of H events, beside what ``recommend`` takes.
    """
    out = list[list[Reason]]()
    for start in range(0, len(slate), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(slate)))
        out += _explained(pipeline, queries.take(rows), slate.rows(rows), most)
    return out


def counterfactuals(
    pipeline: Pipeline, queries: Queries, slate: Slate, most: int = 3, depth: int = DEPTH
) -> list[list[Reason]]:
    """As ``explain``, each reason with its place and score ``without`` each of its ``most`` strongest history items.

    It costs one ``recommend`` of at most 1 + K ``most`` queries for each query; see ``without_events``.
    """
    reasons = explain(pipeline, queries, slate, most)
    asked = [[(reason.item, [event for event, _ in reason.because]) for reason in row] for row in reasons]
    found = without_events(pipeline, queries, asked, depth)
    return [
        [replace(reason, without=without) for reason, without in zip(*pair, strict=True)]
        for pair in zip(reasons, found, strict=True)
    ]


def told(
    pipeline: Pipeline, queries: Queries, slate: Slate, most: int = 3, lang: str = "en", *, without: bool = False
) -> list[list[dict[str, Any]]]:
    """The reasons of every filled place as JSON can hold them, see ``as_dict``."""
    reasons = (counterfactuals if without else explain)(pipeline, queries, slate, most)
    labels = Labels.of(pipeline, reasons)
    return [[as_dict(reason, labels, lang) for reason in row] for row in reasons]


@dataclass(frozen=True, slots=True)
class Labels:
    """What reasons call things: ids and titles by item number, and what each source looks at."""

    ids: Mapping[int, str]
    titles: Mapping[int, str]
    kinds: Mapping[str, str]

    @classmethod
    def of(cls, pipeline: Pipeline, reasons: Iterable[Iterable[Reason]], also: Iterable[int] = ()) -> Labels:
        """Labels of the items that the reasons name, and of some others."""
        told = [reason for row in reasons for reason in row]
        items = {reason.item for reason in told} | {event for reason in told for event, _ in reason.because}
        numbers = sorted(items | set(also))
        table = pipeline.data.items.take(pa.array(numbers, pa.int64()))
        ids = dict(zip(numbers, map(str, table[c.ITEM].to_pylist()), strict=True))
        return cls(ids, dict(zip(numbers, titles_of(table), strict=True)), evidence(pipeline))


def as_dict(reason: Reason, labels: Labels, lang: str = "en") -> dict[str, Any]:
    """``{"sources", "because", "shared", "words", "without", "text"}``; texts are plain, for the reader to escape."""
    return {
        "sources": reason.sources,
        "because": [
            {"item_id": labels.ids[item], "title": plain(labels.titles[item]), "share": share}
            for item, share in reason.because
        ],
        "shared": reason.shared,
        "words": reason.words,
        "without": [
            {"item_id": labels.ids[one.event], "place": one.place, "score": one.score} for one in reason.without
        ],
        "text": sentence(reason, labels.titles, labels.kinds, lang),
    }


def _explained(pipeline: Pipeline, queries: Queries, slate: Slate, most: int) -> list[list[Reason]]:
    if not slate.filled.any():
        return [[] for _ in range(len(slate))]
    boosts = np.nan_to_num(slate.columns.get(BOOST, np.zeros(slate.items.shape, np.float32)))
    out = list[list[Reason]]()
    for gathered in pipeline.among_offers(queries, slate.items):
        rows = slice(len(out), len(out) + len(gathered.queries))
        out += _of_chunk(pipeline, gathered, boosts[rows], most)
    return out


def _of_chunk(pipeline: Pipeline, gathered: Gathered, boosts: Floats, most: int) -> list[list[Reason]]:
    parts = attributed(pipeline.fuser, gathered.queries, gathered.everything, gathered.places)
    credit, items = credits_of(pipeline, gathered, parts), gathered.asked.items
    because = strongest(gathered, credit.values(), most)
    spelt = {
        encoder: strongest(gathered, [credit[name] for name in names if name in credit], most)
        for encoder, names in spelling(pipeline).items()
    }
    readers = {name for names in spelling(pipeline).values() for name in names}
    words = common_words(pipeline, items, spelt, most)
    shared = _shared(pipeline.data.items, items, because)
    out: list[list[Reason]] = [[] for _ in parts]
    for (row, place), events in because.items():
        boost = float(boosts[row, place])
        sources = {} if _is_silent(pipeline, gathered, row) else _sources(parts[row], place, boost)
        score = float(gathered.asked.column(c.SCORE)[row, place]) + boost
        spoken = words.get((row, place), []) if _share(sources, readers) >= WORTH_WORDS else []
        reason = Reason(int(items[row, place]), score, sources, events, shared[row, place], spoken)
        out[row].append(reason)
    return out


def _is_silent(pipeline: Pipeline, gathered: Gathered, row: int) -> bool:
    """Whether no fused source has an opinion on a query, so that popularity answers."""
    return all(gathered.asked.facts[f"{name}.spread"][row] == 0 for name in pipeline.fuser.config.sources)


def _sources(parts: Attribution, place: int, boost: float) -> dict[str, float]:
    named = dict(zip(parts.names, map(float, parts.values[place]), strict=True))
    return {**named, BOOST: boost} if boost else named


def _share(sources: Mapping[str, float], some: set[str]) -> float:
    """The share of some sources in all that speaks for an item."""
    adding = {name: max(value, 0.0) for name, value in sources.items() if name != BASE}
    return sum(value for name, value in adding.items() if name in some) / (sum(adding.values()) or 1.0)


def _shared(table: pa.Table, items: Ints, because: Mapping[Cell, Told]) -> dict[Cell, list[str]]:
    """Values of list columns that each item shares with what speaks for it."""
    numbers = sorted({int(items[cell]) for cell in because} | {event for told in because.values() for event, _ in told})
    values = dict(zip(numbers, list_values(table.take(pa.array(numbers, pa.int64()))), strict=True))
    met = {cell: set[str]().union(*(values[event] for event, _ in told)) for cell, told in because.items()}
    return {cell: sorted(values[int(items[cell])] & met[cell]) for cell in because}


def list_values(items: pa.Table) -> list[set[str]]:
    """The values of each item's list columns, as ``column: value``."""
    out: list[set[str]] = [set() for _ in range(items.num_rows)]
    for name in items.column_names:
        if pa.types.is_list(items.schema.field(name).type) or pa.types.is_large_list(items.schema.field(name).type):
            for number, entries in enumerate(items[name].to_pylist()):
                out[number] |= {f"{name}: {entry}" for entry in entries or [] if entry is not None}
    return out


def evidence(pipeline: Pipeline) -> dict[str, str]:
    """What each source looks at, in words."""
    return {name: source.evidence for name, source in pipeline.sources.items()}
