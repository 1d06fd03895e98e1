"""Public data sets by name: fetched from their publishers at run time, verified, cached; none is shipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.run import Run, default_cache
from accord.data import movielens
from accord.data.importer import import_data
from accord.data.settings import ImportSettings


@dataclass(frozen=True)
class NamedSet:
    """One public data set."""

    name: str
    about: str
    size: str
    home: str
    terms: str
    prepare: Callable[[Path, Run], None]
    """Fills a folder with ``events.csv``, ``items.jsonl`` and ``users.csv``."""


SETS = {
    found.name: found
    for found in (
        NamedSet(
            "ml-100k",
            "MovieLens 100K: film ratings with times, titles, genres and user facts",
            "943 users, 1,682 items, 100,000 events; 5 MB to fetch",
            "https://grouplens.org/datasets/movielens/100k/",
            "Research use; acknowledge GroupLens; no redistribution without permission; not commercial",
            movielens.prepare,
        ),
    )
}


def find(name: str) -> NamedSet:
    """A set by name. Raises ``InputError`` naming the sets there are."""
    if name not in SETS:
        raise InputError("there is no such data set", value=name, remedy=f"There are: {', '.join(sorted(SETS))}.")
    return SETS[name]


def fetch(name: str, run: Run) -> Path:
    """The folder with a set's ``events.csv``, ``items.jsonl`` and ``users.csv``, fetched once and then cached."""
    wanted = find(name)
    folder = (run.cache or default_cache()) / "datasets" / name
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with run.step(f"Fetching {name}"):
            wanted.prepare(folder, run)
        (folder / "complete").touch()
    return folder


def load(name: str, run: Run) -> Dataset:
    """A named set as a dataset. Raises ``InputError`` for an unknown name, ``DataError`` where it cannot be fetched."""
    return import_data(settings(fetch(name, run)), run).dataset


def settings(folder: Path) -> ImportSettings:
    """How the files of a fetched set are imported."""
    return ImportSettings(
        events=(str(folder / "events.csv"),),
        items=str(folder / "items.jsonl"),
        users=str(folder / "users.csv"),
    )
