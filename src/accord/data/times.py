"""Clock times in whatever unit a column has them: detected once a column, and stated."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

_UNITS = (("seconds", 1e11, 1.0), ("milliseconds", 1e14, 1e3), ("microseconds", 1e17, 1e6), ("nanoseconds", None, 1e9))
"""Name, the size below which a number is in this unit (year 5138 as seconds is 1973 as milliseconds), and divisor."""
_SAMPLE = 2_000
_ISO = "%Y-%m-%dT%H:%M:%S%.f%z"


@dataclass(frozen=True)
class Times:
    """A column read as time."""

    seconds: pl.Series
    """``Float64[n]``: seconds since 1970 UTC, null where missing or unreadable."""
    read_as: str | None
    """``seconds``, ``milliseconds``, ..., ``ISO 8601``; None where less than half of the values can be read."""


def read_times(column: pl.Series) -> Times:
    """Read a column as time: numbers by their size, text as numbers or ISO 8601 (UTC where it says no zone)."""
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime | pl.Date):
        seconds = column.cast(pl.Datetime("us")).dt.timestamp("us").cast(pl.Float64) / 1e6
        return Times(seconds, "dates and times")
    if dtype.is_numeric():
        return _judged(column, *_numbers(column.cast(pl.Float64)))
    if not isinstance(dtype, pl.String):
        return Times(pl.Series(column.name, [None] * column.len(), dtype=pl.Float64), None)
    text = column.str.strip_chars()
    numbers = text.cast(pl.Float64, strict=False)
    if numbers.count() * 2 >= text.count():
        return _judged(column, *_numbers(numbers))
    return _judged(column, _iso(text), "ISO 8601")


def _judged(column: pl.Series, seconds: pl.Series, read_as: str) -> Times:
    enough = seconds.count() > 0 and seconds.count() * 2 >= column.count()
    return Times(seconds.alias(column.name), read_as if enough else None)


def _numbers(numbers: pl.Series) -> tuple[pl.Series, str]:
    """Seconds by the unit that the median speaks for; numbers of another unit's size become null."""
    finite = numbers.set(~numbers.is_finite().fill_null(value=False), None)
    middle = finite.abs().median()
    typical = float(middle) if isinstance(middle, int | float) else 0.0
    dates = _compact_dates(finite)
    if dates is not None:
        return dates
    name, below, divisor = next(unit for unit in _UNITS if unit[1] is None or typical < unit[1])
    above = 0.0 if name == "seconds" else next(b for n, b, _ in _UNITS if b and b * 1e3 == (below or 1e20))
    fits = (finite.abs() >= above) & (finite.abs() < (below or 1e20))
    return finite.set(~fits.fill_null(value=False), None) / divisor, name


def _compact_dates(numbers: pl.Series) -> tuple[pl.Series, str] | None:
    """Numbers that are all written as 19970920, or all as years, read as dates."""
    present = numbers.drop_nulls()
    for low, high, form, name in ((1900, 2100, "%Y%m%d", "years"), (19000101, 21001231, "%Y%m%d", "YYYYMMDD")):
        if present.len() and present.is_between(low, high).all() and (present == present.round()).all():
            written = numbers.cast(pl.Int64).cast(pl.String)
            if name == "years":
                written = written + "0101"
            dates = written.str.to_date(form, strict=False)
            if dates.count() == present.len():
                return dates.cast(pl.Datetime("us")).dt.timestamp("us").cast(pl.Float64) / 1e6, name
    return None


def _iso(text: pl.Series) -> pl.Series:
    """Seconds of ISO 8601 text; one form is tried on all rows first, the others only where it failed."""
    sample = text.drop_nulls().head(_SAMPLE)
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        if sample.str.to_datetime(form, strict=False, time_unit="us").count() == sample.len():
            quick = _epoch(text.str.to_datetime(form, strict=False, time_unit="us"))
            left = quick.is_null() & text.is_not_null()
            return quick if not left.any() else quick.zip_with(~left, _any_iso(text))
    return _any_iso(text)


def _any_iso(text: pl.Series) -> pl.Series:
    full = (
        text.str.replace(r"^(\d{4}-\d\d-\d\d)$", "${1}T00:00:00")
        .str.replace(r"^(\d{4}-\d\d-\d\d) +", "${1}T")
        .str.replace(r"T(\d\d:\d\d)($|Z|[+-])", "T${1}:00${2}")
        .str.replace(r" ?(Z|UTC)$", "+00:00")
        .str.replace(r"(T\d\d:\d\d:\d\d(?:\.\d+)?)$", "${1}+00:00")
    )
    return _epoch(full.str.to_datetime(_ISO, strict=False, time_unit="us"))


def _epoch(times: pl.Series) -> pl.Series:
    return times.dt.timestamp("us").cast(pl.Float64) / 1e6
