"""A grown and updated pipeline as a small folder over the artefact it came from, which stays as it is.

::

    card.json, card.sha256   as of an artefact; ``base`` is the SHA-256 of the card of the artefact
    items.parquet            items that are new or edited, with their numbers
    users.parquet            new users
    events.parquet           new events
    parts/*.safetensors      learned arrays that have changed, and the encoded columns of these items
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from accord import __version__
from accord.core.arrays import Longs, Matrix
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, InputError
from accord.core.part import Part, State, pack, unpack
from accord.core.run import Run
from accord.core.state import file_digest, load_state, map_state, save_state
from accord.core.tables import read_table, write_table
from accord.pipeline.artefact import COLUMN, load
from accord.pipeline.card import CARD, read_card, verify, write_card
from accord.pipeline.columns import all_vectors
from accord.pipeline.growing import placed
from accord.pipeline.pipeline import FALLBACK, Pipeline
from accord.pipeline.splicing import spliced, spliced_rows

NUMBER = "number of the item"
"""The column of ``items.parquet`` that holds it."""


def save_delta(
    pipeline: Pipeline, base: Path, folder: Path, facts: dict[str, Any] | None = None, before: Pipeline | None = None
) -> None:
    """Write what the pipeline has beyond the artefact ``base`` that it was grown and updated from.

    ``before``: the base as it was loaded, where the caller has it: arrays that both share are not compared. The folder
    appears complete or not at all; one that is there is refused. Raises ``InputError`` where the pipeline did not come
    from that artefact.
    """
    if folder.exists():
        raise ArtefactError("something lies there", place=str(folder), remedy="Choose another folder.")
    before = load(base) if before is None else before
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        (fresh / "parts").mkdir(parents=True)
        numbers = _write_tables(pipeline.data, before.data, fresh)
        _write_columns(pipeline, numbers, fresh)
        dropped = _write_parts(pipeline, before, fresh)
        write_card(fresh, _facts(pipeline, base) | {"dropped": dropped} | (facts or {}))
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def load_delta(base: Path, folder: Path, before: Pipeline | None = None) -> Pipeline:
    """The pipeline that ``save_delta`` was given. Raises ``ArtefactError`` where either is altered, or not the other's.

    Arrays lie in the files of the base and the delta and are not read. ``before``: the base as it was loaded, where the
    caller has it; nothing of the base is read again then.
    """
    card = read_card(folder)
    verify(folder, card)
    if card.get("base") != _digest(base):
        raise ArtefactError(
            "made over another artefact", place=str(folder), value=str(base), remedy="Give the one it was made over."
        )
    pipeline = load(base) if before is None else before
    data = _read_tables(pipeline, folder)
    parts = {name: _read_part(name, part, folder, card) for name, part in _parts(pipeline).items()}
    return replace(
        pipeline,
        data=data,
        sources={name: parts[f"sources-{name}"] for name in pipeline.sources},
        heads={name: parts[f"heads-{name}"] for name in pipeline.heads},
        fallback=parts[f"sources-{FALLBACK}"],
        fresh=int(card["fresh"]),
    )


def without_events(pipeline: Pipeline, before: Pipeline, run: Run) -> Pipeline:
    """The base ``before`` with the items that the pipeline has beyond it, as it encoded them, and with no new event."""
    numbers = _changed(pipeline.data, before.data)
    rows = pipeline.data.items.take(pa.array(numbers, pa.int64()))
    known = all_vectors(before, run)
    return placed(before, rows, known, {name: pipeline.data.vector(name)[numbers] for name in known})


def _facts(pipeline: Pipeline, base: Path) -> dict[str, Any]:
    return {
        "accord": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": _digest(base),
        "order": pipeline.data.order,
        "fresh": pipeline.fresh,
    }


def _digest(base: Path) -> str:
    return file_digest(base / CARD)


def _parts(pipeline: Pipeline) -> dict[str, Part]:
    """Everything that may change, by the name of its file."""
    sources = {**pipeline.sources, FALLBACK: pipeline.fallback}
    named: dict[str, Part] = {f"sources-{name}": source for name, source in sources.items()}
    return named | {f"heads-{name}": head for name, head in pipeline.heads.items()}


def _write_parts(pipeline: Pipeline, before: Pipeline, folder: Path) -> dict[str, list[str]]:
    """Write the arrays that differ; returns the names of those that are gone, by part."""
    known, dropped = _parts(before), dict[str, list[str]]()
    if known.keys() != _parts(pipeline).keys():
        raise InputError("the pipeline has other parts than the artefact", value=sorted(_parts(pipeline)))
    for name, part in _parts(pipeline).items():
        old, new = known[name].state(), part.state()
        changed = {key: array for key, array in new.items() if key not in old or not _same(array, old[key])}
        if changed:
            save_state(_path(folder, name), changed)
        if gone := sorted(old.keys() - new.keys()):
            dropped[name] = gone
    return dropped


def _same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    return one is other or (one.dtype == other.dtype and np.array_equal(one, other))


def _read_part(name: str, part: Any, folder: Path, card: dict[str, Any]) -> Any:
    """A part of the base with the arrays that differ; itself where none does."""
    path, gone = _path(folder, name), set(card["dropped"].get(name, ()))
    if not path.exists() and not gone:
        return part
    changed: State = map_state(path) if path.exists() else {}
    kept = {key: array for key, array in part.state().items() if key not in gone}
    return type(part)(part.config).load_state(kept | changed)


def _write_tables(data: Dataset, before: Dataset, folder: Path) -> Longs:
    """Write the rows that differ; returns the numbers of the items among them."""
    n, users, events = before.n_items, before.n_users, before.n_events
    older = data.events.slice(0, events).select(before.events.column_names)
    if (
        data.n_items < n
        or data.item_ids[:n].tolist() != before.item_ids.tolist()
        or data.user_ids[:users].tolist() != before.user_ids.tolist()
        or not older.equals(before.events)
    ):
        raise InputError("the pipeline was not grown or updated from this artefact", place="base")
    numbers = _changed(data, before)
    rows = data.items.take(pa.array(numbers, pa.int64())).append_column(NUMBER, pa.array(numbers))
    write_table(rows, folder / "items.parquet")
    write_table(data.users.slice(users), folder / "users.parquet")
    write_table(data.events.slice(events).select(before.events.column_names), folder / "events.parquet")
    return numbers


def _changed(data: Dataset, before: Dataset) -> Longs:
    """The numbers of the items that are new or edited."""
    n = before.n_items
    return np.append(_edited(data.items.slice(0, n), before.items), np.arange(n, data.n_items))


def _edited(items: pa.Table, before: pa.Table) -> Longs:
    if items.equals(before):
        return np.empty(0, np.int64)
    pairs = zip(items.to_pylist(), before.to_pylist(), strict=True)
    return np.flatnonzero([one != other for one, other in pairs]).astype(np.int64)


def _write_columns(pipeline: Pipeline, numbers: Longs, folder: Path) -> None:
    for name, column in pipeline.data.vectors.items():
        if len(numbers):
            save_state(_path(folder, f"columns-{name}"), pack({COLUMN: column[numbers]}))


def _read_tables(pipeline: Pipeline, folder: Path) -> Dataset:
    data = pipeline.data
    rows = read_table(folder / "items.parquet")
    numbers = rows[NUMBER].to_numpy().astype(np.int64)
    places = np.where(numbers < data.n_items, numbers, -1)
    edited, new = places[places >= 0], numbers[places < 0]
    if not np.array_equal(new, data.n_items + np.arange(len(new))) or bool((numbers < 0).any()):
        raise ArtefactError(
            "numbers of items are missing", place=str(folder / "items.parquet"), remedy="Save it again."
        )
    vectors: dict[str, Matrix] = {}
    for name, column in data.vectors.items():
        path = _path(folder, f"columns-{name}")
        if path.exists():
            vectors[name] = spliced(column, edited, unpack(load_state(path), COLUMN, path.name), places)
        elif not len(numbers):
            vectors[name] = column
    items = spliced_rows(data.items, edited, rows.drop_columns([NUMBER]).cast(data.items.schema), places)
    grown = data.with_items(items, vectors)
    return grown.with_newest(read_table(folder / "events.parquet"), read_table(folder / "users.parquet"))


def _path(folder: Path, name: str) -> Path:
    return folder / "parts" / f"{name}.safetensors"
