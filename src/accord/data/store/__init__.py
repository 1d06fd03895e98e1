"""Event stores: where live events, items, users and impressions are kept."""

from __future__ import annotations

from pathlib import Path

from accord.core.errors import InputError
from accord.data.store.base import Store, StoreUnavailable
from accord.data.store.connections import PATIENCE
from accord.data.store.copies import restore
from accord.data.store.events import Appended, Change, Commits, Event, Fields, Impression
from accord.data.store.scanning import export
from accord.data.store.seeding import seed
from accord.data.store.snapshot import as_dataset
from accord.data.store.sqlite import SqliteStore

__all__ = [
    "Appended",
    "Change",
    "Commits",
    "Event",
    "Fields",
    "Impression",
    "SqliteStore",
    "Store",
    "StoreUnavailable",
    "as_dataset",
    "export",
    "open_store",
    "restore",
    "seed",
    "store_path",
]


def open_store(url: str | Path, *, create: bool = True, patience: float = PATIENCE) -> Store:
    """Open a store: a path, or ``sqlite:///relative/path``, ``sqlite:////absolute/path``.

    ``create=False`` raises ``InputError`` where there is none; ``patience``: seconds to wait for a lock.
    """
    path = store_path(url)
    if not create and not path.is_file():
        raise InputError("there is no store", place=str(url), remedy="Check the path.")
    return SqliteStore(path, patience)


def store_path(url: str | Path) -> Path:
    """The file that a URL names. Raises ``InputError`` where it is of a database that has no store yet."""
    scheme, mark, rest = str(url).partition("://")
    path = rest.removeprefix("/") if mark else scheme
    if mark and (scheme != "sqlite" or not rest.startswith("/")):
        remedy = "There is: sqlite:///PATH, or just PATH."
        raise InputError("no such kind of store", place="--store", value=scheme, remedy=remedy)
    if not path or ":memory:" in path:
        raise InputError("a store needs a file", place="--store", value=str(url), remedy="Give sqlite:///PATH.")
    return Path(path)
