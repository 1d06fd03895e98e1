"""One JSON object a line."""

from __future__ import annotations

import gzip
import json
from glob import escape
from pathlib import Path
from typing import Any

import polars as pl

from accord.data.readers.base import Rows, simplified, unreadable
from accord.data.rejects import ROW, refused_lines

_CHUNK = 100_000


def read(path: Path, table: str, kind: str) -> Rows:
    """Read a JSONL file: fast where every line is sound, else line by line so that only bad lines are lost."""
    place = str(path)
    try:
        numbers = _line_numbers(path)
        frame = pl.read_ndjson(escape(str(path)), infer_schema_length=None)  # a name with brackets is no pattern
    except pl.exceptions.PolarsError:
        return _slow(path, table, kind)
    except OSError as error:
        raise unreadable(place, error) from None
    if frame.height != numbers.len():
        return _slow(path, table, kind)
    frame, dropped = simplified(frame)
    return Rows(table, place, kind, frame.with_columns(numbers.alias(ROW)), dropped=dropped)


def _line_numbers(path: Path) -> pl.Series:
    """The numbers, from 1, of the lines that are not blank."""
    lines = pl.scan_lines(path, row_index_name=ROW, glob=False).filter(pl.col("line").str.strip_chars() != "")
    return lines.select(pl.col(ROW) + 1).collect().to_series()


def _slow(path: Path, table: str, kind: str) -> Rows:
    place, bad = str(path), list[tuple[int, str, str]]()
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    parts: list[pl.DataFrame] = []
    chunk: list[dict[str, Any]] = []
    try:
        with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                row = _parse(line)
                if isinstance(row, str):
                    bad.append((number, row, line.strip()))
                    continue
                chunk.append({**row, ROW: number})
                if len(chunk) == _CHUNK:
                    parts.append(_frame(chunk))
                    chunk = []
    except (OSError, EOFError) as error:
        raise unreadable(place, error) from None
    frame = _together([*parts, _frame(chunk)])
    return Rows(table, place, kind, frame, refused_lines(bad, table, place))


def _parse(line: str) -> dict[str, Any] | str:
    """The object of a line, or what is wrong with it."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return "the line is not JSON"
    return row if isinstance(row, dict) else "the line is not a JSON object"


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Every column as text, or as lists of text where any row has a list."""
    names = dict.fromkeys(name for row in rows for name in row if name != ROW)
    columns = [pl.Series(ROW, [row[ROW] for row in rows], dtype=pl.UInt32)]
    for name in names:
        values = [row.get(name) for row in rows]
        if any(isinstance(value, list) for value in values):
            lists = [None if value is None else _texts(value) for value in values]
            columns.append(pl.Series(name, lists, dtype=pl.List(pl.String)))
        else:
            columns.append(pl.Series(name, [_text(value) for value in values], dtype=pl.String))
    return pl.DataFrame(columns)


def _together(parts: list[pl.DataFrame]) -> pl.DataFrame:
    lists = {name for part in parts for name, dtype in part.schema.items() if isinstance(dtype, pl.List)}
    same = [
        part.with_columns(pl.concat_list(name) for name in lists if part.schema.get(name) == pl.String)
        for part in parts
    ]
    return pl.concat(same, how="diagonal")


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        return [_text(value) or ""]
    return [text for entry in value for text in _texts(entry) if text]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else value.encode("utf-8", "replace").decode()
    return json.dumps(value, ensure_ascii=False)
