"""How a job runs: seed, threads, progress, caches. Never part of a configuration's hash."""

from __future__ import annotations

import os
import resource
import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import platformdirs

from accord.core.checkpoint import Checkpoint
from accord.core.part import State

T = TypeVar("T")


class Progress(Protocol):
    """Shows how far a job is; the command line draws bars, a library user sees nothing."""

    def note(self, text: str) -> None:
        """Say one line."""
        ...

    def track(self, items: Iterable[T], text: str, total: int | None = None) -> Iterator[T]:
        """Yield the items while showing how many are done."""
        ...


class Silent:
    """Progress that shows nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def track(self, items: Iterable[T], text: str, total: int | None = None) -> Iterator[T]:
        """Yield the items."""
        yield from items


@dataclass(frozen=True)
class Timing:
    """What one step cost: wall and CPU seconds, and the process's peak memory so far in MiB."""

    step: str
    seconds: float
    cpu_seconds: float
    peak_mib: float


def default_cache() -> Path:
    """Where encoded content and fetched data are kept (``ACCORD_CACHE`` or the platform's cache folder)."""
    return Path(os.environ.get("ACCORD_CACHE") or platformdirs.user_cache_dir("accord"))


@dataclass(frozen=True)
class Run:
    """Settings of one job, and the record of what its steps cost."""

    seed: int = 0
    cache: Path | None = field(default_factory=default_cache)
    progress: Progress = field(default_factory=Silent)
    timings: list[Timing] = field(default_factory=list[Timing])
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    """Where finished steps are kept, so that a killed job goes on; nowhere by default."""
    device: str = "auto"
    """Where torch models are trained: ``cpu``, ``cuda``, ``cuda:1``; ``auto``: a GPU where there is one."""
    track: str | None = None
    """Where the figures of each epoch go beside the progress bar: ``tensorboard:FOLDER``, ``mlflow:ADDRESS`` or
    ``wandb:PROJECT``."""

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator of its own for each purpose, so that adding one use never shifts another."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """Time a step and note it."""
        self.progress.note(name)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.timings.append(Timing(name, time.perf_counter() - wall, time.process_time() - cpu, peak_mib()))

    def keep(
        self,
        kind: str,
        parts: tuple[Any, ...],
        make: Callable[[], T],
        write: Callable[[T], State],
        read: Callable[[State], T],
        spent: float = 0.0,
    ) -> T:
        """A finished step of an interrupted job with the same seed, or ``make()``; see ``Checkpoint.keep``."""
        return self.checkpoint.keep(kind, (self.seed, *parts), make, write, read, spent)

    def keep_facts(self, kind: str, parts: tuple[Any, ...], make: Callable[[], T]) -> T:
        """As ``keep`` for a result that JSON can hold."""
        return self.checkpoint.keep_facts(kind, (self.seed, *parts), make)


def peak_mib() -> float:
    """Peak resident memory of this program so far, in MiB.

    What ``getrusage`` tells begins with the memory of the process that started this one; Linux tells the program's own.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = list[str]()
    own = (int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
    return next(own, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
