"""Tombstones of erased people are purged once no version that could go live holds anything of theirs."""

from __future__ import annotations

from accord.core import columns as c
from accord.core.tables import names, read_table
from accord.data.store import Store
from accord.registry import Registry
from accord.study.snapshots import moment_of


def purge(registry: Registry, store: Store, before: float) -> int | None:
    """Forget tombstones from before a moment, unless a version still holds somebody who was erased: then None.

    A version that a rollback may bring back counts; it is gone when it is pruned.
    """
    return None if holding(registry, store) else store.purge_erasures(before)


def holding(registry: Registry, store: Store) -> list[str]:
    """The versions whose histories hold somebody who was erased after they were learned."""
    if not store.counts()["erasures"]:
        return []
    held: list[str] = []
    for version in registry.versions():
        users = names(read_table(registry.place(version.version) / "users.parquet"), c.USER).tolist()
        if any(store.erased(users, moment_of(registry.card(version.version)))):
            held.append(version.version)
    return held
