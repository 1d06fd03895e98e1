"""Why an item stands in a list: what each source adds, which events speak for it, what it shares with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from accord.core import columns as c
from accord.core.arrays import Floats
from accord.core.queries import Queries
from accord.core.roles import Explains
from accord.core.slate import EMPTY, Slate
from accord.pipeline.pipeline import Pipeline

LITTLE = 0.01
"""A source that adds a smaller share of what speaks for an item is not named."""


@dataclass(frozen=True, slots=True)
class Reason:
    """The reason for one place of one list."""

    item: int
    score: float
    sources: dict[str, float]
    """What each source adds to the score; the parts add up to it (empty where popularity alone speaks)."""
    because: list[tuple[int, float]]
    """History items that speak for it, strongest first, with their share of all that speaks for it."""
    shared: list[str]
    """Values of list columns that the item shares with those history items, such as ``genres: Comedy``."""


def explain(pipeline: Pipeline, queries: Queries, slate: Slate, most: int = 3) -> list[list[Reason]]:
    """Reasons for every filled place of the slates, given as numbers; ``sentence`` says them in words.

    Meant for a few queries at a time: memory is B x K x H for histories of H events.
    """
    scored, parts = pipeline.scored_parts(queries, slate.items)
    credit = _credit(pipeline, queries, scored, parts)
    values = list_values(pipeline.data.items)
    return [
        [
            _reason(pipeline, scored, parts, values, _strongest(queries, credit, row, place, most), row, place)
            for place in np.flatnonzero(slate.items[row] != EMPTY).tolist()
        ]
        for row in range(len(slate))
    ]


def _credit(pipeline: Pipeline, queries: Queries, slate: Slate, parts: Floats) -> Floats:
    """``float32[B, K, H]``: what each history event adds to the fused score, in proportion within each source."""
    names = pipeline.fuser.config.sources
    credit = np.zeros((*slate.items.shape, int(queries.history.lengths.max(initial=0))), np.float32)
    for place, name in enumerate(names):
        source = pipeline.sources[name]
        if isinstance(source, Explains):
            own = np.maximum(source.parts(queries, slate.items), 0)
            total = np.maximum(own.sum(axis=2, keepdims=True), 1e-12)
            credit += np.maximum(parts[:, :, place : place + 1], 0) * own / total
    return credit


def _strongest(queries: Queries, credit: Floats, row: int, place: int, most: int) -> list[tuple[int, float]]:
    """The history items with the largest credit, and their share of all credit."""
    history = queries.history.take(np.array([row])).items
    own = credit[row, place, : len(history)]
    total = float(own.sum())
    best = np.argsort(-own, kind="stable")[:most]
    return [(int(history[event]), float(own[event]) / total) for event in best if own[event] > 0]


def _reason(
    pipeline: Pipeline,
    slate: Slate,
    parts: Floats,
    values: list[set[str]],
    because: list[tuple[int, float]],
    row: int,
    place: int,
) -> Reason:
    item = int(slate.items[row, place])
    silent = all(slate.facts[f"{name}.spread"][row] == 0 for name in pipeline.fuser.config.sources)
    added = dict(zip(pipeline.fuser.config.sources, map(float, parts[row, place]), strict=True))
    met: set[str] = set().union(*(values[other] for other, _ in because)) if because else set()
    shared = sorted(values[item] & met)
    return Reason(item, float(slate.column(c.SCORE)[row, place]), {} if silent else added, because, shared)


def list_values(items: pa.Table) -> list[set[str]]:
    """The values of each item's list columns, as ``column: value``."""
    out: list[set[str]] = [set() for _ in range(items.num_rows)]
    for name in items.column_names:
        if pa.types.is_list(items.schema.field(name).type) or pa.types.is_large_list(items.schema.field(name).type):
            for number, entries in enumerate(items[name].to_pylist()):
                out[number] |= {f"{name}: {entry}" for entry in entries or [] if entry is not None}
    return out


def sentence(reason: Reason, titles: list[str], kinds: dict[str, str]) -> str:
    """A reason in words that say no more than the numbers. ``kinds``: what each source looks at."""
    whole = sum(max(value, 0.0) for value in reason.sources.values())
    adding = {name: value for name, value in reason.sources.items() if value > LITTLE * whole}
    if not reason.because and all(kinds[name] == "popularity" for name in adding):
        popular = adding or (not reason.sources and reason.score > 0)
        return "Popular with everybody." if popular else "Nothing speaks for it."
    total = sum(adding.values()) or 1.0
    strong = sorted(adding, key=lambda name: -adding[name])[:2]
    told = " and ".join(f"{kinds[name]} ({name} {adding[name] / total:.0%})" for name in strong)
    because = " and ".join(f"“{titles[item]}”" for item, _ in reason.because[:2])
    parts = [f"Because of {because}" if because else "Chosen", *([f"by {told}"] if told else [])]
    return ", ".join(parts) + (f"; shares {_grouped(reason.shared)}." if reason.shared else ".")


def _grouped(shared: list[str], most: int = 3) -> str:
    """``genres: Comedy``, ``genres: War`` -> ``genres Comedy, War``."""
    columns: dict[str, list[str]] = {}
    for entry in shared[:most]:
        name, _, value = entry.partition(": ")
        columns.setdefault(name, []).append(value)
    return "; ".join(f"{name} {', '.join(values)}" for name, values in columns.items())


def titles_of(items: pa.Table) -> list[str]:
    """The title of each item, or its id where it has none."""
    ids = items[c.ITEM].to_pylist()
    titles = items[c.TITLE].to_pylist() if c.TITLE in items.column_names else [None] * len(ids)
    return [str(title) if title else str(name) for title, name in zip(titles, ids, strict=True)]


def evidence(pipeline: Pipeline) -> dict[str, str]:
    """What each source looks at, in words."""
    return {name: source.evidence for name, source in pipeline.sources.items()}
