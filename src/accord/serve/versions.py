"""Which version is to answer, and how it is made ready."""

from __future__ import annotations

from dataclasses import replace

from accord.core.config import parse
from accord.core.errors import AccordError
from accord.core.run import Run
from accord.data.store import as_dataset
from accord.data.store.base import Store
from accord.pipeline.card import CARD
from accord.pipeline.starting import starting_pipeline
from accord.registry import Registry
from accord.serve.arrivals import Reached
from accord.serve.current import STARTING, Model, Target
from accord.serve.errors import ApiError
from accord.serve.logs import Log, where
from accord.serve.settings import ServeSettings


class Versions:
    """The registry as one worker sees it."""

    def __init__(self, settings: ServeSettings, log: Log) -> None:
        self.run, self.log = settings.run, log
        self.registry = Registry.beside(settings.run)
        self.deltas = self.registry.deltas
        self.updated = settings.update_every > 0
        self._stamps: object = None
        self._wanted: Target | None = None

    def changed(self) -> bool:
        """Whether the registry is another one than at the last look; two system calls."""
        return self._now() != self._stamps

    def wanted(self) -> Target | None:
        """What is to answer; None where there is no version. A run that was trained meanwhile is published.

        Where the registry cannot be read it stays what it was.
        """
        stamps = self._now()
        if stamps != self._stamps or self._wanted is None:
            try:
                self._publish()
                self._wanted = self._target()
            except AccordError as error:
                self.log.error("registry not readable", **where(error))
            self._stamps = stamps
        return self._wanted

    def _now(self) -> object:
        return self.registry.stamp(), self.deltas.stamp()

    def _target(self) -> Target | None:
        """The live version and its newest delta; one of another version, from before a swap, counts for nothing."""
        live = self.registry.live()
        return None if live is None else Target(live, self.deltas.newest(live) if self.updated else None)

    def _publish(self) -> None:
        if not self.registry.path.exists() and (self.run / CARD).exists():
            Registry.around(self.run)

    def load(self, target: Target, answering: Model | None) -> Model | None:
        """A version with its delta, checked and read; None, and said in the log, where it cannot be used.

        ``answering``: what answers now: of the same version only the delta is read. Where a delta cannot be used, the
        version answers without it, unless it answers already.
        """
        same = answering if answering is not None and answering.name == target.name else None
        plain = self._load(target.name, same)
        if plain is None or plain.base is None or target.delta is None:
            return plain
        try:
            pipeline, card = self.deltas.load(target.delta, plain.base)
            reached = parse(Reached, card.get("reached", {"number": None}), "reached")
            return replace(plain, pipeline=pipeline, delta=target.delta, reached=reached)
        except AccordError as error:
            self.log.error("update refused", version=target.name, number=target.delta.number, **where(error))
            return None if same is not None else plain

    def _load(self, name: str, same: Model | None) -> Model | None:
        """A version without a delta."""
        if same is not None and same.base is not None:
            return Model(name, same.base, same.weights, same.base)
        try:
            weights = self.registry.card(name).get("event_weights", {})
            base = self.registry.load(name)
        except AccordError as error:
            self.log.error("version refused", version=name, **where(error))
            return None
        return Model(name, base, weights, base)

    def starting(self, store: Store, run: Run) -> Model:
        """A model of what the store has, for the time before there is a trained one."""
        return Model(STARTING, starting_pipeline(as_dataset(store, needs_events=False), run))

    def need(self) -> Registry:
        """The registry. Raises ``ApiError`` (404) where there is none."""
        if not self.registry.path.exists():
            raise ApiError(404, "not_found", "there is no trained model yet", remedy="Train one: accord train.")
        return self.registry
