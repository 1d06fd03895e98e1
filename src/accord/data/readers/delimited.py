"""CSV and TSV with a header line; every column is read as text and typed later."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import polars as pl

from accord.core.errors import DataError
from accord.data.readers.base import Rows, unreadable
from accord.data.rejects import ROW, first_reason, refused, refused_lines

_EXTRA = "__extra"
_SEPARATORS = (",", "\t", ";", "|")
_MAX_LINES = 200
"""A quoted field may run over this many lines; a quote left open longer is taken for a slip."""
_CHUNK = 100_000


def read(path: Path, table: str, kind: str) -> Rows:
    """Read a delimited file: fast where it is well formed, else record by record so that only bad ones are lost."""
    place = str(path)
    header, separator = _header(path, place, tab=kind.startswith("tsv"))
    try:
        frame = _fast(path, header, separator)
    except pl.exceptions.PolarsError:
        return _slow(path, table, kind, header, separator)
    except OSError as error:
        raise unreadable(place, error) from None
    reason = first_reason(frame, [("the row has more fields than the header", pl.col(_EXTRA).is_not_null())])
    rejects = refused(frame, reason, table, place)
    good = frame.filter(reason.is_null()).drop(_EXTRA)
    return Rows(table, place, kind, _without_blank(good), rejects)


def _fast(path: Path, header: list[str], separator: str) -> pl.DataFrame:
    schema = dict.fromkeys([*header, _EXTRA], pl.String())
    return pl.read_csv(
        path,
        separator=separator,
        schema=schema,
        encoding="utf8-lossy",
        glob=False,
        extra_columns="ignore",
        missing_columns="insert",
        row_index_name=ROW,
        row_index_offset=1,
    )


def _without_blank(frame: pl.DataFrame) -> pl.DataFrame:
    """Blank lines are no rows, and no faults either."""
    return frame.filter(~pl.all_horizontal(pl.exclude(ROW).is_null()))


def _header(path: Path, place: str, *, tab: bool) -> tuple[list[str], str]:
    try:
        with _open(path) as file:
            line = next(_lines(file), "")
    except (OSError, EOFError) as error:
        raise unreadable(place, error) from None
    if "\x00" in line:
        raise unreadable(place, "it is not UTF-8 text", "Save it as UTF-8.")
    separator = "\t" if tab else max(_SEPARATORS, key=line.count)
    names = [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
    if not any(names):
        raise DataError("the file is empty", place=place, remedy="The first line must name the columns.")
    return _distinct(names), separator


def _distinct(names: list[str]) -> list[str]:
    """Header names, nameless columns numbered and repeated names told apart."""
    taken: list[str] = []
    for number, name in enumerate(names, start=1):
        base = name or f"column_{number}"
        taken.append(base if base not in taken else f"{base}_{number}")
    return taken


def _open(path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open("r", encoding="utf-8-sig", errors="replace", newline="")


def _lines(file: IO[str]) -> Iterator[str]:
    for line in file:
        yield line.rstrip("\r\n")


def _slow(path: Path, table: str, kind: str, header: list[str], separator: str) -> Rows:
    place, bad = str(path), list[tuple[int, str, str]]()
    parts = [_frame([], header)]
    chunk: list[list[str | int | None]] = []
    try:
        for row, fields, raw in _records(path, separator):
            while isinstance(fields, list) and len(fields) > len(header) and not fields[-1]:
                fields.pop()  # a separator at the end of the line says nothing
            if isinstance(fields, str) or len(fields) > len(header):
                reason = fields if isinstance(fields, str) else "the row has more fields than the header"
                bad.append((row, reason, raw))
                continue
            chunk.append([row, *(value or None for value in fields), *[None] * (len(header) - len(fields))])
            if len(chunk) == _CHUNK:
                parts.append(_frame(chunk, header))
                chunk = []
    except (OSError, EOFError) as error:
        raise unreadable(place, error) from None
    frame = _without_blank(pl.concat([*parts, _frame(chunk, header)]))
    return Rows(table, place, kind, frame, refused_lines(bad, table, place))


def _frame(rows: list[list[str | int | None]], header: list[str]) -> pl.DataFrame:
    schema = {ROW: pl.UInt32(), **dict.fromkeys(header, pl.String())}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _records(path: Path, separator: str) -> Iterator[tuple[int, list[str] | str, str]]:
    """``(row, fields or what is wrong, raw text)`` of each record after the header."""
    with _open(path) as file:
        lines = _lines(file)
        next(lines)
        pending: list[str] = []
        row = 0
        while (first := pending.pop(0) if pending else next(lines, None)) is not None:
            row += 1
            if '"' not in first:
                yield row, first.split(separator), first
                continue
            yield row, *_quoted(first, separator, lines, pending)


def _quoted(first: str, separator: str, lines: Iterator[str], pending: list[str]) -> tuple[list[str] | str, str]:
    """Parse a record with quotes, taking more lines while a quote is open; lines of a slip go back to ``pending``."""
    taken = [first]
    while len(taken) <= _MAX_LINES:
        try:
            return next(csv.reader(["\n".join(taken)], delimiter=separator, strict=True)), "\n".join(taken)
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                break
        following = pending.pop(0) if pending else next(lines, None)
        if following is None:
            break
        taken.append(following)
    pending[:0] = taken[1:]
    return "the quotes do not match", first
