"""Group commit: one thread writes what all others ask for, as many requests in one transaction as have gathered."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from accord.data.store.base import StoreUnavailable
from accord.data.store.connections import Turn, begin, connect, translated
from accord.data.store.events import Commits

T = TypeVar("T")

MOST_ROWS = 20_000
"""Rows after which a transaction takes no further request: the others wait no longer than these take."""
ANSWERS = 6.0
"""How many times its patience for a lock a request waits for its answer, behind others and on a slow disk."""
MOST_WAITING = 10_000
"""Requests that may wait; more are refused with ``StoreUnavailable``."""


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    rows: int
    answer: Future[Any] = field(default_factory=Future[Any])


class Writer:
    """The one writer of a process. Each request is answered only after the commit that holds it."""

    def __init__(self, path: Path, place: str, patience: float) -> None:
        self._place, self._patience = place, patience
        self._turn = Turn(path, place)
        self._connection = connect(path, 0.0)  # ``begin`` waits in its own way
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._rows = self._transactions = 0
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="accord-store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], T], rows: int = 1) -> Future[T]:
        """Have ``work(connection)`` done within a transaction.

        It may be done twice, where another request of the same transaction fails. ``rows``: how many it writes, about.
        """
        job = _Job(work, rows)
        with self._closing:  # after the last job there is none
            if self._closed:
                raise StoreUnavailable("the store is closed", place=self._place)
            if self._jobs.qsize() >= MOST_WAITING:
                raise StoreUnavailable(f"{MOST_WAITING} requests wait", place=self._place, remedy="Try again.")
            self._jobs.put(job)
        return job.answer

    def run(self, work: Callable[[sqlite3.Connection], T], rows: int = 1) -> T:
        """The result of ``work``, after the commit. Raises ``StoreUnavailable`` where that takes far too long."""
        answer = self.submit(work, rows)
        try:
            return answer.result(ANSWERS * self._patience)
        except TimeoutError:
            answer.cancel()
            raise StoreUnavailable("the store does not answer", place=self._place, remedy="Try again.") from None

    def commits(self) -> Commits:
        """Rows and transactions so far."""
        return Commits(self._rows, self._transactions)

    def close(self) -> None:
        """Write what waits, and end."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()
        self._connection.close()
        self._turn.close()

    def _serve(self) -> None:
        last = False
        while not last:
            jobs, last = self._gathered()
            batch = [job for job in jobs if job.answer.set_running_or_notify_cancel()]
            if batch:
                self._answer(batch)

    def _gathered(self) -> tuple[list[_Job], bool]:
        """Wait for a job; take those that have gathered behind it. True where there will be no more."""
        batch: list[_Job] = []
        rows = 0
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            rows += job.rows
            if rows >= MOST_ROWS:
                return batch, False
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _answer(self, batch: list[_Job]) -> None:
        try:
            with self._turn.taken():
                results = self._commit(batch)
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, sqlite3.OperationalError):
                for job in batch:  # one of them is to blame; the others shall not suffer
                    self._answer([job])
                return
            told = translated(error, self._place) if isinstance(error, sqlite3.OperationalError) else error
            for job in batch:
                job.answer.set_exception(told)
        else:
            for job, result in zip(batch, results, strict=True):
                job.answer.set_result(result)

    def _commit(self, batch: list[_Job]) -> list[Any]:
        begin(self._connection, self._patience)
        try:
            results = [job.work(self._connection) for job in batch]
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._rows += sum(job.rows for job in batch)
        self._transactions += 1
        return results
