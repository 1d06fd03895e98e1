"""A budget for each source: one that fails or is too slow is left out of the answer, and left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Lock, Semaphore, local

from accord.core.roles import Scored
from accord.serve.logs import Log, where
from accord.serve.threads import Helpers

Tasks = Mapping[str, Callable[[], Scored]]


@dataclass
class Circuit:
    """How a source has done lately."""

    failed: int = 0
    """Failures in a row."""
    until: float = 0.0
    """It is left alone until this moment (monotonic seconds)."""
    hanging: int = 0
    """Calls that were given up and have not returned."""


class Guards:
    """The guard of every pipeline of one worker (``pipeline.sources.Guard``): it knows how each source did lately."""

    def __init__(self, log: Log, budget: float, failures: int, pause: float) -> None:
        self.log, self.budget, self.failures, self.pause = log, budget, failures, pause
        self.helpers = Helpers()
        self._floor = Semaphore(1)
        self._circuits: dict[str, Circuit] = {}
        self._lock = Lock()
        self._local = local()

    @contextmanager
    def turn(self) -> Generator[Turn]:
        """What this thread asks of a guarded pipeline meanwhile is one request's turn.

        One request at a time has it: several that compute at once pass the interpreter to and fro, and where many come
        together none gets on (70 a second: 12 ms of CPU each and 29 ms at most for 99 of 100, in place of 20 ms and
        3.6 s). Whoever has waited for one budget goes on, for a source may hang.
        """
        turn = Turn(self)
        alone = self._floor.acquire(timeout=self.budget)
        try:
            with self._during(turn.ask):
                yield turn
        finally:
            if alone:
                self._floor.release()

    @contextmanager
    def without(self, absent: Collection[str]) -> Generator[None]:
        """What this thread asks meanwhile is asked of all sources but these, without a budget; errors are raised."""
        with self._during(lambda tasks: {name: ask() for name, ask in tasks.items() if name not in absent}):
            yield

    @contextmanager
    def _during(self, ask: Callable[[Tasks], dict[str, Scored]]) -> Generator[None]:
        self._local.ask = ask
        try:
            yield
        finally:
            del self._local.ask

    def __call__(self, tasks: Tasks) -> dict[str, Scored]:
        """What the sources said in time; outside a turn nobody waits, and errors are raised."""
        ask: Callable[[Tasks], dict[str, Scored]] | None = getattr(self._local, "ask", None)
        return {name: task() for name, task in tasks.items()} if ask is None else ask(tasks)

    def open(self, name: str) -> bool:
        """Whether a source is to be left alone now; after its pause it is tried again, one failure from the next."""
        with self._lock:
            circuit = self._circuits.get(name)
            return circuit is not None and (circuit.hanging > 0 or time.monotonic() < circuit.until)

    def did_well(self, name: str) -> None:
        """A source answered in time."""
        if name in self._circuits:
            with self._lock:
                self._circuits[name].failed = 0

    def failed(self, name: str, *, hangs: bool = False) -> None:
        """A source raised, or its time ran out."""
        with self._lock:
            circuit = self._circuits.setdefault(name, Circuit())
            circuit.failed += 1
            circuit.hanging += hangs
            if circuit.failed >= self.failures:
                circuit.until = time.monotonic() + self.pause
                self.log.warning("source left alone", source=name, seconds=self.pause)

    def returned(self, name: str) -> None:
        """A call that was given up came back after all."""
        with self._lock:
            self._circuits[name].hanging -= 1


@dataclass
class Turn:
    """One request's way through the sources, which run one after another on a thread of their own.

    The caller waits; where a source is over its budget the caller gives that thread up, and another one goes on with
    the sources after it. A thread in a hanging call cannot be stopped: it ends when the call does.
    """

    guards: Guards
    skipped: list[str] = field(default_factory=list[str])
    """Sources left out, by name."""
    seconds: float = 0.0
    """Time that all sources took together."""

    def ask(self, tasks: Tasks) -> dict[str, Scored]:
        """What the sources said in time."""
        started = time.perf_counter()
        asked = {name: ask for name, ask in tasks.items() if not self.guards.open(name)}
        self.skipped += [name for name in tasks if name not in asked]
        said: dict[str, Scored] = {}
        while asked:
            errand = Errand(self.guards, asked)
            late = errand.wait()
            said |= errand.said
            self.skipped += errand.failed
            done = {*errand.said, *errand.failed}
            asked = {name: ask for name, ask in asked.items() if name not in done and name != late}
            self.skipped += [late] if late is not None else []
        self.seconds += time.perf_counter() - started
        return said


class Errand:
    """Some sources asked in turn by a helper while the caller watches the clock."""

    def __init__(self, guards: Guards, tasks: Tasks) -> None:
        self.guards, self.tasks = guards, tasks
        self.said: dict[str, Scored] = {}
        self.failed: list[str] = []
        self._changed = Condition()
        self._now: tuple[str, float] | None = None
        self._over = False
        guards.helpers.run(self._go)

    def wait(self) -> str | None:
        """Wait until all have answered, or one is over its budget: its name."""
        with self._changed:
            while not self._over:
                name, started = self._now or (None, time.monotonic())
                left = started + self.guards.budget - time.monotonic()
                if name is not None and left <= 0:
                    self._over = True
                    self.guards.failed(name, hangs=True)
                    return name
                self._changed.wait(max(left, 0.001))
        return None

    def _go(self) -> None:
        for name, ask in self.tasks.items():
            with self._changed:
                self._now = (name, time.monotonic())
            scored = self._answer(name, ask)
            with self._changed:
                if self._over:  # given up meanwhile: nobody waits for the rest
                    self.guards.returned(name)
                    return
                self._keep(name, scored)
        with self._changed:
            self._over = True
            self._changed.notify()

    def _keep(self, name: str, scored: Scored | None) -> None:
        if scored is None:
            self.failed.append(name)
            self.guards.failed(name)
        else:
            self.said[name] = scored
            self.guards.did_well(name)

    def _answer(self, name: str, ask: Callable[[], Scored]) -> Scored | None:
        try:
            return ask()
        except Exception as error:  # whatever a source raises, the others answer
            self.guards.log.warning("source failed", source=name, **where(error))
            return None
