"""The words behind a content source: which terms an item shares with the events that speak for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from accord.core.arrays import Bools, Floats, Ints, Sparse
from accord.core.run import Run
from accord.encode.segment import HAN
from accord.encode.tfidf import Tfidf
from accord.pipeline.credit import Cell, Told
from accord.pipeline.pipeline import Pipeline

COMMON, FEW = 0.05, 20
"""Terms of a larger share of the catalogue than this, and of more items than this, are no reason: "the", "new"."""


def spelling(pipeline: Pipeline) -> dict[str, list[str]]:
    """The content sources that compare words, by the name of the encoder that reads them."""
    found: dict[str, list[str]] = {name: [] for name in _readers(pipeline)}
    for name, source in pipeline.sources.items():
        column = getattr(source.config, "column", None)
        if source.evidence == "content" and column in found:
            found[column].append(name)
    return found


def _readers(pipeline: Pipeline) -> dict[str, Tfidf]:
    """Encoders whose columns are words; slices of words mean nothing to anybody."""
    readers = {name: encoder for name, encoder in pipeline.encoders.items() if isinstance(encoder, Tfidf)}
    return {name: reader for name, reader in readers.items() if reader.config.characters in ("auto", "words")}


def common_words(
    pipeline: Pipeline, items: Ints, told: Mapping[str, Mapping[Cell, Told]], most: int
) -> dict[Cell, list[str]]:
    """The terms that make most of the likeness of each item (``int32[B, K]``) and the events that speak for it.

    ``told``: by encoder and place, the events that speak by what it reads. Strongest first; a term within one that was
    named already (or around it) is not named again. Only the items at hand are encoded, as they are now, so it does
    not matter whether the pipeline was loaded or has grown.
    """
    found: dict[Cell, dict[str, float]] = {}
    readers = _readers(pipeline)
    for name, cells in told.items():
        spoken = {cell: events for cell, events in cells.items() if events}
        if not spoken:
            continue
        named = {int(items[cell]) for cell in spoken} | {event for events in spoken.values() for event, _ in events}
        terms = _Terms.of(readers[name], pipeline.data.items, sorted(named))
        for cell, events in spoken.items():
            values = found.setdefault(cell, {})
            for term, value in terms.shared(int(items[cell]), events):
                values[_shown(term)] = values.get(_shown(term), 0.0) + value
    return {cell: _named(values, most) for cell, values in found.items()}


def _named(values: Mapping[str, float], most: int) -> list[str]:
    """The strongest terms, in place of each the longest one around it that says a third as much or more."""
    named: list[str] = []
    for term in sorted(values, key=lambda term: (-values[term], term)):
        around = [other for other in values if _within(term, other) and values[other] >= values[term] / 3]
        longest = max(around, key=lambda other: (len(other), values[other], other))
        if not any(_within(longest, other) or _within(other, longest) for other in named):
            named.append(longest)
        if len(named) == most:
            break
    return named


def _shown(term: str) -> str:
    """Chinese is written without the spaces between its words."""
    joined = term.replace(" ", "")
    return joined if HAN.fullmatch(joined) else term


def _within(term: str, other: str) -> bool:
    """Whether a term is some of the words, or of the Chinese characters, of another."""
    return f" {term} " in f" {other} " or (HAN.search(term) is not None and term in other)


@dataclass(frozen=True, slots=True)
class _Terms:
    """The terms of a few items."""

    vocabulary: list[str]
    vectors: Sparse
    """``float32[N, terms]``: a row for each of ``rows``."""
    rows: Mapping[int, int]
    """The row of each item number."""
    telling: Bools
    """``bool[terms]``: terms that few enough items have."""

    @classmethod
    def of(cls, reader: Tfidf, items: pa.Table, numbers: list[int]) -> _Terms:
        vectors = reader.encode(items.take(numbers), Run(cache=None))
        counts = (1 + items.num_rows) / np.exp(reader.idf - 1) - 1  # see smooth_idf; since then it has hardly grown
        telling = np.rint(counts) <= max(FEW, COMMON * items.num_rows)
        return cls(reader.vocabulary, vectors, {number: row for row, number in enumerate(numbers)}, telling)

    def shared(self, item: int, events: Told) -> list[tuple[str, float]]:
        """The terms of the item that the events have too, with what each adds to the likeness."""
        own = csr_array(self.vectors[[self.rows[item]]])
        others = np.array([self.rows[event] for event, _ in events])
        weights = np.array([share for _, share in events], np.float32)
        values: Floats = (weights @ self.vectors[others][:, own.indices].toarray()) * own.data
        told = np.flatnonzero((values > 0) & self.telling[own.indices])
        return [(self.vocabulary[own.indices[at]], float(values[at])) for at in told.tolist()]
