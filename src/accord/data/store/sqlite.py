"""The embedded store: one SQLite file, safe to share by the threads of a process and by the processes of a machine."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import pyarrow as pa

from accord.core.errors import InputError
from accord.data.store import rows
from accord.data.store.base import StoreUnavailable
from accord.data.store.bulk import event_rows
from accord.data.store.connections import PATIENCE, Readers, connect, failures_of, pseudonym
from accord.data.store.copies import write_copy
from accord.data.store.events import Appended, Change, Commits, Event, Fields, Impression, Table
from accord.data.store.limits import check_event, check_id, check_time, fields_json, fields_of, impression_json
from accord.data.store.migrations import migrate
from accord.data.store.scanning import scan
from accord.data.store.writer import Writer

RETAIN_ROWS = 5_000
"""Rows that retention removes in one transaction."""


class SqliteStore:
    """See ``Store``. Open it in every process anew, never across a fork.

    ``path``: the file, made where it is not there; ``patience``: seconds to wait for a lock before
    ``StoreUnavailable``. Raises ``InputError`` where the file is something else, or of a newer Accord.
    """

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self.path = path
        self._place = str(path)
        self._patience = patience
        with failures_of(self._place):
            _prepare(path, patience)
            self._writer = Writer(path, self._place, patience)
        self._readers = Readers(path, self._place, patience)

    def append_events(self, events: Sequence[Event]) -> Appended:
        """See ``Store``."""
        for number, event in enumerate(events):
            check_event(event, f"events[{number}]")
        now = time.time()
        made = [rows.event_row(event, now) for event in events]
        return self._writer.run(lambda connection: rows.add_events(connection, made), len(made))

    def add_events(self, batch: pa.RecordBatch) -> Appended:
        """See ``Store``."""
        made = event_rows(batch)
        return self._writer.run(lambda connection: rows.add_events(connection, made), len(made))

    def histories(self, users: Sequence[str], most: int) -> list[list[Event]]:
        """See ``Store``."""
        with self._readers.connection() as connection:
            return [rows.newest_events(connection, user, most) for user in users]

    def events_after(self, number: int, most: int = 1000) -> list[tuple[int, Event]]:
        """See ``Store``."""
        with self._readers.connection() as connection:
            return rows.events_after(connection, number, most)

    def put_items(self, items: Sequence[tuple[str, Fields]]) -> int:
        """See ``Store``."""
        made, now = _facts("items", items), time.time()
        return self._writer.run(lambda connection: rows.put_items(connection, made, now), len(made))

    def delete_items(self, ids: Sequence[str]) -> int:
        """See ``Store``."""
        now = time.time()
        return self._writer.run(lambda connection: rows.delete_items(connection, ids, now), len(ids))

    def add_facts(self, table: Literal["items", "users"], facts: Sequence[tuple[str, Fields]]) -> int:
        """See ``Store``."""
        made, now = _facts(table, facts), time.time()
        return self._writer.run(lambda connection: rows.add_facts(connection, table, made, now), len(made))

    def items(self, ids: Sequence[str]) -> list[Fields | None]:
        """See ``Store``."""
        query = "SELECT fields FROM items WHERE item_id = ? AND NOT deleted"
        with self._readers.connection() as connection:
            return [_fields(connection, query, item) for item in ids]

    def changes(self, since: int, most: int = 1000) -> list[Change]:
        """See ``Store``."""
        with self._readers.connection() as connection:
            return rows.changes(connection, since, most)

    def last_change(self) -> int:
        """See ``Store``."""
        with self._readers.connection() as connection:
            return rows.last_change(connection)

    def put_user(self, user_id: str, fields: Fields) -> None:
        """See ``Store``."""
        (made,), now = _facts("users", [(user_id, fields)]), time.time()
        self._writer.run(lambda connection: rows.put_user(connection, *made, now))

    def user(self, user_id: str) -> Fields | None:
        """See ``Store``."""
        with self._readers.connection() as connection:
            return _fields(connection, "SELECT fields FROM users WHERE user_id = ?", user_id)

    def erase_user(self, user_id: str) -> dict[str, int]:
        """See ``Store``."""
        check_id(user_id, "user_id")
        name, now = self.pseudonym(user_id), time.time()
        removed = self._writer.run(lambda connection: rows.erase(connection, user_id, name, now))
        self._empty_log()
        return removed

    def pseudonym(self, user_id: str) -> str:
        """See ``Store``."""
        return pseudonym(self._salt, user_id)

    def erased(self, users: Sequence[str], since: float = 0.0) -> list[bool]:
        """See ``Store``."""
        query = "SELECT 1 FROM erasures WHERE pseudonym = ? AND updated >= ?"
        with self._readers.connection() as connection:
            if not connection.execute("SELECT 1 FROM erasures LIMIT 1").fetchall():
                return [False] * len(users)
            return [bool(connection.execute(query, (self.pseudonym(user), since)).fetchall()) for user in users]

    def purge_erasures(self, before: float) -> int:
        """See ``Store``."""
        check_time(before, "before")
        query = "DELETE FROM erasures WHERE updated < ?"
        return self._writer.run(lambda connection: connection.execute(query, (before,)).rowcount)

    def put_impression(self, impression: Impression, *, wait: bool = True) -> None:
        """See ``Store``."""
        items, request = impression_json(impression)
        put = self._writer.run if wait else self._writer.submit
        put(lambda connection: rows.put_impression(connection, impression, items, request))

    def impression(self, impression_id: str) -> Impression | None:
        """See ``Store``."""
        with self._readers.connection() as connection:
            return rows.impression(connection, impression_id)

    def scan(self, table: Table, since: float | None = None, until: float | None = None) -> Iterator[pa.RecordBatch]:
        """See ``Store``."""
        return scan(self._readers, table, since, until)

    def retain(self, before: float) -> dict[str, int]:
        """See ``Store``."""
        check_time(before, "before")
        removed = {table: self._retain(table, before) for table in rows.RETAINED}
        self._empty_log()
        return removed

    def backup(self, path: Path) -> None:
        """See ``Store``."""
        with self._readers.connection() as connection:
            write_copy(connection, path)

    def counts(self) -> dict[str, int]:
        """See ``Store``."""
        with self._readers.connection() as connection:
            return rows.counts(connection)

    def meta(self, key: str) -> str | None:
        """See ``Store``."""
        with self._readers.connection() as connection:
            found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchall()
        return found[0][0] if found else None

    def put_meta(self, key: str, value: str) -> None:
        """See ``Store``."""
        check_id(key, "key")
        query = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        self._writer.run(lambda connection: connection.execute(query, (key, value)).rowcount)

    def commits(self) -> Commits:
        """See ``Store``."""
        return self._writer.commits()

    def close(self) -> None:
        """See ``Store``."""
        self._writer.close()
        self._readers.close()

    @cached_property
    def _salt(self) -> bytes:
        salt = self.meta("salt")
        if salt is None:
            raise InputError("the store has lost its salt", place=self._place, remedy="Restore a backup.")
        return bytes.fromhex(salt)

    def _retain(self, table: str, before: float) -> int:
        """Remove old rows in small transactions, so that no request waits long."""
        total = 0
        while removed := self._writer.run(lambda c: rows.remove_old(c, table, before, RETAIN_ROWS), RETAIN_ROWS):
            total += removed
        return total

    def _empty_log(self) -> None:
        """Move what was overwritten from the write-ahead log into the file, and empty the log."""
        deadline = time.monotonic() + self._patience
        while True:
            with self._readers.connection() as connection:
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
            if not busy:
                return
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    "the rows are removed, but others read on, so that the log still holds old pages",
                    place=self._place,
                    remedy="Call it again.",
                )


def _prepare(path: Path, patience: float) -> None:
    """Make or upgrade the file. Raises ``sqlite3.Error``, ``InputError``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"the folder cannot be made ({error.strerror})", place=str(path), remedy="Give another path."
        ) from None
    connection = connect(path, patience)
    try:
        migrate(connection, str(path), patience)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _facts(table: str, facts: Sequence[tuple[str, Fields]]) -> list[tuple[str, str]]:
    """Ids and fields as JSON text. Raises ``InputError`` naming what cannot be stored."""
    for number, (name, _) in enumerate(facts):
        check_id(name, f"{table}[{number}].id")
    return [(name, fields_json(fields, f"{table}[{name}]")) for name, fields in facts]


def _fields(connection: sqlite3.Connection, query: str, key: str) -> Fields | None:
    found = connection.execute(query, (key,)).fetchall()
    return fields_of(found[0][0]) if found else None
