"""What is done once, before any worker starts: the run is published, the store is made and filled."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from accord.core.errors import InputError
from accord.core.run import Run
from accord.data.store import Store, open_store, seed
from accord.data.store.seeding import SEEDED
from accord.pipeline.artefact import read_card
from accord.pipeline.card import CARD
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.placements import Placement, load_placements
from accord.registry import Registry
from accord.serve.keys import read_keys
from accord.serve.limits import RateLimit
from accord.serve.settings import ServeSettings
from accord.study.schedule import seconds_of


def prepare(settings: ServeSettings, run: Run, warn: Callable[[str], None] = lambda _: None) -> str | None:
    """Check everything that can be checked, publish the run, check the digest of the card, and fill an empty store.

    ``warn`` is told what looks wrong and does no harm. Returns the version that will answer; None where there is no
    trained model yet. Raises ``InputError`` or ``ArtefactError`` naming what is wrong.
    """
    settings.check_exposed()
    RateLimit(settings.rate)
    if settings.keys is not None:
        read_keys(settings.keys)
    if settings.refresh_every is not None:
        seconds_of(settings.refresh_every, "--refresh-every")
    placements = served_placements(settings)
    version = _published(settings)
    store = open_store(settings.store_url)
    try:
        fill = version is not None and _to_fill(store)
        if version is not None and (fill or placements):
            pipeline = Registry.beside(settings.run).load(version)
            _check_placements(placements, pipeline, warn)
            if fill:
                seed(store, pipeline.data, run)
    finally:
        store.close()
    return version


def served_placements(settings: ServeSettings) -> dict[str, Placement]:
    """The placements of the settings' file. Raises ``InputError`` where one asks for what a server does not do."""
    placements = load_placements(settings.placements) if settings.placements is not None else {}
    for name, placement in placements.items():
        if placement.version is not None:
            raise InputError(
                "a server answers every placement from the live version",
                place=f"--placements: placements.{name}.version",
                value=placement.version,
                remedy="Leave it out, or serve that version with a server of its own.",
            )
    return placements


def _check_placements(placements: Mapping[str, Placement], pipeline: Pipeline, warn: Callable[[str], None]) -> None:
    for name, placement in placements.items():
        try:
            notes = placement.check(pipeline)
        except InputError as error:
            place = f"--placements: placements.{name}.{error.place}"
            raise InputError(error.problem, place=place, remedy=error.remedy) from None
        for note in notes:
            warn(f"placement {name}: {note}")


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
