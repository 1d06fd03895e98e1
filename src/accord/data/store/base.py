"""The one protocol that every event store follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa

from accord.core.errors import AccordError
from accord.data.store.events import Appended, Change, Commits, Event, Fields, Impression, Table


class StoreUnavailable(AccordError):
    """The database cannot be reached, is locked for too long, or its disk is full; nothing was acknowledged."""

    code = "store_unavailable"


class Store(Protocol):
    """Events, items, users and impressions, kept durably; safe to call from any thread.

    What is written is on the disk when the method returns, unless it says otherwise. Every method may raise
    ``StoreUnavailable``: the same call may be made again, for writing twice does no harm. What a caller gives that
    cannot be stored raises ``InputError`` naming the field.
    """

    def append_events(self, events: Sequence[Event]) -> Appended:
        """Keep events; one whose ``event_id`` is known already is counted as a duplicate and changes nothing."""
        ...

    def add_events(self, batch: pa.RecordBatch) -> Appended:
        """``append_events`` for very many: the columns of ``scan("events")``, every event with its time."""
        ...

    def histories(self, users: Sequence[str], most: int) -> list[list[Event]]:
        """The newest ``most`` events of each user, oldest first; an empty list for somebody who is not known.

        Events of the same time come in the order in which the store received them.
        """
        ...

    def events_after(self, number: int, most: int = 1000) -> list[tuple[int, Event]]:
        """The first ``most`` events that came after the one of the given number (0: all), each with its number.

        Numbers rise in the order in which the store received the events, whatever their times, so that whoever reads
        on from the last number sees every event once.
        """
        ...

    def put_items(self, items: Sequence[tuple[str, Fields]]) -> int:
        """Keep items, each with all its fields in place of those it had; deleted ones come back. Returns the number
        of the last change."""
        ...

    def delete_items(self, ids: Sequence[str]) -> int:
        """Delete items, and forget their fields; unknown ones change nothing. Returns the number of the last change."""
        ...

    def add_facts(self, table: Literal["items", "users"], facts: Sequence[tuple[str, Fields]]) -> int:
        """Keep items or users that the store does not have yet, as no change, for seeding. Returns how many."""
        ...

    def items(self, ids: Sequence[str]) -> list[Fields | None]:
        """The fields of each item; None where it is unknown or deleted."""
        ...

    def changes(self, since: int, most: int = 1000) -> list[Change]:
        """The first ``most`` changes with numbers above ``since``, by number. Seeded items count as no change."""
        ...

    def last_change(self) -> int:
        """The number of the newest change, 0 where there was none; takes microseconds, ask it on every request."""
        ...

    def put_user(self, user_id: str, fields: Fields) -> None:
        """Keep what is known of a user, in place of what was."""
        ...

    def user(self, user_id: str) -> Fields | None:
        """What was put of a user; None where nothing was."""
        ...

    def erase_user(self, user_id: str) -> dict[str, int]:
        """Remove a user's events, facts and impressions. Returns the rows removed by table.

        What stays is a tombstone: the user's pseudonym and the time. Events that come later under the same id are
        those of a new person.
        """
        ...

    def pseudonym(self, user_id: str) -> str:
        """The salted hash under which an erasure is remembered."""
        ...

    def erased(self, users: Sequence[str], since: float = 0.0) -> list[bool]:
        """Whether each of these users was erased at or after a time (seconds since 1970)."""
        ...

    def purge_erasures(self, before: float) -> int:
        """Forget the tombstones from before a time, once nothing older holds the people's data. Returns how many."""
        ...

    def put_impression(self, impression: Impression, *, wait: bool = True) -> None:
        """Keep a list that was shown; one whose id is known already changes nothing.

        ``wait=False`` returns at once: the impression is written with the next batch, and lost in a crash before it.
        """
        ...

    def impression(self, impression_id: str) -> Impression | None:
        """A list that was shown; None where it is not known."""
        ...

    def scan(self, table: Table, since: float | None = None, until: float | None = None) -> Iterator[pa.RecordBatch]:
        """All rows of a table in the order of their arrival, in batches, within ``since <= time < until``.

        The time is ``timestamp`` of events, ``created`` of impressions and ``updated`` of all others. Fields, contexts,
        lists and requests come as JSON text. Rows written meanwhile may be among them.
        """
        ...

    def retain(self, before: float) -> dict[str, int]:
        """Remove events and impressions older than a time. Returns the rows removed by table."""
        ...

    def backup(self, path: Path) -> None:
        """Write a consistent copy while the store is in use. Raises ``InputError`` where the file exists."""
        ...

    def counts(self) -> dict[str, int]:
        """How many rows each table has; deleted items do not count."""
        ...

    def meta(self, key: str) -> str | None:
        """A setting kept with the data; None where it was not put."""
        ...

    def put_meta(self, key: str, value: str) -> None:
        """Keep a setting."""
        ...

    def commits(self) -> Commits:
        """What this process has written so far."""
        ...

    def close(self) -> None:
        """Write what waits, and let go of the database; calling it twice does no harm."""
        ...
