"""Copies of a SQLite store: an online backup, and the way back."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from accord.core.errors import InputError
from accord.core.state import flush
from accord.data.store import rows
from accord.data.store.connections import PATIENCE, connect, failures_of, pseudonym
from accord.data.store.migrations import migrate, version


def write_copy(connection: sqlite3.Connection, path: Path) -> None:
    """Copy the database while it is in use, as it is at this moment; the file appears when it is whole.

    Raises ``InputError`` where there is such a file.
    """
    if path.exists():
        raise InputError("the file is there already", place=str(path), remedy="Give another path.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        copy = sqlite3.connect(part)
        try:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, without a log beside it
        finally:
            copy.close()
        flush(part)
        part.replace(path)
        flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


def restore(backup: Path, path: Path, *, force: bool = False) -> dict[str, int]:
    """Put a backup in the place of a store; an older version is upgraded.

    People who were erased from the present store since the backup was made are erased again. Processes that have the
    store open see the restored rows, but must be started anew, for the numbers of changes have gone back. Returns how
    many people were erased again. Raises ``InputError`` where the store exists and ``force`` is false, or the
    backup is damaged, newer, or no store.
    """
    if path.exists() and not force:
        raise InputError("there is a store already", place=str(path), remedy="Give another path, or --force.")
    with failures_of(str(backup)):
        source = _whole(backup)
    try:
        with failures_of(str(path)):
            return {"erased_again": _replace(source, path)}
    finally:
        source.close()


def _whole(backup: Path) -> sqlite3.Connection:
    """A connection to a backup that is sound."""
    if not backup.is_file():
        raise InputError("there is no such file", place=str(backup), remedy="Give a file of accord store backup.")
    source = sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)
    try:
        if not version(source, str(backup)):
            raise InputError("an empty database", place=str(backup), remedy="Give a file of accord store backup.")
        found = source.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise InputError(f"the backup is damaged ({found})", place=str(backup), remedy="Give another backup.")
    except (InputError, sqlite3.Error):
        source.close()
        raise
    return source


def _replace(source: sqlite3.Connection, path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    target = connect(path, PATIENCE)
    try:
        tombstones = _tombstones(target, str(path))
        source.backup(target)
        migrate(target, str(path), PATIENCE)
        target.execute("PRAGMA journal_mode = WAL").fetchall()
        again = _erase_again(target, tombstones, str(path))
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        target.close()
    return again


def _tombstones(connection: sqlite3.Connection, place: str) -> dict[str, float]:
    """When who was erased from a store, by pseudonym; nobody where it is new, or as old as version 1."""
    if version(connection, place) < 2:
        return {}
    return dict(connection.execute("SELECT pseudonym, updated FROM erasures").fetchall())


def _erase_again(connection: sqlite3.Connection, tombstones: dict[str, float], place: str) -> int:
    """Erase the people of a restored store whose tombstones it does not have."""
    missing = {name: at for name, at in tombstones.items() if name not in _tombstones(connection, place)}
    if not missing:
        return 0
    salt = bytes.fromhex(connection.execute("SELECT value FROM meta WHERE key = 'salt'").fetchone()[0])
    users = connection.execute(
        """SELECT user_id FROM events UNION SELECT user_id FROM users
        UNION SELECT user_id FROM impressions WHERE user_id IS NOT NULL"""
    ).fetchall()
    found = {pseudonym(salt, user): user for (user,) in users}
    connection.execute("BEGIN IMMEDIATE")
    for name, at in missing.items():
        rows.erase(connection, found.get(name), name, at)
    connection.execute("COMMIT")
    return len(missing.keys() & found)
