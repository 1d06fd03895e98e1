"""What every reader hands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from accord.core.errors import DataError
from accord.data.rejects import ROW, SCHEMA


@dataclass(frozen=True)
class Rows:
    """A source as it was read: simple column types only, and ``ROW``, each row's place counted from 1."""

    table: str
    """``events``, ``items``, ``users`` or ``links``."""
    place: str
    """The source as errors and rejects name it."""
    format: str
    frame: pl.DataFrame
    rejects: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCHEMA))
    ordered: bool = True
    """Whether the order of the rows can mean anything (a SQL table has none)."""
    dropped: tuple[str, ...] = ()
    """Columns that hold bytes and no text."""
    name: str = ""
    """Of links: the name of their table, where the source itself gives it."""

    @property
    def columns(self) -> list[str]:
        """The source's own column names."""
        return [name for name in self.frame.columns if name != ROW]


def simplified(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Columns as numbers, text, times, booleans and lists of text; and the names of the byte columns left out."""
    columns = {name: _simple(frame[name]) for name in frame.columns}
    dropped = tuple(name for name, column in columns.items() if column is None)
    return pl.DataFrame([column.alias(name) for name, column in columns.items() if column is not None]), dropped


def _simple(column: pl.Series) -> pl.Series | None:
    dtype = column.dtype
    if isinstance(dtype, pl.List | pl.Array):
        return _flat(column)
    if isinstance(dtype, pl.Binary):
        try:
            return column.cast(pl.String)
        except pl.exceptions.PolarsError:
            return None
    for kinds, convert in _SIMPLER:
        if isinstance(dtype, kinds):
            return convert(column)
    return column


def _flat(column: pl.Series) -> pl.Series | None:
    """Lists of anything as lists of text; a list of lists loses its inner brackets."""
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    inner = column.dtype.inner if isinstance(column.dtype, pl.List) else pl.Null()
    if isinstance(inner, pl.List | pl.Array):
        return _flat(column.list.eval(pl.element().list.explode(), parallel=False))
    if isinstance(inner, pl.Struct):
        return column.list.eval(pl.element().struct.json_encode())
    if isinstance(inner, pl.Binary):
        return None
    return column.cast(pl.List(pl.String), strict=False).list.drop_nulls()


_SIMPLER: tuple[tuple[tuple[type[pl.DataType], ...], Callable[[pl.Series], pl.Series]], ...] = (
    ((pl.Struct,), lambda column: column.struct.json_encode()),
    ((pl.Categorical, pl.Enum, pl.Null, pl.Time, pl.Object), lambda column: column.cast(pl.String)),
    ((pl.Decimal,), lambda column: column.cast(pl.Float64)),
    ((pl.Duration,), lambda column: column.dt.total_seconds(fractional=True)),
    ((pl.Int128, pl.UInt128, pl.UInt64), lambda column: column.cast(pl.Float64)),
)


def unreadable(place: str, problem: object, remedy: str | None = None) -> DataError:
    """The error for a source that cannot be read at all."""
    lines = str(problem).strip().splitlines() or ["unknown problem"]
    return DataError(f"cannot be read: {lines[0]}", place=place, remedy=remedy)
