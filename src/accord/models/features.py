"""What a network reads of people and circumstances: columns as classes, known to it or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import pyarrow as pa

from accord.core.arrays import Doubles, Longs, Names
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.keys import keys_of
from accord.core.part import State, unpack
from accord.core.queries import Queries
from accord.models.labels import labels_of
from accord.models.linked_people import hashes

Clock: TypeAlias = Literal["hour", "weekday"]
PERIODS: Mapping[Clock, tuple[float, int]] = {"hour": (3_600.0, 24), "weekday": (86_400.0, 7)}
"""Seconds, and how many there are until they begin again."""
THURSDAY = 3
"""The weekday of the first of January 1970; Monday is 0."""
MOST = 10_000
"""Values of one column that are told apart; rarer ones count as not known."""
UNKNOWN = 0
"""The class of what is not known."""
PREFIX = "features/"


@dataclass(frozen=True)
class Features:
    """Attributes of people, circumstances of an event, and the clock, each as a class: 0 where it is not known.

    Values and user ids are kept as hashes, eight bytes each.
    """

    attributes: tuple[str, ...]
    context: tuple[str, ...]
    clock: tuple[Clock, ...]
    keys: tuple[Longs, ...]
    """Ascending hashes of the values, of each attribute and then of each circumstance; the class is the place + 1."""
    people: Longs
    """``int64[m]``, ascending: hashes of the ids of those who were there at the fit."""
    known: Longs
    """``int64[m, attributes]``: their classes."""

    @classmethod
    def of(cls, data: Dataset, attributes: tuple[str, ...], context: tuple[str, ...], clock: tuple[Clock, ...]) -> Self:
        """Of the columns of a dataset. Raises ``CannotFit`` where it lacks one."""
        if clock and data.order != "time":
            raise CannotFit("the log has no clock times", value=data.order, remedy="Leave out `clock`.")
        found = [_labels(data.users, name, "users") for name in attributes]
        met = [_labels(data.events, name, "events") for name in context]
        keys = tuple(_vocabulary(labels) for _, labels in (*found, *met))
        known = np.zeros((data.n_users, len(attributes)), np.int64)
        for place, (rows, labels) in enumerate(found):
            known[rows, place] = _classes(keys[place], labels)
        people = hashes(data.user_ids) if attributes else np.empty(0, np.int64)
        order = np.argsort(people)
        return cls(attributes, context, clock, keys, people[order], known[order] if attributes else known[:0])

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many classes each has, the unknown among them."""
        return (*(len(keys) + 1 for keys in self.keys), *(PERIODS[name][1] + 1 for name in self.clock))

    def of_events(self, data: Dataset) -> Longs:
        """``int64[E, F]``: the classes of each event of the log, with those of its user."""
        columns = list(self._of_people(data.user_ids)[data.event_users].T)
        for name, keys in zip(self.context, self.keys[len(self.attributes) :], strict=True):
            column = np.zeros(data.n_events, np.int64)
            rows, labels = _labels(data.events, name, "events")
            column[rows] = _classes(keys, labels)
            columns.append(column)
        columns += [_of_clock(data.event_times, name) for name in self.clock]
        return np.stack(columns, axis=1) if columns else np.zeros((data.n_events, 0), np.int64)

    def of_queries(self, queries: Queries) -> Longs:
        """``int64[B, F]``: what is known of those who ask; what the request itself says goes before what was."""
        before = self._of_people(queries.users)
        columns = [*before.T, *(np.zeros(len(queries), np.int64) for _ in self.context)]
        for place, name in enumerate((*self.attributes, *self.context)):
            if name in queries.context:
                rows, labels = keys_of(queries.context[name])
                columns[place][rows] = _classes(self.keys[place], labels)
        columns += [_of_clock(queries.now, name) for name in self.clock]
        return np.stack(columns, axis=1) if columns else np.zeros((len(queries), 0), np.int64)

    def _of_people(self, ids: Names) -> Longs:
        """``int64[m, attributes]``, fresh."""
        classes = np.zeros((len(ids), len(self.attributes)), np.int64)
        if len(self.people):
            keys = hashes(ids)
            at = np.minimum(np.searchsorted(self.people, keys), len(self.people) - 1)
            known = self.people[at] == keys
            classes[known] = self.known[at[known]]
        return classes

    def state(self) -> State:
        """The arrays, named apart from the others."""
        named = {f"{PREFIX}{place}.keys": keys for place, keys in enumerate(self.keys)}
        return {**named, f"{PREFIX}people": self.people, f"{PREFIX}known": self.known}

    @classmethod
    def of_state(
        cls, arrays: State, attributes: tuple[str, ...], context: tuple[str, ...], clock: tuple[Clock, ...], owner: str
    ) -> Self:
        """What ``state`` gave. Raises ``ArtefactError`` where a part is missing."""
        places = range(len(attributes) + len(context))
        keys = tuple(unpack(arrays, f"{PREFIX}{place}.keys", owner) for place in places)
        people, known = (unpack(arrays, f"{PREFIX}{name}", owner) for name in ("people", "known"))
        return cls(attributes, context, clock, keys, people, known)


def _labels(table: pa.Table, name: str, place: str) -> tuple[Longs, Longs]:
    """The row and the key of each value of a column. Raises ``CannotFit`` where there is none, or it holds lists."""
    if name not in table.column_names:
        raise CannotFit(f"the {place} have no column {name!r}", value=sorted(table.column_names))
    column: Any = table[name]
    if pa.types.is_nested(column.type):
        raise CannotFit(f"the column {name!r} holds several values a row", value=str(column.type))
    return labels_of(column)


def _vocabulary(labels: Longs) -> Longs:
    """The commonest keys, ascending."""
    keys, counts = np.unique(labels, return_counts=True)
    return np.sort(keys[np.argsort(-counts, kind="stable")[:MOST]])


def _classes(keys: Longs, labels: Longs) -> Longs:
    """The class of each label."""
    if not len(keys):
        return np.zeros(len(labels), np.int64)
    places = np.minimum(np.searchsorted(keys, labels), len(keys) - 1)
    return np.where(keys[places] == labels, places + 1, UNKNOWN)


def _of_clock(times: Doubles, name: Clock) -> Longs:
    """The class of each moment (UTC)."""
    seconds, many = PERIODS[name]
    shift = THURSDAY if name == "weekday" else 0
    turns = np.floor(np.nan_to_num(times, nan=0.0) / seconds).astype(np.int64) + shift
    return np.where(np.isfinite(times), turns % many + 1, UNKNOWN)
