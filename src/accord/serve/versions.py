"""Which version is to answer, and how it is made ready."""

from __future__ import annotations

from accord.core.errors import AccordError
from accord.core.run import Run
from accord.data.store import as_dataset
from accord.data.store.base import Store
from accord.pipeline.card import CARD
from accord.pipeline.starting import starting_pipeline
from accord.registry import Registry
from accord.serve.current import STARTING, Model
from accord.serve.errors import ApiError
from accord.serve.logs import Log, where
from accord.serve.settings import ServeSettings


class Versions:
    """The registry as one worker sees it."""

    def __init__(self, settings: ServeSettings, log: Log) -> None:
        self.run, self.log = settings.run, log
        self.registry = Registry.beside(settings.run)
        self._stamp: object = None
        self._wanted: str | None = None

    def changed(self) -> bool:
        """Whether the registry is another one than at the last look; one system call."""
        return self.registry.stamp() != self._stamp

    def wanted(self) -> str | None:
        """The version that is to answer; None where there is none. A run that was trained meanwhile is published.

        Where the registry cannot be read the version stays what it was.
        """
        stamp = self.registry.stamp()
        if stamp != self._stamp or self._wanted is None:
            try:
                self._publish()
                self._wanted = self.registry.live()
            except AccordError as error:
                self.log.error("registry not readable", **where(error))
            self._stamp = stamp
        return self._wanted

    def _publish(self) -> None:
        if not self.registry.path.exists() and (self.run / CARD).exists():
            Registry.around(self.run)

    def load(self, name: str) -> Model | None:
        """A version, checked and read; None, and said in the log, where it cannot be used."""
        try:
            weights = self.registry.card(name).get("event_weights", {})
            return Model(name, self.registry.load(name), weights)
        except AccordError as error:
            self.log.error("version refused", version=name, **where(error))
            return None

    def starting(self, store: Store, run: Run) -> Model:
        """A model of what the store has, for the time before there is a trained one."""
        return Model(STARTING, starting_pipeline(as_dataset(store, needs_events=False), run))

    def need(self) -> Registry:
        """The registry. Raises ``ApiError`` (404) where there is none."""
        if not self.registry.path.exists():
            raise ApiError(404, "not_found", "there is no trained model yet", remedy="Train one: accord train.")
        return self.registry
