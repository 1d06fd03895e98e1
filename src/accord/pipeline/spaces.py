"""The vectors that a fuser reads: encoded columns, and what sources have learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Matrix
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.core.roles import Encoder, HasVectors, Recommender
from accord.core.space import Space
from accord.pipeline.spec import PipelineSpec, make

TAU = 10.0
"""After so many later events an event counts a third in the vector of a history."""
PLACE = "fusers.vectors"


@dataclass(frozen=True)
class Spaces:
    """Where the vectors of items lie, and who gives those of queries."""

    columns: dict[str, Floats] = field(default_factory=dict[str, Floats])
    """Encoded columns, ``float32[n_items, d]``."""
    sources: dict[str, HasVectors] = field(default_factory=dict[str, HasVectors])
    tables: dict[str, Floats] = field(default_factory=dict[str, Floats])
    """The item vectors of the sources."""

    @classmethod
    def named(
        cls,
        names: Iterable[str],
        data: Dataset,
        sources: Mapping[str, Recommender],
        encoders: Mapping[str, Encoder],
    ) -> Spaces:
        """The spaces of some names: of an encoded column, or else of a source.

        What does not apply to the data is left out, and so is a column whose encoder a refit would fit to other texts:
        what was learned of its vectors would be wrong of the new ones. Raises ``InputError`` where a source has no
        vectors, or a column is sparse.
        """
        wanted = list(dict.fromkeys(names))
        moving = {name for name, encoder in encoders.items() if _refitted(data) and encoder.state()}
        encoded = [name for name in wanted if name in data.vectors]
        columns = {name: _dense(name, data.vectors[name]) for name in encoded if name not in moving}
        heard = [name for name in wanted if name in sources and name not in encoded]
        spoken = {name: _speaker(name, sources[name]) for name in heard}
        return cls(columns, spoken, {name: source.item_vectors for name, source in spoken.items()})

    def of(self, queries: Queries) -> dict[str, Space]:
        """The spaces with the vectors of these queries; a history is the mean of its items in an encoded column."""
        units = self._units
        found = {
            name: Space(table, _profiles(queries, table), fixed=True, unit=units[name])
            for name, table in self.columns.items()
        }
        for name, source in self.sources.items():
            found[name] = Space(self.tables[name], source.user_vectors(queries), fixed=False, unit=units[name])
        return found

    @cached_property
    def _units(self) -> dict[str, float]:
        return {name: _mean_length(table) for name, table in {**self.columns, **self.tables}.items()}


NOWHERE = Spaces()
"""No vectors."""


def read_by_fusers(spec: PipelineSpec) -> tuple[str, ...]:
    """The names that any fuser of a specification reads vectors of. Raises ``InputError`` where nothing is named so."""
    fusers = [make("fusers", {"sources": tuple(spec.sources)} | values, "fusers") for values in spec.fusers]
    names = tuple(dict.fromkeys(name for fuser in fusers for name in fuser.reads))
    known = (*spec.encoders, *spec.sources)
    strange = [name for name in names if name not in known]
    if strange:
        remedy = f"There are: {', '.join(known)}."
        raise InputError("no such encoder or source", place=PLACE, value=strange[0], remedy=remedy)
    return names


def _refitted(data: Dataset) -> bool:
    """Whether items say other things once further events are known."""
    return "text" in data.events.column_names


def _dense(name: str, column: Matrix) -> Floats:
    if isinstance(column, csr_array):
        remedy = "Name a dense column, such as one of kind minilm or projection."
        raise InputError("the column is sparse", place=PLACE, value=name, remedy=remedy)
    return np.asarray(column, np.float32)


def _speaker(name: str, source: Recommender) -> HasVectors:
    if not isinstance(source, HasVectors):
        remedy = "Name an encoded column, or a source such as ials, lightgcn or sequential."
        raise InputError("the source has no vectors", place=PLACE, value=name, remedy=remedy)
    return source


def _mean_length(table: Floats) -> float:
    lengths = np.linalg.norm(table, axis=1)
    return float(lengths[lengths > 0].mean()) if lengths.any() else 1.0


def _profiles(queries: Queries, table: Floats) -> Floats:
    """``float32[B, d]``: the mean of the items of each history, of which the newest count most; zero without any."""
    items, weights, offsets = queries.history.newest(len(table), TAU)
    matrix = csr_array((np.maximum(weights, 0), items, offsets), shape=(len(queries), len(table)))
    mass = np.asarray(matrix.sum(axis=1), np.float32)
    return (matrix @ table / np.maximum(mass, 1e-9)[:, None]).astype(np.float32)
