"""What a job has cost, the attempts that were killed included."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from accord.core.run import peak_mib

PERIOD = 0.5
"""Seconds between two notes: the most that a kill can hide."""
NOTHING = {"seconds": 0.0, "cpu_seconds": 0.0, "peak_mib": 0.0, "killed": 0}


class Meter:
    """Notes twice a second what this process has cost since the meter was entered, for whoever goes on after a kill.

    ``before`` is what earlier attempts at the same job cost together: ``seconds``, ``cpu_seconds``, ``peak_mib``, and
    how many were ``killed``. The file belongs to the job named by ``digest``; another's is not counted.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path, self.digest = path, digest
        self.before = self._earlier()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> Meter:
        self._started, self._cpu = time.perf_counter(), time.process_time()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._note()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._note()

    def _go_on(self) -> None:
        while not self._over.wait(PERIOD):
            self._note()

    def _note(self) -> None:
        spent = {
            "seconds": self.before["seconds"] + time.perf_counter() - self._started,
            "cpu_seconds": self.before["cpu_seconds"] + time.process_time() - self._cpu,
            "peak_mib": max(self.before["peak_mib"], peak_mib()),
            "killed": self.before["killed"] + 1,
        }
        fresh = self.path.with_name(f".{self.path.name}.new")
        fresh.write_text(json.dumps({"job": self.digest, "spent": spent}), encoding="utf-8")
        fresh.replace(self.path)

    def _earlier(self) -> dict[str, Any]:
        if not self.path.exists():
            return NOTHING
        noted = json.loads(self.path.read_text(encoding="utf-8"))
        return noted["spent"] if noted["job"] == self.digest else NOTHING
