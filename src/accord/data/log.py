"""Event sources fused into one log: typed, checked, ordered."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from accord.core import columns as c
from accord.core.dataset import Order
from accord.core.errors import DataError
from accord.data.kinds import MAX_ID, as_floats, as_text, bounded, ids, typed
from accord.data.naming import Named
from accord.data.rejects import ROW, first_reason, refused
from accord.data.settings import OrderChoice
from accord.data.times import Times, read_times

SOURCE = "__source"
"""The working column that holds the number of an event's source."""
_LARGEST = 3.4e38


@dataclass(frozen=True)
class Log:
    """All events, oldest first, ids still as text, with ``SOURCE`` and ``ROW``."""

    frame: pl.DataFrame
    order: Order
    why: str
    """Why this order, for the report."""
    rejects: list[pl.DataFrame]
    notes: dict[str, str]
    """How each column was read."""


def fused(sources: list[Named], choice: OrderChoice) -> Log:
    """One log of all sources. Raises ``DataError`` where ``--order time`` is asked for and a source has no times."""
    times = [read_times(source.rows.frame[c.TIME]) if c.TIME in source.origin else None for source in sources]
    order, why = _decided(sources, times, choice)
    cleaned = [_cleaned(s, t if order == "time" else None) for s, t in zip(sources, times, strict=True)]
    notes = {name: note for part in cleaned for name, note in part.notes.items()}
    if order == "time":
        kinds = dict.fromkeys(t.read_as for t in times if t is not None)
        notes[c.TIME] = f"read as {', '.join(str(kind) for kind in kinds)}"
    elif any(t is not None for t in times):
        notes[c.TIME] = "not kept, as the events are not ordered by time"
    numbered = [p.frame.with_columns(pl.lit(n, pl.UInt16).alias(SOURCE)) for n, p in enumerate(cleaned)]
    frame = pl.concat(_alike(numbered), how="diagonal")
    if order == "time":
        frame = frame.sort(c.TIME, maintain_order=True)
    return Log(frame, order, why, [part.rejects for part in cleaned], notes)


def _decided(sources: list[Named], times: list[Times | None], choice: OrderChoice) -> tuple[Order, str]:
    empty = all(source.rows.frame.is_empty() for source in sources)
    clockless = [
        source.rows
        for source, read in zip(sources, times, strict=True)
        if (read is None or read.read_as is None) and (empty or source.rows.frame.height)
    ]
    if choice in ("row", "none"):
        return choice, f"asked for by --order {choice}"
    if not clockless:
        return "time", "every event source has a column of times that can be read"
    if choice == "time":
        raise DataError(
            "there is no column of times that can be read",
            place=clockless[0].place,
            value=clockless[0].columns,
            remedy="Name it with --map timestamp=COLUMN, or give --order row or --order none.",
        )
    if len(clockless) < len(sources):
        return "none", f"some sources have times and {clockless[0].place} has none"
    if not all(rows.ordered for rows in clockless):
        return "none", "there are no times, and the rows of a SQL table have no order"
    return "row", "there are no times: the order of the rows within a user is taken for the order in time"


@dataclass(frozen=True)
class _Clean:
    frame: pl.DataFrame
    rejects: pl.DataFrame
    notes: dict[str, str]


def _cleaned(source: Named, times: Times | None) -> _Clean:
    raw = source.rows.frame
    core = {ROW: raw[ROW], c.USER: ids(raw[c.USER]), c.ITEM: ids(raw[c.ITEM])}
    notes = {c.USER: "id", c.ITEM: "id"}
    if times is not None:
        core[c.TIME] = times.seconds
    if c.EVENT in raw.columns:
        core[c.EVENT], notes[c.EVENT] = ids(raw[c.EVENT]).str.slice(0, MAX_ID), "kind of event"
    if c.VALUE in raw.columns:
        core[c.VALUE], notes[c.VALUE] = as_floats(raw[c.VALUE]), "number"
    if c.TEXT in raw.columns:
        core[c.TEXT], notes[c.TEXT] = bounded(as_text(raw[c.TEXT], "\n")), "text"
    frame = pl.DataFrame([values.alias(name) for name, values in core.items()])
    reason = first_reason(_with_raw(frame, raw), _checks(frame))
    rejects = refused(raw, reason, source.rows.table, source.rows.place)
    good = reason.is_null()
    context = {name: typed(raw[name].filter(good)) for name in source.origin if name not in {*core, c.TIME}}
    notes |= {name: read.note for name, read in context.items()}
    frame = frame.filter(good).with_columns(read.values.alias(name) for name, read in context.items())
    if c.VALUE in core:
        frame = frame.with_columns(pl.col(c.VALUE).cast(pl.Float32))
    return _Clean(frame, rejects, notes)


def _with_raw(frame: pl.DataFrame, raw: pl.DataFrame) -> pl.DataFrame:
    """Beside each value whether the source had one at all, to tell an unreadable value from a missing one."""
    if c.VALUE not in frame.columns:
        return frame
    given = raw[c.VALUE]
    blank = given.str.strip_chars() == "" if given.dtype == pl.String else pl.Series([False])
    return frame.with_columns((given.is_not_null() & ~blank.fill_null(value=False)).alias("__given"))


def _checks(frame: pl.DataFrame) -> list[tuple[str, pl.Expr]]:
    checks = [(f"{name} is missing", pl.col(name).is_null()) for name in (c.USER, c.ITEM)]
    checks += [
        (f"{name} is longer than {MAX_ID} characters", pl.col(name).str.len_chars() > MAX_ID)
        for name in (c.USER, c.ITEM)
    ]
    if c.TIME in frame.columns:
        checks.append(("timestamp is missing, or not in the unit of its column", pl.col(c.TIME).is_null()))
    if c.VALUE in frame.columns:
        checks.append(("value is not a number", pl.col("__given") & pl.col(c.VALUE).is_null()))
        checks.append(("value is not finite", ~pl.col(c.VALUE).is_finite() | (pl.col(c.VALUE).abs() > _LARGEST)))
    return checks


def _alike(parts: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """The same type for a column in every source: numbers widen, anything else that differs becomes text."""
    dtypes: dict[str, set[pl.DataType]] = {}
    for part in parts:
        for name, dtype in part.schema.items():
            dtypes.setdefault(name, set()).add(dtype)
    mixed = {name: kinds for name, kinds in dtypes.items() if len(kinds) > 1}
    return [
        part.with_columns(_same(part[name], mixed[name]) for name in part.columns if name in mixed) for part in parts
    ]


def _same(column: pl.Series, kinds: set[pl.DataType]) -> pl.Series:
    if all(kind.is_numeric() for kind in kinds):
        return column.cast(pl.Float64)
    return (
        column.cast(pl.List(pl.String)).list.join("|") if isinstance(column.dtype, pl.List) else column.cast(pl.String)
    )
