"""What is done once, before any worker starts: the run is published, the store is made and filled."""

from __future__ import annotations

import json

from accord.core.errors import InputError
from accord.core.run import Run
from accord.data.store import Store, open_store, seed
from accord.data.store.seeding import SEEDED
from accord.pipeline.artefact import read_card
from accord.pipeline.card import CARD
from accord.pipeline.placements import load_placements
from accord.registry import Registry
from accord.serve.keys import read_keys
from accord.serve.limits import RateLimit
from accord.serve.settings import ServeSettings


def prepare(settings: ServeSettings, run: Run) -> str | None:
    """Check everything that can be checked, publish the run, check the digest of the card, and fill an empty store.

    Returns the version that will answer; None where there is no trained model yet. Raises ``InputError`` or
    ``ArtefactError`` naming what is wrong.
    """
    settings.check_exposed()
    RateLimit(settings.rate)
    if settings.keys is not None:
        read_keys(settings.keys)
    if settings.placements is not None:
        load_placements(settings.placements)
    version = _published(settings)
    store = open_store(settings.store_url)
    try:
        if version is not None and _to_fill(store):
            seed(store, Registry.beside(settings.run).load(version).data, run)
    finally:
        store.close()
    return version


def _published(settings: ServeSettings) -> str | None:
    """The live version, its card checked; the run is published where the registry has not met it."""
    run = settings.run
    if run.exists() and not run.is_dir():
        raise InputError("not a folder", place="RUN", value=str(run), remedy="Name a trained pipeline or a registry.")
    if (run / CARD).exists():
        read_card(run)
        registry = Registry.around(run)
    else:
        registry = Registry.beside(run)
    version = registry.live()
    if version is not None:
        registry.card(version)
    return version


def _to_fill(store: Store) -> bool:
    """Whether the store is empty, or its filling was broken off."""
    text = store.meta(SEEDED)
    if text is not None:
        return not json.loads(text)["done"]
    counts = store.counts()
    return not any(counts[table] for table in ("events", "items", "users"))
