"""Between our nouns and the rows of the SQLite store: every statement that reads or writes one."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, TypeAlias

from accord.data.store.events import Appended, Change, Event, Impression
from accord.data.store.limits import fields_of

Row: TypeAlias = tuple[Any, ...]
TOGETHER = 100
"""Events of one statement. Python lets other threads run before each row of ``executemany``, and waits for its turn
anew each time."""
_ADD = {
    "events": """INSERT OR IGNORE INTO events
        (event_id, user_id, item_id, event, timestamp, value, weight, impression_id, context) VALUES """,
    "items": "INSERT OR IGNORE INTO items (item_id, fields, updated, change) VALUES (?, ?, ?, 0)",
    "users": "INSERT OR IGNORE INTO users (user_id, fields, updated) VALUES (?, ?, ?)",
}
_COUNT = {
    "events": "SELECT count(*) FROM events",
    "items": "SELECT count(*) FROM items WHERE NOT deleted",
    "users": "SELECT count(*) FROM users",
    "impressions": "SELECT count(*) FROM impressions",
    "erasures": "SELECT count(*) FROM erasures",
}
_OLD = {
    "events": "DELETE FROM events WHERE number IN (SELECT number FROM events WHERE timestamp < ? LIMIT ?)",
    "impressions": "DELETE FROM impressions WHERE number IN (SELECT number FROM impressions WHERE created < ? LIMIT ?)",
}
RETAINED = tuple(_OLD)
"""The tables that retention empties."""


def event_row(event: Event, now: float) -> Row:
    """An event as a row; one without a time happens now."""
    return (
        event.event_id,
        event.user_id,
        event.item_id,
        event.event,
        now if math.isnan(event.timestamp) else event.timestamp,
        event.value,
        event.weight,
        event.impression_id,
        json.dumps(event.context, ensure_ascii=False) if event.context else None,
    )


def add_events(connection: sqlite3.Connection, rows: Sequence[Row]) -> Appended:
    """Insert rows of events that are not there yet."""
    before = connection.total_changes
    for start in range(0, len(rows), TOGETHER):
        chunk = rows[start : start + TOGETHER]
        connection.execute(_add_events(len(chunk)), list(chain.from_iterable(chunk)))
    accepted = connection.total_changes - before
    return Appended(accepted, len(rows) - accepted)


@cache
def _add_events(n: int) -> str:
    return _ADD["events"] + ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?)"] * n)


def newest_events(connection: sqlite3.Connection, user: str, most: int) -> list[Event]:
    """The newest events of a user, oldest first."""
    query = """SELECT event_id, user_id, item_id, event, timestamp, value, weight, impression_id, context
        FROM events WHERE user_id = ? ORDER BY timestamp DESC, number DESC LIMIT ?"""
    return [_event(row) for row in reversed(connection.execute(query, (user, most)).fetchall())]


def events_after(connection: sqlite3.Connection, number: int, most: int) -> list[tuple[int, Event]]:
    """Events by number, above the given one."""
    query = """SELECT number, event_id, user_id, item_id, event, timestamp, value, weight, impression_id, context
        FROM events WHERE number > ? ORDER BY number LIMIT ?"""
    return [(row[0], _event(row[1:])) for row in connection.execute(query, (number, most)).fetchall()]


def _event(row: Row) -> Event:
    return Event(*row[:8], context=json.loads(row[8]) if row[8] else {})


def last_change(connection: sqlite3.Connection) -> int:
    """The number of the newest change."""
    return connection.execute("SELECT value FROM counters WHERE name = 'change'").fetchall()[0][0]


def put_items(connection: sqlite3.Connection, items: Iterable[tuple[str, str]], now: float) -> int:
    """Insert or replace items; one that says what it said before is no change."""
    number = last_change(connection)
    for item, fields in items:
        cursor = connection.execute(
            """INSERT INTO items (item_id, fields, updated, change) VALUES (?, ?, ?, ?)
            ON CONFLICT (item_id) DO UPDATE SET
                fields = excluded.fields, deleted = 0, updated = excluded.updated, change = excluded.change
            WHERE deleted OR fields != excluded.fields""",
            (item, fields, now, number + 1),
        )
        number += cursor.rowcount
    return _set_last_change(connection, number)


def delete_items(connection: sqlite3.Connection, ids: Iterable[str], now: float) -> int:
    """Mark items as deleted and drop their fields."""
    number = last_change(connection)
    for item in ids:
        cursor = connection.execute(
            "UPDATE items SET fields = '{}', deleted = 1, updated = ?, change = ? WHERE item_id = ? AND NOT deleted",
            (now, number + 1, item),
        )
        number += cursor.rowcount
    return _set_last_change(connection, number)


def _set_last_change(connection: sqlite3.Connection, number: int) -> int:
    connection.execute("UPDATE counters SET value = ? WHERE name = 'change' AND value < ?", (number, number))
    return number


def add_facts(connection: sqlite3.Connection, table: str, rows: Sequence[tuple[str, str]], now: float) -> int:
    """Insert items or users that are not there yet, as no change. Returns how many."""
    before = connection.total_changes
    connection.executemany(_ADD[table], [(*row, now) for row in rows])
    return connection.total_changes - before


def changes(connection: sqlite3.Connection, since: int, most: int) -> list[Change]:
    """Changes of items and erasures, by number."""
    query = """
        SELECT change, CASE WHEN deleted THEN 'delete' ELSE 'item' END, item_id, fields FROM items WHERE change > ?
        UNION ALL SELECT change, 'erase', pseudonym, NULL FROM erasures WHERE change > ? ORDER BY 1 LIMIT ?"""
    found = connection.execute(query, (since, since, most)).fetchall()
    return [Change(n, kind, key, fields_of(text) if kind == "item" else None) for n, kind, key, text in found]


def put_user(connection: sqlite3.Connection, user: str, fields: str, now: float) -> None:
    """Insert or replace what is known of a user."""
    connection.execute(
        """INSERT INTO users (user_id, fields, updated) VALUES (?, ?, ?)
        ON CONFLICT (user_id) DO UPDATE SET fields = excluded.fields, updated = excluded.updated""",
        (user, fields, now),
    )


def put_impression(connection: sqlite3.Connection, impression: Impression, items: str, request: str) -> None:
    """Insert an impression that is not there yet."""
    shown = impression
    connection.execute(
        """INSERT OR IGNORE INTO impressions
        (impression_id, user_id, created, model, placement, items, request) VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (shown.impression_id, shown.user_id, shown.created, shown.model, shown.placement, items, request),
    )


def impression(connection: sqlite3.Connection, impression_id: str) -> Impression | None:
    """One impression."""
    query = """SELECT impression_id, user_id, created, model, placement, items, request FROM impressions
        WHERE impression_id = ?"""
    found = connection.execute(query, (impression_id,)).fetchall()
    if not found:
        return None
    *plain, items, request = found[0]
    return Impression(*plain, items=json.loads(items), request=json.loads(request))


def erase(connection: sqlite3.Connection, user: str | None, pseudonym: str, now: float) -> dict[str, int]:
    """Delete all rows that name a user (None: there are none), and leave a tombstone."""
    queries = {
        "events": "DELETE FROM events WHERE user_id = :user",
        "users": "DELETE FROM users WHERE user_id = :user",
        # The search for plain text comes first: it is many times as fast as the tree.
        "impressions": """DELETE FROM impressions WHERE user_id = :user OR (instr(request, :quoted) AND EXISTS
            (SELECT 1 FROM json_tree(request) WHERE key = 'user_id' AND value = :user))""",
    }
    names = {"user": user, "quoted": json.dumps(user, ensure_ascii=False)}
    removed = {
        table: connection.execute(query, names).rowcount if user is not None else 0 for table, query in queries.items()
    }
    number = _set_last_change(connection, last_change(connection) + 1)
    connection.execute(
        """INSERT INTO erasures (pseudonym, updated, change) VALUES (?, ?, ?)
        ON CONFLICT (pseudonym) DO UPDATE SET updated = excluded.updated, change = excluded.change""",
        (pseudonym, now, number),
    )
    return removed


def remove_old(connection: sqlite3.Connection, table: str, before: float, most: int) -> int:
    """Delete at most so many rows from before a time. Returns how many."""
    return connection.execute(_OLD[table], (before, most)).rowcount


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows by table."""
    return {table: connection.execute(query).fetchall()[0][0] for table, query in _COUNT.items()}
