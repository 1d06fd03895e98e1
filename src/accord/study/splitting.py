"""From the words of the command line to splits of the log."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa

from accord.core import columns as c
from accord.core.arrays import Ints
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.run import Run
from accord.data import splits
from accord.data.holdout import Split
from accord.data.importer import import_data
from accord.data.link_splits import link_split
from accord.data.people import Target
from accord.data.settings import ImportSettings

SplitKind: TypeAlias = Literal["leave-last", "temporal", "random"]


class SplitSettings(Target):
    """How the log is cut. Links between people (``target = "users"``) are always cut at random."""

    split: SplitKind = "leave-last"
    """``leave-last``: each user's last event; ``temporal``: everything after a moment; ``random``: a tenth of pairs."""
    cuts: int = 1
    """Rolling cuts of a temporal split: the last so many tenths of the log are tested in turn."""
    train: str | None = None
    """Event file of an official split; then ``valid`` (may be absent) and ``test`` are files too."""
    valid: str | None = None
    """Its validation events."""
    test: str | None = None
    """Its test events."""
    cold_users: float | None = None
    """A share of the users of whom nothing is learned; each is asked for the last event, with the others as history."""
    cold_items: str | None = None
    """A fraction, or a file with one item id a line: these items are taken out of training altogether."""

    @property
    def kind(self) -> str:
        """The protocol in one word or two."""
        if self.target == "users":
            return "links"
        if self.train or self.test:
            return "given"
        if self.cold_items is not None:
            return f"cold items, {self.split}"
        return "cold users" if self.cold_users is not None else self.split


def make_splits(data: Dataset, settings: SplitSettings, run: Run) -> tuple[Dataset, list[Split]]:
    """The dataset (with the events of given files, where there are any) and its splits."""
    rng = run.rng("split")
    if settings.target == "users":
        return _links(data, settings, run)
    data = settings.of(data)
    if settings.train or settings.test or settings.valid:
        return _given(data, settings, run)
    if settings.cold_items is not None:
        base = "random" if settings.split == "random" or data.order == "none" else "leave-last"
        if settings.split == "temporal":
            raise InputError("cold items go with leave-last or random", place="--split", value="temporal")
        return data, splits.cold_items(data, _cold_items(data, settings.cold_items), rng, base)
    if settings.cold_users is not None:
        return data, splits.cold_users(data, settings.cold_users, rng)
    if settings.split == "temporal":
        return data, splits.temporal(data, cuts=settings.cuts)
    if settings.split == "random":
        return data, splits.random_split(data, rng)
    return data, splits.leave_last(data)


def read_ids(path: str, place: str) -> list[str]:
    """Ids of a file with one a line (plain or .gz). Raises ``InputError`` where it cannot be read."""
    try:
        raw = Path(path).read_bytes()
        text = (gzip.decompress(raw) if path.endswith(".gz") else raw).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InputError(f"not a readable text file ({error})", place=place, value=path) from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def item_numbers(data: Dataset, ids: list[str], place: str) -> Ints:
    """Numbers of item ids. Raises ``InputError`` naming the first unknown one."""
    unknown = [name for name in ids if name not in data.item_numbers]
    if unknown:
        raise InputError(
            f"{len(unknown)} of {len(ids)} items are not in the catalogue",
            place=place,
            value=unknown[0],
            remedy="One item id a line, as in the imported files.",
        )
    return np.array([data.item_numbers[name] for name in ids], dtype=np.int32)


def _cold_items(data: Dataset, value: str) -> Ints | float:
    try:
        share = float(value)
    except ValueError:
        share = math.nan  # as for a file of that name
    if math.isnan(share):
        return item_numbers(data, read_ids(value, "--cold-items"), "--cold-items")
    return share


def _links(data: Dataset, settings: SplitSettings, run: Run) -> tuple[Dataset, list[Split]]:
    """The people, and one split of the links between them. Raises ``InputError`` where another split is asked for."""
    plain = SplitSettings(target=settings.target, links=settings.links).model_dump()
    odd = [name for name, value in settings.model_dump().items() if value != plain[name] and value != "random"]
    if odd:
        remedy = "Leave the option out: a fifth of the links is drawn at random."
        raise InputError("links are split at random only", place=f"--{odd[0].replace('_', '-')}", remedy=remedy)
    data = settings.of(data)
    return data, link_split(data, run.rng("split"))


def _given(data: Dataset, settings: SplitSettings, run: Run) -> tuple[Dataset, list[Split]]:
    if not (settings.train and settings.test):
        raise InputError("an official split needs both --train and --test", value=settings.model_dump())
    files = {splits.TRAIN: settings.train, splits.VALID: settings.valid, splits.TEST: settings.test}
    logs = {part: _log(path, run) for part, path in files.items() if path}
    joined = _joined(data, list(logs.values()))
    parts = np.concatenate([np.full(log.n_events, part) for part, log in logs.items()])
    if joined.order == "time":  # a dataset's events run oldest first
        order = np.argsort(joined.event_times, kind="stable")
        joined = Dataset(joined.events.take(order.tolist()), joined.items, joined.users, joined.links, "time")
        parts = parts[order]
    return joined, splits.given(joined, parts, run.rng("split"))


def _log(path: str, run: Run) -> Dataset:
    imported = import_data(ImportSettings(events=(path,)), run)
    if imported.rejects.num_rows:
        run.progress.note(f"{path}: {imported.rejects.num_rows} rows were refused")
    return imported.dataset


def _joined(data: Dataset, logs: list[Dataset]) -> Dataset:
    """Events of the files alone, over the items and users of the dataset and the files."""
    items, users = data.items, data.users
    for log in logs:
        items = _with_new(items, c.ITEM, log.item_ids.tolist())
        users = _with_new(users, c.USER, log.user_ids.tolist())
    target = Dataset(data.events, items, users)
    clock = all(log.order == "time" for log in logs)
    parts = [_renumbered(log, target, clock=clock) for log in logs]
    events = pa.concat_tables(parts, promote_options="default")
    order = "time" if clock else "none" if data.order == "none" else "row"
    return Dataset(events, items, users, data.links, order)


def _with_new(table: pa.Table, key: str, ids: list[str]) -> pa.Table:
    known = set(table[key].to_pylist())
    new = [name for name in dict.fromkeys(ids) if name not in known]
    if not new:
        return table
    rows = pa.table({key: pa.array(new, table.schema.field(key).type)})
    return pa.concat_tables([table, rows], promote_options="default")


def _renumbered(log: Dataset, target: Dataset, *, clock: bool) -> pa.Table:
    users = np.array([target.user_numbers[name] for name in log.user_ids], dtype=np.int32)[log.event_users]
    items = np.array([target.item_numbers[name] for name in log.item_ids], dtype=np.int32)[log.event_items]
    others = [name for name in log.events.column_names if name not in (c.USER_NUMBER, c.ITEM_NUMBER)]
    kept = log.events.select(others if clock else [name for name in others if name != c.TIME])
    return kept.append_column(c.USER_NUMBER, pa.array(users)).append_column(c.ITEM_NUMBER, pa.array(items))
