"""What a store held when a refresh began, kept until it ends so that a killed one goes on with the same data."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from accord.core import columns as c
from accord.core.dataset import Dataset
from accord.core.errors import DataError
from accord.data.store import Store, as_dataset
from accord.data.store.limits import MAX_CONTEXT

OLDEST = 6 * 3600.0
"""A snapshot is taken anew where the one of a killed refresh is older than this, in seconds."""


@dataclass(frozen=True)
class Snapshot:
    """The data of a store at a moment."""

    data: Dataset
    moment: float
    """Seconds since 1970, just before the store was read; whoever was erased before is not in it."""


def take(folder: Path, store: Store, live: str, base: Dataset) -> Snapshot:
    """The snapshot that a killed refresh of the same live version left in ``folder``, or a new one, kept there.

    One that holds anybody who was erased since is not used. ``base``: the dataset whose schema it follows.
    """
    kept = _kept(folder, store, live)
    if kept is not None:
        return kept
    mark = folder / "snapshot.json"
    mark.unlink(missing_ok=True)
    moment = time.time()
    data = as_dataset(store, _with_event_columns(base, store))
    data.save(folder)
    mark.write_text(json.dumps({"moment": moment, "live": live}) + "\n", encoding="utf-8")
    return Snapshot(data, moment)


def holds_erased(store: Store, data: Dataset, since: float) -> bool:
    """Whether anybody in the data was erased at or after a moment."""
    return bool(store.counts()["erasures"]) and any(store.erased(data.user_ids.tolist(), since))


def moment_of(card: dict[str, Any]) -> float:
    """When the store was read that a version was learned from; 0 where it was not learned from a store."""
    return float(card.get("refresh", {}).get("snapshot", 0.0))


def _with_event_columns(base: Dataset, store: Store) -> Dataset:
    """The base as a model of the event columns too: an artefact keeps only those that its histories need."""
    has: Counter[str] = Counter()
    for batch in store.scan("events"):
        has[c.EVENT] += any(batch.column(c.EVENT).unique().to_pylist())
        has[c.VALUE] += batch.column(c.VALUE).null_count < batch.num_rows
        for text in batch.column("context").unique().to_pylist():
            has.update(list(json.loads(text)) if text else ())
    types = {c.EVENT: pa.string(), c.VALUE: pa.float64()}
    frequent = [name for name, count in has.most_common(MAX_CONTEXT + 2) if count]
    for name in frequent:
        if name not in base.events.column_names:
            nulls = pa.nulls(base.n_events, types.get(name, pa.string()))
            base = replace(base, events=base.events.append_column(name, nulls))
    return base


def _kept(folder: Path, store: Store, live: str) -> Snapshot | None:
    try:
        told = json.loads((folder / "snapshot.json").read_text(encoding="utf-8"))
        if told["live"] != live or time.time() - told["moment"] > OLDEST:
            return None
        snapshot = Snapshot(Dataset.load(folder), float(told["moment"]))
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return None
    return None if holds_erased(store, snapshot.data, snapshot.moment) else snapshot
