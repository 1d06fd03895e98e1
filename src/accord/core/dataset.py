"""The frozen snapshot that everything learns from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from accord.core import columns as c
from accord.core.arrays import Bools, Doubles, Floats, Ints, Longs, Matrix, Names, offsets_of, order_by
from accord.core.digest import digest_of
from accord.core.errors import CannotFit, DataError
from accord.core.history import UNKNOWN, History, kind_code
from accord.core.queries import Queries
from accord.core.tables import fingerprint, names, read_table, write_table

Order: TypeAlias = Literal["time", "row", "none"]
"""How events are ordered: by clock time, by row within a user only, or not at all."""

FORMAT = 1
_OF_EVENTS = (
    *("user_ids", "user_numbers", "event_users", "event_items", "event_times", "event_weights"),
    *("event_kinds", "event_values", "histories", "told"),
)
"""What is worked out from events and users alone."""


@dataclass(frozen=True)
class Dataset:
    """Events, items, users and links as Arrow tables, with items and users numbered by their row.

    ``events`` has ``user`` and ``item`` (int32 numbers), ``weight`` (float32), and where the log has them
    ``timestamp`` (float64 seconds since 1970), ``event``, ``value``, ``text`` and any other column. Rows run oldest
    first (by time, then by their place in the log), so a stable grouping by user gives every user's sequence.
    """

    events: pa.Table
    items: pa.Table
    users: pa.Table
    links: dict[str, pa.Table] = field(default_factory=dict[str, pa.Table])
    order: Order = "none"
    vectors: dict[str, Matrix] = field(default_factory=dict[str, Any])
    """Encoded item content by column name, one row an item; encoders write them, sources read them."""

    @property
    def n_items(self) -> int:
        """How many items the catalogue has, with and without events."""
        return self.items.num_rows

    @property
    def n_users(self) -> int:
        """How many users are known."""
        return self.users.num_rows

    @property
    def n_events(self) -> int:
        """How many events there are."""
        return self.events.num_rows

    @cached_property
    def item_ids(self) -> Names:
        """``object[n_items]``: item ids by number."""
        return names(self.items, c.ITEM)

    @cached_property
    def user_ids(self) -> Names:
        """``object[n_users]``: user ids by number."""
        return names(self.users, c.USER)

    @cached_property
    def item_numbers(self) -> dict[str, int]:
        """Item number by id."""
        return {name: number for number, name in enumerate(self.item_ids)}

    @cached_property
    def user_numbers(self) -> dict[str, int]:
        """User number by id."""
        return {name: number for number, name in enumerate(self.user_ids)}

    @cached_property
    def event_users(self) -> Ints:
        """``int32[E]``: the user number of each event."""
        return self.events[c.USER_NUMBER].to_numpy().astype(np.int32, copy=False)

    @cached_property
    def event_items(self) -> Ints:
        """``int32[E]``: the item number of each event."""
        return self.events[c.ITEM_NUMBER].to_numpy().astype(np.int32, copy=False)

    @cached_property
    def event_times(self) -> Doubles:
        """``float64[E]``: seconds since 1970, NaN where the log has no clock."""
        if c.TIME not in self.events.column_names:
            return np.full(self.n_events, np.nan)
        return self.events[c.TIME].to_numpy().astype(np.float64, copy=False)

    @cached_property
    def event_weights(self) -> Floats:
        """``float32[E]``: how much each event counts."""
        return self.events[c.WEIGHT].to_numpy().astype(np.float32, copy=False)

    @cached_property
    def event_kinds(self) -> Ints | None:
        """``int32[E]``: what was done, as ``kind_code`` says; None where the log has no kinds."""
        if c.EVENT not in self.events.column_names or self.events[c.EVENT].null_count == self.n_events:
            return None
        column: Any = self.events[c.EVENT].combine_chunks()
        coded = column.dictionary_encode()
        codes = [kind_code(None if name is None else str(name)) for name in coded.dictionary.to_pylist()]
        places = coded.indices.fill_null(len(codes)).to_numpy()
        return np.array([*codes, UNKNOWN], np.int32)[places]

    @cached_property
    def event_values(self) -> Floats | None:
        """``float32[E]``: the value of each event, NaN where it has none; None where the log has no values."""
        if c.VALUE not in self.events.column_names or self.events[c.VALUE].null_count == self.n_events:
            return None
        return self.events[c.VALUE].to_numpy().astype(np.float32, copy=False)

    @cached_property
    def item_counts(self) -> Longs:
        """``int64[n_items]``: events of each item; 0 marks a cold item."""
        return np.bincount(self.event_items, minlength=self.n_items)

    @cached_property
    def first_events(self) -> Doubles:
        """``float64[n_items]``: seconds since 1970 of each item's first event; NaN where none has a time."""
        first = np.full(self.n_items, np.nan)
        np.fmin.at(first, self.event_items, self.event_times)
        return first

    @cached_property
    def item_births(self) -> Doubles:
        """``float64[n_items]``: seconds since 1970 at which each item came: ``available_at``, else its first event."""
        if c.AVAILABLE_AT not in self.items.column_names:
            return self.first_events
        told = self.items[c.AVAILABLE_AT].to_numpy().astype(np.float64)
        return np.where(np.isnan(told), self.first_events, told)

    @cached_property
    def histories(self) -> History:
        """Every user's events, oldest first; row = user number. Without kinds and values: see ``told``."""
        order = order_by(self.event_users, self.n_users)
        offsets = offsets_of(np.bincount(self.event_users, minlength=self.n_users))
        return History(offsets, self.event_items[order], self.event_times[order], self.event_weights[order])

    @cached_property
    def told(self) -> History:
        """The histories with the kinds and values of the events, where the log has them; 8 bytes an event more."""
        told = (self.event_kinds, self.event_values)
        if all(values is None for values in told):
            return self.histories
        order = order_by(self.event_users, self.n_users)
        kinds, values = (None if values is None else values[order] for values in told)
        return replace(self.histories, kinds=kinds, values=values)

    @cached_property
    def matrix(self) -> csr_array:
        """``float32[n_users, n_items]``, sparse: the newest weight of each pair that occurred."""
        return self.histories.matrix(self.n_items)

    def vector(self, name: str) -> Matrix:
        """Encoded item content ``[n_items, dim]``. Raises ``CannotFit`` where it was not written."""
        if name not in self.vectors:
            raise CannotFit(f"there is no item column {name!r}", value=sorted(self.vectors))
        return self.vectors[name]

    def with_vectors(self, name: str, values: Matrix) -> Dataset:
        """A copy with an encoded item column added."""
        if values.shape[0] != self.n_items:
            raise DataError(f"column {name!r} must have one row an item", value=values.shape)
        return replace(self, vectors={**self.vectors, name: values})

    def with_events(self, keep: Bools) -> Dataset:
        """A copy with only the events where ``keep`` is true; items, users and their numbers stay."""
        return replace(self, events=self.events.filter(pa.array(keep)))

    def with_items(self, items: pa.Table, vectors: dict[str, Matrix]) -> Dataset:
        """A copy with another items table and encoded columns, in which no known item changes its number.

        What was worked out from the events is kept, so that one item more costs little beside a large log.
        """
        if items.num_rows < self.n_items:
            raise DataError("a catalogue only grows", value=items.num_rows)
        data, new = replace(self, items=items, vectors=vectors), names(items.slice(self.n_items), c.ITEM)
        numbers = zip(new, range(self.n_items, items.num_rows), strict=True)
        known: dict[str, Any] = {
            "item_ids": np.append(self.item_ids, new),
            "item_numbers": self.item_numbers | dict(numbers),
        }
        known |= {name: self.__dict__[name] for name in _OF_EVENTS if name in self.__dict__}
        known["item_counts"] = np.pad(self.item_counts, (0, items.num_rows - self.n_items))
        nothing = np.full(items.num_rows - self.n_items, np.nan)
        known["first_events"] = np.concatenate([self.first_events, nothing])
        if "matrix" in self.__dict__:
            parts = (self.matrix.data, self.matrix.indices, self.matrix.indptr)
            known["matrix"] = csr_array(parts, shape=(self.n_users, items.num_rows))
        data.__dict__.update(known)  # cached properties look there first
        return data

    def with_newest(self, events: pa.Table, users: pa.Table) -> Dataset:
        """A copy with more events after the known ones, in the order given, and more users after the known ones.

        Columns that the new rows lack are null there; those that the log lacks are left out. Raises ``DataError`` for
        numbers that are no users or items.
        """
        data = replace(self, events=_appended(self.events, events), users=_appended(self.users, users))
        _check_numbers(data, "events")
        return data

    def queries(self, users: NDArray[np.integer] | None = None, **settings: Any) -> Queries:
        """Questions of the given user numbers (None: all), each asked just after the user's newest event."""
        users = np.arange(self.n_users) if users is None else np.asarray(users, dtype=np.int64)
        history = self.told.take(users)
        now = np.full(len(users), np.nan)
        some = history.lengths > 0
        now[some] = history.times[history.offsets[1:][some] - 1]
        return replace(Queries(self.user_ids[users], history, now), **settings)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the content of all tables and the order: the same data gives the same value anywhere."""
        return fingerprint(self._tables, f"accord dataset {FORMAT} {self.order}")

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the tables, the order and the encoded columns: all that a source can learn from."""
        return digest_of(self.fingerprint, self.vectors)

    @property
    def _tables(self) -> dict[str, pa.Table]:
        """All tables by the name of their file."""
        links = {f"links-{name}": table for name, table in self.links.items()}
        return {"events": self.events, "items": self.items, "users": self.users, **links}

    def save(self, folder: Path) -> None:
        """Write ``schema.json`` and one Parquet file a table; encoded columns are not kept (encoders cache them)."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self._tables.items():
            write_table(table, folder / f"{name}.parquet")
        schema = {
            "format": FORMAT,
            "order": self.order,
            "links": sorted(self.links),
            "fingerprint": self.fingerprint,
        }
        (folder / "schema.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Dataset:
        """Read a dataset folder. Raises ``DataError`` where it is none, altered, damaged, or of another format."""
        schema = _schema(folder)
        events, items, users = (read_table(folder / f"{name}.parquet") for name in ("events", "items", "users"))
        links = {name: read_table(folder / f"links-{name}.parquet") for name in schema["links"]}
        data = cls(events, items, users, links, schema["order"])
        if data.fingerprint != schema["fingerprint"]:
            raise DataError("the tables do not match schema.json", place=str(folder), remedy="Import the data again.")
        _check_numbers(data, str(folder / "events.parquet"))
        return data


def _appended(table: pa.Table, more: pa.Table) -> pa.Table:
    """The rows of both, in the columns and types of the first."""
    columns: dict[str, Any] = {}
    schema: Any = table.schema
    for name in table.column_names:
        kind = schema.field(name).type
        columns[name] = more[name].cast(kind) if name in more.column_names else pa.nulls(more.num_rows, kind)
    rows = pa.table(columns, schema=schema)  # pyright: ignore[reportUnknownMemberType]
    return pa.concat_tables([table, rows])


def _check_numbers(data: Dataset, place: str) -> None:
    """Sparse products index by these numbers without looking: a stranger's file must not reach outside."""
    for name, size in ((c.USER_NUMBER, data.n_users), (c.ITEM_NUMBER, data.n_items)):
        if name not in data.events.column_names:
            raise DataError(f"no column {name!r}", place=place, value=data.events.column_names)
        numbers = data.events[name].to_numpy()
        if not bool(np.all((numbers >= 0) & (numbers < size))):
            raise DataError(f"column {name!r} must hold numbers from 0 to {size - 1}", place=place)


def _schema(folder: Path) -> dict[str, Any]:
    path = folder / "schema.json"
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
        known = schema["format"] == FORMAT and schema["order"] in ("time", "row", "none")
        known = known and isinstance(schema["fingerprint"], str) and all(isinstance(n, str) for n in schema["links"])
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            "not a dataset folder (no schema.json)",
            place=str(folder),
            remedy="Make one with: accord import --events FILE --out DATASET.",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise DataError("damaged", place=str(path), remedy="Import the data again.") from None
    if not known:
        raise DataError("of another format", place=str(path), value=schema, remedy="Import the data again.")
    return schema
