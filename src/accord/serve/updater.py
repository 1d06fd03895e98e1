"""The one updater: lets the sources that count learn from the events that arrived, and publishes that as a delta."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event as Signal
from threading import Thread

import numpy as np
import pyarrow as pa

from accord.core import columns as c
from accord.core.run import Run
from accord.core.tables import names
from accord.data.store.base import Store, StoreUnavailable
from accord.pipeline.delta import without_events
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.updating import update
from accord.registry.durable import locked_at_once
from accord.serve.arrivals import Arrived, Reached, arrived
from accord.serve.current import Model, Target
from accord.serve.live import Live
from accord.serve.logs import where

PATIENCE = 30.0
"""Seconds to wait until the items that were posted are placed."""
CHANGES = 1_000
"""Changes of the catalogue that are read at a time."""


@dataclass(frozen=True)
class Begun:
    """Where an update goes on from."""

    since: Reached
    anew: bool
    """Whether from the version as it was fitted: what was learned since counts no longer."""


class Updater:
    """Makes deltas while its process holds the lock; in all others it waits until the holder has died.

    Requests go on with the old delta until every worker has read the new one, as after a swap of versions.
    """

    def __init__(self, live: Live, every: float) -> None:
        self.live, self.every = live, every
        self.deltas = live.versions.deltas
        self._followed: tuple[Target, Reached] | None = None
        self._stop = Signal()
        self._thread = Thread(target=self._work, name="accord-updater", daemon=True)

    def start(self) -> None:
        """Begin, unless updates are off."""
        if self.every:
            self._thread.start()

    def stop(self) -> None:
        """End after what is under way; waits for it a while."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def once(self) -> bool:
        """One update, where there is anything to learn; says whether a delta was published. Only under the lock."""
        name = self.live.versions.registry.live()
        self.deltas.discard(name)
        model = self._ready(name)
        if model is None or model.base is None:
            return False
        started, moment = time.perf_counter(), time.time()
        change = self.live.store.last_change()
        begun = self._begun(model)
        read = arrived(self.live.store, begun.since, model.base.data if begun.anew else None)
        reached = Reached(number=read.number, mark=read.mark, change=change, moment=moment)
        grown = self._settled(self.live.store.last_change())
        if grown is None or grown.target != model.target:  # another version went live meanwhile
            return False
        published = self._published(grown, model.base, begun, read, reached)
        self.live.metrics.until.set(moment)
        if published:
            self.live.metrics.updates.observe(time.perf_counter() - started)
        return published

    def _published(self, model: Model, base: Pipeline, begun: Begun, read: Arrived, reached: Reached) -> bool:
        """The delta of these events; none where there is nothing to learn, nor to forget."""
        events = _on_known(read.events, model.pipeline)
        forgets = begun.anew and model.delta is not None
        if not events.num_rows and not forgets:
            self._followed = (model.target, reached)
            return False
        run = Run(cache=None)
        start = without_events(model.pipeline, base, run) if forgets else model.pipeline
        updated = update(start, events, run)
        delta = self.deltas.publish(updated, model.name, base, {"reached": reached.model_dump()})
        self._followed = (Target(model.name, delta), reached)
        self.live.metrics.updated.inc(events.num_rows)
        self.live.log.info("update published", version=model.name, number=delta.number, events=events.num_rows)
        self.live.refresh()
        return True

    def _ready(self, name: str | None) -> Model | None:
        """What answers, where that is the newest there is; None while this worker has yet to read it."""
        settled = self.live.settled
        if settled is None or name is None or settled.model.name != name:
            return None
        newest = Target(name, self.deltas.newest(name))
        return settled.model if newest in (settled.model.target, self.live.refused) else None

    def _begun(self, model: Model) -> Begun:
        """After what was followed; anew where the store is another one by now, or somebody in the delta was erased."""
        followed = self._followed
        known = followed is not None and followed[0] == model.target
        since = followed[1] if followed is not None and known else model.reached
        if not known and model.delta is None:
            return Begun(Reached(), anew=True)
        gone = not since.holds(self.live.store) or _erased(self.live.store, model, since)
        return Begun(Reached(), anew=True) if gone else Begun(since, anew=False)

    def _settled(self, change: int) -> Model | None:
        """What answers, once it has the items that were posted up to a change: their events may be among those read."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not self._stop.is_set():
            settled = self.live.settled
            if settled is not None and settled.change >= change:
                return settled.model
            self.live.refresh()
            self._stop.wait(0.05)
        return None

    def _work(self) -> None:
        while not self._stop.wait(self.every):
            if self.live.versions.registry.path.exists():
                with locked_at_once(self.deltas.lock) as mine:
                    if mine:
                        self.live.log.info("updating")
                        self._hold()

    def _hold(self) -> None:
        """Update again and again, until this process ends."""
        while True:
            try:
                self.once()
            except StoreUnavailable:
                self.live.log.warning("store away")
            except Exception as error:  # whatever it is, the next update may go well
                self.live.log.error("no update", **where(error))
            if self._stop.wait(self.every):
                return


def _on_known(events: pa.Table, pipeline: Pipeline) -> pa.Table:
    """Events on items that the pipeline knows; the others count from the next refresh."""
    numbers = pipeline.data.item_numbers
    return events.filter(pa.array([name in numbers for name in names(events, c.ITEM)], pa.bool_()))


def _erased(store: Store, model: Model, since: Reached) -> bool:
    """Whether anybody of whom the delta holds an event was erased since."""
    if model.base is None or not _any_erasure(store, since.change):
        return False
    data = model.pipeline.data
    users = np.unique(data.event_users[model.base.data.n_events :])
    return any(store.erased(data.user_ids[users].tolist(), since.moment))


def _any_erasure(store: Store, change: int) -> bool:
    while changes := store.changes(change, CHANGES):
        if any(one.kind == "erase" for one in changes):
            return True
        change = changes[-1].number
    return False
