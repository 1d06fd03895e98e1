"""The living state of one worker: its store, the pipeline that answers, and the thread that keeps it up to date."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from threading import Event as Signal
from threading import Lock, Thread

import pyarrow as pa

from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.core.run import Run
from accord.data.store import open_store
from accord.data.store.base import StoreUnavailable
from accord.data.store.events import Event
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.wording import fitting
from accord.serve.changes import Changes
from accord.serve.current import STARTING, Current, Model, Settled, Target
from accord.serve.errors import ApiError
from accord.serve.growth import grown_with
from accord.serve.guard import Guards
from accord.serve.logs import Log, where
from accord.serve.memory import Remembered
from accord.serve.metrics import Metrics
from accord.serve.settings import ServeSettings
from accord.serve.versions import Versions

BATCH = 200
"""Items that are encoded and placed at a time, so that the first of many do not wait for the last."""
WARM = 10
"""Places of the list that a new pipeline makes before it answers: much is only made ready when first asked for."""
PAUSE = 1.0
"""Seconds after something went wrong."""


class Live:
    """What the routes ask. Requests read one reference; whatever changes it makes a new object and swaps it."""

    def __init__(self, settings: ServeSettings, metrics: Metrics, log: Log) -> None:
        self.settings, self.metrics, self.log = settings, metrics, log
        self.store = open_store(settings.store_url)
        self.run = Run(cache=None)
        self.versions = Versions(settings, log)
        self.guards = Guards(log, settings.budget, settings.failures, settings.pause)
        self.remembered = Remembered(settings.remembered)
        self.changes = Changes(self.store)
        self.caught_up = False
        """Whether everything that the store had at the start is in the answers."""
        self._current: Current | None = None
        self.refused: Target | None = None
        """What could not be used, until something else is to answer."""
        self.settled: Settled | None = None
        """What answers, when it last had all items that were posted."""
        self._erasures = 0
        self._rebuilt = (float("-inf"), -1)
        self._written = (0, 0)
        self._swap, self._wake, self._stop = Lock(), Signal(), Signal()
        self._thread = Thread(target=self._keep_up, name="accord-keeper", daemon=True)

    def start(self) -> None:
        """Begin to keep up; requests are answered once the first pipeline is there."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the store."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self.store.close()
        self.metrics.leave()

    def wait(self, seconds: float = 60.0) -> bool:
        """Wait until everything that the store had at the start is in the answers; says whether it is."""
        until = time.monotonic() + seconds
        while not self.caught_up and time.monotonic() < until:
            time.sleep(0.01)
        return self.caught_up

    @property
    def answering(self) -> str | None:
        """The version that answers; None while there is nothing to answer from."""
        return self._current.model.name if self._current is not None else None

    @property
    def _target(self) -> Target | None:
        return self._current.model.target if self._current is not None else None

    @property
    def schema(self) -> pa.Schema | None:
        """The columns of the trained catalogue, whose types posted items must fit; None before there is one."""
        current = self._current
        return None if current is None or current.model.name == STARTING else current.pipeline.data.items.schema

    @property
    def weights(self) -> dict[str, float]:
        """How much each kind of event counts."""
        return dict(self._current.model.weights) if self._current is not None else {}

    def current(self) -> tuple[Current, list[str]]:
        """What to answer from, with deletions up to this moment; and ``store`` where the store could not be asked.

        Raises ``ApiError`` (503) while there is nothing to answer from.
        """
        skipped = list[str]()
        try:
            self.changes.follow(self._hide)
        except StoreUnavailable:
            skipped.append("store")
        if self.versions.changed() or self.changes.waiting:
            self._wake.set()
        if self._current is None:
            remedy = "Post items, or ask again." if self.caught_up else "Ask again."
            raise ApiError(503, "starting", "nothing to recommend yet", remedy=remedy, headers={"Retry-After": "1"})
        return self._current, skipped

    def history(self, user: str) -> tuple[list[Event], bool]:
        """The newest events of a user, oldest first, and whether they are the store's or remembered."""
        try:
            with self.metrics.stage("history"):
                events = self.store.histories([user], self.settings.history)[0]
        except StoreUnavailable:
            return list(self.remembered.of(user)), False
        self.remembered.keep(user, events)
        return events, True

    def refresh(self) -> None:
        """Look for what is new now, not at the next look."""
        self._wake.set()

    def _hide(self) -> None:
        """Hide what was deleted, show what came back, forget who was erased."""
        with self._swap:
            if self._current is not None:
                self._current = self._current.without(self.changes.deleted)
        if self.changes.erasures != self._erasures:
            self._erasures = self.changes.erasures
            self.remembered.clear()

    def _put(self, model: Model) -> None:
        """Answer from another model from now on."""
        pipeline = model.pipeline
        replace(pipeline, guard=None).recommend(Queries.of([[], [0]]), min(WARM, pipeline.data.n_items))
        with self._swap:
            before = self.answering
            updated = model.delta is not None and model.target != self._target
            self._current = Current(model).without(self.changes.deleted)
        if updated and model.delta is not None:
            self.log.info("updated", version=model.name, number=model.delta.number, events=pipeline.fresh)
        if before != model.name:
            self.metrics.answers_from(model.name, before)
            self.log.info("answering", version=model.name, items=pipeline.data.n_items)
            self._warm_encoders(pipeline)
            _forget_what_stays()

    def _warm_encoders(self, pipeline: Pipeline) -> None:
        """Load what reads texts, which can take seconds: neither the first new item nor the first words shall wait."""
        with suppress(InputError):  # a pipeline may read no texts
            fitting(pipeline, "a", self.run)

    def _keep_up(self) -> None:
        while not self._stop.is_set():
            self._try(self._look)
            self._wake.wait(self.settings.delay)
            self._wake.clear()

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except StoreUnavailable:
            self.log.warning("store away")
            self._stop.wait(PAUSE)
        except Exception as error:  # the keeper must not end: it tries again at the next look
            self.log.error("not up to date", **where(error))
            self._stop.wait(PAUSE)

    def _look(self) -> None:
        """One look at what is new: versions, then the catalogue."""
        self.changes.follow(self._hide)
        target = self.versions.wanted()
        if target is None:
            self._rebuild()
        elif target not in (self._target, self.refused):
            self._load(target)
        if self._current is not None and self.changes.waiting:
            self._grow(self._current.model)
        self._settle()
        self._count()
        self.caught_up = True

    def _load(self, target: Target) -> None:
        """Read a version, bring it up to date, and let it answer; a bad one is refused until another one is live."""
        model = self.versions.load(target, self._current.model if self._current is not None else None)
        self.refused = target if model is None or model.target != target else None
        if model is not None:
            self.changes.again(model.reached.change)
            self._grow(replace(model, pipeline=replace(model.pipeline, guard=self.guards)))

    def _settle(self) -> None:
        """Only here, where nothing is taken and not yet placed."""
        change = self.changes.settled()
        if self._current is not None and change is not None:
            self.settled = Settled(self._current.model, change)

    def _grow(self, model: Model) -> None:
        """Place the items that wait, in batches, and let the model answer."""
        while items := self.changes.take(BATCH):
            try:
                pipeline = grown_with(model.pipeline, items, self.run, self.log)
            except BaseException:  # the items wait again; a new version need not wait for them
                self.changes.put_back(items)
                self._answer_from(model)
                raise
            model = replace(model, pipeline=pipeline)
            if model.target == self._target:
                self._put(model)
            self.metrics.waiting.set(self.changes.waiting)
        self._answer_from(model)

    def _answer_from(self, model: Model) -> None:
        """Let a version answer that does not yet."""
        if model.target != self._target:
            self._put(model)

    def _rebuild(self) -> None:
        """Make the starting pipeline anew where the store has changed and some time has passed."""
        made, rows = self._rebuilt
        if self._current is not None and time.monotonic() - made < self.settings.rebuild:
            return
        counts = self.store.counts()
        now = counts["events"] + self.changes.seen
        if counts["items"] and now != rows:
            model = self.versions.starting(self.store, self.run)
            self._rebuilt = (time.monotonic(), now)
            self._put(replace(model, pipeline=replace(model.pipeline, guard=self.guards)))

    def _count(self) -> None:
        """What this worker has written since the last look."""
        commits = self.store.commits()
        rows, transactions = self._written
        self.metrics.rows.inc(commits.rows - rows)
        self.metrics.commits.inc(commits.transactions - transactions)
        self._written = (commits.rows, commits.transactions)


def _forget_what_stays() -> None:
    """Look for garbage in cycles now, and from now on only among what is new.

    A look through all that stays, which Python takes when it likes, holds up every request for more than .1 s.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
