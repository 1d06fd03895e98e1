"""The tables of the SQLite store, as numbered steps: a step is never changed, only followed by another."""

from __future__ import annotations

import sqlite3

from accord.core.errors import InputError
from accord.data.store.connections import begin

APPLICATION = 0x41434F52
"""Marks the file as a store of ours (``PRAGMA application_id``)."""
STEPS: tuple[tuple[str, ...], ...] = (
    (  # 1: events, items and users
        f"PRAGMA application_id = {APPLICATION}",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO counters VALUES ('change', 0)",
        "INSERT INTO meta VALUES ('salt', lower(hex(randomblob(32))))",
        """CREATE TABLE events (
            number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL,
            item_id TEXT NOT NULL, event TEXT NOT NULL, timestamp REAL NOT NULL, value REAL, weight REAL NOT NULL,
            impression_id TEXT, context TEXT)""",
        "CREATE INDEX events_of_users ON events (user_id, timestamp)",
        """CREATE TABLE items (
            number INTEGER PRIMARY KEY AUTOINCREMENT, item_id TEXT NOT NULL UNIQUE, fields TEXT NOT NULL,
            deleted INTEGER NOT NULL DEFAULT 0, updated REAL NOT NULL, change INTEGER NOT NULL)""",
        "CREATE INDEX changed_items ON items (change)",
        """CREATE TABLE users (
            number INTEGER PRIMARY KEY AUTOINCREMENT, user_id TEXT NOT NULL UNIQUE, fields TEXT NOT NULL,
            updated REAL NOT NULL)""",
    ),
    (  # 2: impressions, and what is left of people who were erased
        """CREATE TABLE impressions (
            number INTEGER PRIMARY KEY AUTOINCREMENT, impression_id TEXT NOT NULL UNIQUE, user_id TEXT,
            created REAL NOT NULL, model TEXT NOT NULL, placement TEXT NOT NULL, items TEXT NOT NULL,
            request TEXT NOT NULL)""",
        "CREATE INDEX impressions_of_users ON impressions (user_id) WHERE user_id IS NOT NULL",
        """CREATE TABLE erasures (
            number INTEGER PRIMARY KEY AUTOINCREMENT, pseudonym TEXT NOT NULL UNIQUE, updated REAL NOT NULL,
            change INTEGER NOT NULL)""",
        "CREATE INDEX changed_erasures ON erasures (change)",
    ),
)
VERSION = len(STEPS)


def migrate(connection: sqlite3.Connection, place: str, patience: float) -> None:
    """Bring a database to the newest version, in one transaction; several processes may try at once.

    Raises ``InputError`` where it is newer than this program, or not a store.
    """
    if version(connection, place) == VERSION:
        return
    begin(connection, patience)
    try:
        for number in range(version(connection, place), VERSION):  # again, now that nobody else can write
            for statement in STEPS[number]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def version(connection: sqlite3.Connection, place: str) -> int:
    """The version of a store, 0 of an empty database. Raises ``InputError`` where it is newer, or not a store."""
    found, mark, tables = (
        connection.execute(query).fetchone()[0]
        for query in ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_schema")
    )
    if tables and mark != APPLICATION:
        raise InputError("a database, but not a store of Accord", place=place, remedy="Give another path.")
    if found > VERSION:
        raise InputError(
            f"made by a newer Accord (this one reads versions up to {VERSION})",
            place=place,
            value=found,
            remedy="Upgrade Accord, or restore a backup that the older one wrote.",
        )
    return found
