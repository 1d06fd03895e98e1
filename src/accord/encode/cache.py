"""Vectors kept by the hash of the text they were made from, so that nothing is encoded twice.

One SQLite file an encoder: an interrupted run resumes where it stopped, and several processes may share the file.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from accord.core.arrays import Floats
from accord.core.errors import InputError
from accord.core.run import Run

READ = 1000
"""Keys looked up in one statement."""
BATCH = 256
"""Texts encoded, and vectors committed, at a time where nothing else is asked for."""


class VectorCache:
    """Text hash -> ``float32[dim]`` in a SQLite file; without a path it keeps nothing and finds nothing."""

    def __init__(self, path: Path | None, dim: int) -> None:
        self.path = path
        self.dim = dim
        if path is not None:
            _prepare(path)

    def get(self, keys: Sequence[str]) -> Iterator[tuple[str, Floats]]:
        """The vectors that are there; a damaged one (wrong length, not finite) counts as missing."""
        if self.path is None:
            return
        with _session(self.path) as base:
            for start in range(0, len(keys), READ):
                wanted = json.dumps(keys[start : start + READ])
                sql = "SELECT key, vector FROM vectors WHERE key IN (SELECT value FROM json_each(?))"
                for key, blob in base.execute(sql, (wanted,)):
                    if isinstance(blob, bytes) and len(blob) == 4 * self.dim:
                        vector = np.frombuffer(blob, "<f4")
                        if np.isfinite(vector).all():
                            yield key, vector

    def put(self, keys: Sequence[str], vectors: Floats) -> None:
        """Keep the vectors, all or none."""
        if self.path is None:
            return
        rows = [(key, vector.astype("<f4").tobytes()) for key, vector in zip(keys, vectors, strict=True)]
        with _session(self.path) as base:
            base.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)


def encode_cached(
    texts: Sequence[str],
    compute: Callable[[list[str]], Floats],
    cache: VectorCache,
    run: Run,
    name: str,
    batch: int = BATCH,
) -> Floats:
    """``float32[n, dim]``: each distinct text encoded once or read from the cache; an empty text is a zero row.

    ``compute`` gets at most ``batch`` texts of like length; what it returns is committed before it is called again.
    """
    out = np.zeros((len(texts), cache.dim), np.float32)
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        if text:
            rows.setdefault(_key(text), []).append(row)
    known = set[str]()
    for key, vector in cache.get(list(rows)):
        out[rows[key]] = vector
        known.add(key)
    # Longest first: like lengths share a batch, and memory is at its peak at the start.
    todo = sorted(rows.keys() - known, key=lambda key: (-len(texts[rows[key][0]]), key))
    batches = [todo[start : start + batch] for start in range(0, len(todo), batch)]
    for keys in run.progress.track(batches, f"{name}: {len(todo)} texts to encode", len(batches)):
        vectors = compute([texts[rows[key][0]] for key in keys])
        cache.put(keys, vectors)
        for key, vector in zip(keys, vectors, strict=True):
            out[rows[key]] = vector
    return out


def _key(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _prepare(path: Path) -> None:
    """Make the table; a file that is no database (torn by a full disk, say) is replaced: it is only a cache."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not _sound(path):
            path.unlink()
    except OSError as error:
        raise _unusable(path, error) from None
    with _session(path) as base:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB) WITHOUT ROWID")


def _sound(path: Path) -> bool:
    """Whether the file is a database, or nothing yet."""
    if not path.exists() or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


@contextmanager
def _session(path: Path) -> Generator[sqlite3.Connection]:
    """A connection whose changes are committed together at the end."""
    try:
        with closing(sqlite3.connect(path, timeout=60)) as base, base:
            base.execute("PRAGMA synchronous = NORMAL")
            yield base
    except sqlite3.Error as error:
        raise _unusable(path, error) from None


def _unusable(path: Path, error: Exception) -> InputError:
    remedy = "Delete the file, or set ACCORD_CACHE to a folder that can be written."
    return InputError(f"the cache cannot be used ({error})", place=str(path), remedy=remedy)
