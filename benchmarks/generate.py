"""Logs of any size, made up but realistic: few items are popular, few people are busy, and tastes cluster.

    python benchmarks/generate.py FOLDER --events 10000000 --items 100000 [--form csv.gz]

Writes ``events`` and ``items`` as Parquet or ``.csv.gz``; memory stays bounded by one chunk of users.

- Popularity follows Zipf's law with an exponent of 0.9; the activity of people is lognormal, nine events in the mean.
- Items belong to clusters. Everybody likes a few clusters, stays with the one at hand half of the time, and wanders off
  to any item in a fifth of all events.
- Titles are made of words of the cluster and of words that all use; brands and prices agree with the cluster in part.
- Times run over two years; a person's events come in sessions.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

ZIPF = 0.9
"""Exponent of popularity by rank."""
MEAN_EVENTS = 10.0
SPREAD = 1.0
"""Standard deviation of the logarithm of the events of a person."""
TASTES = 4
"""Clusters that a person likes."""
STAY, WANDER = 0.5, 0.2
"""Shares of events in the cluster of the event before, and on any item at all."""
START, YEARS = 1_700_000_000, 2
CHUNK = 50_000
"""Users made at a time."""


@dataclass(frozen=True)
class Shelf:
    """Items sorted by cluster, with running sums of their popularity."""

    items: np.ndarray
    sums: np.ndarray
    """``float64[n]``: popularity of all items up to and with this one; the last is 1."""
    bounds: np.ndarray
    """``float64[clusters + 1]``: where each cluster begins in ``sums``."""
    clusters: np.ndarray
    """``int32[n]``: the cluster of each item by its number."""

    @classmethod
    def of(cls, n_items: int, rng: np.random.Generator) -> Shelf:
        """About a hundred items a cluster; cluster and popularity are drawn independently of the item's number."""
        n_clusters = max(4, n_items // 100)
        clusters = rng.integers(0, n_clusters, n_items).astype(np.int32)
        popularity = (rng.permutation(n_items) + 10.0) ** -ZIPF
        items = np.argsort(clusters, kind="stable")
        sums = np.cumsum(popularity[items]) / popularity.sum()
        counts = np.bincount(clusters, minlength=n_clusters)
        bounds = np.concatenate([[0.0], np.append(0.0, sums)[np.cumsum(counts)]])
        return cls(items, sums, bounds, clusters)

    def draw(self, clusters: np.ndarray, wander: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """An item of each cluster by popularity, or of all where ``wander`` is true."""
        low = np.where(wander, 0.0, self.bounds[clusters])
        high = np.where(wander, 1.0, self.bounds[clusters + 1])
        places = np.searchsorted(self.sums, low + rng.random(len(low)) * (high - low), side="right")
        return self.items[np.minimum(places, len(self.items) - 1)]


def users_events(first: int, lengths: np.ndarray, shelf: Shelf, rng: np.random.Generator) -> pl.DataFrame:
    """The events of a chunk of users, by user and time."""
    rows = np.repeat(np.arange(len(lengths)), lengths)
    begins = np.cumsum(lengths) - lengths
    n_clusters = len(shelf.bounds) - 1
    likes = np.searchsorted(shelf.bounds[1:-1], rng.random((len(lengths), TASTES)), side="right")
    clusters = np.minimum(likes[rows, rng.integers(0, TASTES, len(rows))], n_clusters - 1)
    stays = rng.random(len(rows)) < STAY
    stays[begins[lengths > 0]] = False
    last = np.maximum.accumulate(np.where(stays, 0, np.arange(len(rows))))
    items = shelf.draw(clusters[last], rng.random(len(rows)) < WANDER, rng)
    times = _times(rows, lengths, rng)
    return pl.DataFrame(
        {
            "user_id": pl.Series(first + rows).cast(pl.String),
            "item_id": pl.Series(items).cast(pl.String),
            "timestamp": times,
        }
    )


def _times(rows: np.ndarray, lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whole seconds, rising within a user: minutes within a session, days between sessions."""
    gaps = np.where(
        rng.random(len(rows)) < 0.7, rng.exponential(120, len(rows)), rng.exponential(4 * 86_400, len(rows))
    )
    run = np.cumsum(gaps)
    before = np.repeat(np.append(0.0, run)[np.cumsum(lengths) - lengths], lengths)
    begun = START + rng.random(len(lengths)) * YEARS * 365 * 86_400
    return (begun[rows] + run - before).astype(np.int64)


def item_table(shelf: Shelf, rng: np.random.Generator) -> pl.DataFrame:
    """Titles of three words of the cluster and two of everybody, a category, a brand and a price."""
    n, n_clusters = len(shelf.clusters), len(shelf.bounds) - 1
    words = _words(30 * n_clusters + 2_000, rng)
    own = words[2_000 + shelf.clusters[:, None] * 30 + rng.integers(0, 30, (n, 3))]
    shared = words[(rng.random((n, 2)) ** 3 * 2_000).astype(int)]
    titles = [" ".join(row) for row in np.concatenate([own, shared], axis=1).tolist()]
    return pl.DataFrame(
        {
            "item_id": np.arange(n).astype(str),
            "title": titles,
            "categories": [f"category {number // 10}" for number in shelf.clusters],
            "brand": [f"brand {number}" for number in (shelf.clusters * 3 + rng.integers(0, 6, n))],
            "price": np.round(np.exp(rng.normal(3, 0.5, n) + (shelf.clusters % 7) / 5), 2),
        }
    )


def _words(n: int, rng: np.random.Generator) -> np.ndarray:
    """Different words of three or four syllables."""
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    size = len(syllables)
    numbers = rng.permutation(size**3)[:n] if n <= size**3 else np.arange(n)
    digits = [[syllables[number // size**place % size] for place in range(3)] for number in numbers.tolist()]
    return np.array(["".join(word) for word in digits], dtype=object)


class _Writer:
    """Appends frames to one Parquet or gzipped CSV file."""

    def __init__(self, path: Path) -> None:
        self.path, self.parquet, self.header = path, None, True
        self.files = ExitStack()
        self.csv = None if path.suffix == ".parquet" else self.files.enter_context(gzip.GzipFile(path, "wb", 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.files.close()

    def add(self, frame: pl.DataFrame) -> None:
        """Write the rows of one more frame."""
        if self.csv is not None:
            self.csv.write(frame.write_csv(include_header=self.header).encode())
            self.header = False
            return
        table: pa.Table = frame.to_arrow()
        if self.parquet is None:
            self.parquet = self.files.enter_context(pq.ParquetWriter(self.path, table.schema, compression="zstd"))
        self.parquet.write_table(table)


def write_log(folder: Path, events: int, items: int, *, seed: int = 0, form: str = "parquet") -> None:
    """Write ``events.FORM`` (about so many rows) and ``items.FORM`` to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    shelf = Shelf.of(items, rng)
    with _Writer(folder / f"items.{form}") as file:
        file.add(item_table(shelf, rng))
    with _Writer(folder / f"events.{form}") as file:
        for frame in log_chunks(events, shelf, rng):
            file.add(frame)


def log_chunks(events: int, shelf: Shelf, rng: np.random.Generator) -> Iterator[pl.DataFrame]:
    """The log in chunks of users, until there are enough events."""
    first, left = 0, events
    while left > 0:
        drawn = rng.lognormal(np.log(MEAN_EVENTS) - SPREAD**2 / 2, SPREAD, CHUNK)
        lengths = np.maximum(1, np.rint(drawn)).astype(np.int64)
        lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), left)) + 1]
        yield users_events(first, lengths, shelf, rng)
        first, left = first + len(lengths), left - int(lengths.sum())


def main() -> None:
    """Write one log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--form", choices=("parquet", "csv.gz"), default="parquet")
    arguments = parser.parse_args()
    write_log(arguments.folder, arguments.events, arguments.items, seed=arguments.seed, form=arguments.form)


if __name__ == "__main__":
    main()
