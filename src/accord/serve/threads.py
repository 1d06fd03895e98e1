"""Threads that nobody waits for at the end: a call that hangs must not keep a server from stopping."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread

IDLE = 16
"""Threads kept for the next job."""


class Helpers:
    """Runs jobs at once, each on a thread of its own: on one that is idle, or else on a new one."""

    def __init__(self, idle: int = IDLE) -> None:
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._free, self._lock, self._most = 0, Lock(), idle

    def run(self, job: Callable[[], None]) -> None:
        """Start a job, which must not raise."""
        with self._lock:
            idle = self._free > 0
            self._free -= idle
        if idle:
            self._jobs.put(job)
        else:
            Thread(target=self._work, args=(job,), name="accord-helper", daemon=True).start()

    def _work(self, job: Callable[[], None]) -> None:
        job()
        while self._stay():
            self._jobs.get()()

    def _stay(self) -> bool:
        with self._lock:
            stay = self._free < self._most
            self._free += stay
        return stay
