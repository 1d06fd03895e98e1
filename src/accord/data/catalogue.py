"""Item and user tables: typed, one row an id, with numbers imputed and standardised beside the raw ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import polars as pl

from accord.core import columns as c
from accord.data.kinds import MAX_ID, Typed, as_text, bounded, ids, prices, typed
from accord.data.naming import Named
from accord.data.rejects import first_reason, refused
from accord.data.times import read_times


@dataclass(frozen=True)
class Facts:
    """A table of items or users, ids as text and in the order of the file."""

    frame: pl.DataFrame
    rejects: list[pl.DataFrame] = field(default_factory=list[pl.DataFrame])
    notes: dict[str, str] = field(default_factory=dict[str, str])
    numbers: tuple[str, ...] = ()
    """The numeric columns."""

    def without(self, key: str, gone: pl.Series) -> Facts:
        """Without the rows of some ids."""
        return replace(self, frame=self.frame.filter(~pl.col(key).is_in(gone.implode())))


def read_facts(source: Named, key: str) -> Facts:
    """Clean a table: rows without an id, and repeated ids after the first, are refused."""
    raw = source.rows.frame
    keys = ids(raw[key]).alias(key)
    reason = first_reason(
        pl.DataFrame([keys]),
        [
            (f"{key} is missing", pl.col(key).is_null()),
            (f"{key} is longer than {MAX_ID} characters", pl.col(key).str.len_chars() > MAX_ID),
            (f"{key} was given before", ~pl.col(key).is_first_distinct()),
        ],
    )
    good = reason.is_null()
    columns = {name: read_fact(raw[name].filter(good)) for name in source.origin if name != key}
    frame = pl.DataFrame([keys.filter(good), *(read.values.alias(name) for name, read in columns.items())])
    notes = {key: "id"} | {name: read.note for name, read in columns.items()}
    numbers = tuple(name for name, read in columns.items() if read.note == "number")
    return Facts(frame, [refused(raw, reason, source.rows.table, source.rows.place)], notes, numbers)


def read_fact(column: pl.Series) -> Typed:
    """A column of facts in the type that its name and values ask for."""
    if column.name == c.PRICE:
        return Typed(prices(column), "number")
    if column.name == c.AVAILABLE_AT:
        times = read_times(column)
        return Typed(times.seconds, f"read as {times.read_as or 'time, without success'}")
    if column.name in (c.TITLE, c.DESCRIPTION, c.IMAGE):
        return Typed(bounded(as_text(column, "\n")), "text")
    return typed(column)


def extended(facts: Facts, key: str, more: pl.Series) -> Facts:
    """With a row of nulls for each id that only the events name, and the numbers standardised over all rows."""
    new = pl.DataFrame([more.alias(key)]).join(facts.frame.select(key), on=key, how="anti", maintain_order="left")
    frame = pl.concat([facts.frame, new], how="diagonal")
    taken = set(frame.columns)
    for name in facts.numbers:
        frame = frame.with_columns(_standardised(frame[name], taken))
    notes = facts.notes | {name: _added(name, frame) for name in facts.numbers}
    return replace(facts, frame=frame, notes=notes)


def _standardised(column: pl.Series, taken: set[str]) -> list[pl.Series]:
    """``NAME_z`` (missing ones at the median; mean 0, deviation 1) and, where any is missing, ``NAME_missing``."""
    numbers = column.cast(pl.Float64)
    filled = numbers.fill_null(numbers.median() if numbers.count() else 0.0)
    spread = filled.std(ddof=0)
    scaled = (filled - filled.mean()) / spread if isinstance(spread, float) and spread > 0 else filled * 0.0
    added = [scaled.cast(pl.Float32).alias(f"{column.name}_z")]
    if numbers.null_count():
        added.append(numbers.is_null().alias(f"{column.name}_missing"))
    return [series for series in added if series.name not in taken]


def _added(name: str, frame: pl.DataFrame) -> str:
    added = [extra for extra in (f"{name}_z", f"{name}_missing") if extra in frame.columns]
    return f"number; {' and '.join(added)} added" if added else "number"
