"""Connections to one SQLite file: how they are opened, taken for a lock, shared by readers, and how they fail."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom

from accord.core.errors import AccordError, InputError
from accord.data.store.base import StoreUnavailable

PATIENCE = 10.0
"""Seconds to wait for a lock."""
_PRAGMAS = (
    "synchronous = FULL",  # a commit is on the disk; WAL alone would lose the newest in a power cut
    "secure_delete = ON",  # what is deleted is overwritten
    "trusted_schema = OFF",
    "cache_size = -64000",  # KiB at most; what is written to the index of the users lies all over it
    "wal_autocheckpoint = 4000",  # pages of 4 KiB
    "temp_store = MEMORY",  # no id ever lies in a temporary file
)
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
_STRANGE = ("SQLITE_NOTADB", "SQLITE_CORRUPT")
_WAITS = (0.00005, 0.0005)
_random = SystemRandom()


def connect(path: Path, patience: float) -> sqlite3.Connection:
    """Open a connection with our settings, for one thread at a time; transactions are begun by hand.

    ``patience``: seconds that SQLite itself waits for a lock.
    """
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def begin(connection: sqlite3.Connection, patience: float) -> None:
    """Begin a transaction that may write, waiting for the other writers at most ``patience`` seconds.

    The waits are drawn at random, so that processes that wait for one another fall out of step; SQLite's own would
    grow to 0.1 s. Who holds the ``Turn`` seldom waits at all.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is(error, _LOCKED) or time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(_random.uniform(*_WAITS))


def pseudonym(salt: bytes, user_id: str) -> str:
    """The salted hash under which an erasure is remembered."""
    return hmac.new(salt, user_id.encode(), hashlib.sha256).hexdigest()


@contextmanager
def failures_of(place: str) -> Iterator[None]:
    """Turns the failures of SQLite into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, place) from None


def translated(error: sqlite3.Error, place: str) -> AccordError:
    """Our error for one of SQLite's: the file is not a database, or it cannot be used now."""
    if _is(error, _STRANGE):
        return InputError(f"not a database, or a damaged one ({error})", place=place, remedy="Restore a backup.")
    remedy = "Try again." if _is(error, _LOCKED) else "Check the path, its permissions and the room on the disk."
    return StoreUnavailable(f"the store cannot be used now ({error})", place=place, remedy=remedy)


class Turn:
    """Whose turn it is to write, among the processes of a machine that share a store: a lock on a file beside it.

    SQLite's own lock is what keeps the data whole; but who waits for it has to ask again and again, and comes late.
    Here the system wakes the next one. The lock of a process that was killed is free.
    """

    def __init__(self, path: Path, place: str) -> None:
        try:
            self._file = path.with_name(f"{path.name}-turn").open("ab")
        except OSError as error:
            problem = f"the store cannot be used now ({error.strerror})"
            raise StoreUnavailable(problem, place=place, remedy="Check the folder and its permissions.") from None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn, and hold it."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Readers:
    """Connections for reading, as many as are in use at one moment; handed from thread to thread."""

    def __init__(self, path: Path, place: str, patience: float) -> None:
        self._path, self._place, self._patience = path, place, patience
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for this thread alone. Raises ``StoreUnavailable`` where the store is closed or fails."""
        if self._closed:
            raise StoreUnavailable("the store is closed", place=self._place)
        with failures_of(self._place):
            connection = self._take()
            try:
                yield connection
            except sqlite3.Error:
                connection.close()
                raise
            self._give(connection)

    def close(self) -> None:
        """Close what is idle now; the others are closed when they are given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return connect(self._path, self._patience)

    def _give(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self._closed:
            self.close()


def _is(error: sqlite3.Error, names: tuple[str, ...]) -> bool:
    """Whether the error is one of these, or a finer kind of one."""
    return getattr(error, "sqlite_errorname", "").startswith(names)
