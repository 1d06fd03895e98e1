"""What Gorse exports: ``users.csv``, ``items.csv`` and ``feedback.csv``.

Headers ``user_id,labels``, ``item_id,is_hidden,categories,time_stamp,labels,description`` and
``feedback_type,user_id,item_id,time_stamp``. Labels are JSON (older versions: words with ``|`` between), times are
written as Go does: ``2020-01-01 01:01:01.5 +0000 UTC``, and the year 1 means that there is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import polars as pl

from accord.core import columns as c
from accord.data.formats.base import Folder, one_place, opened, renamed
from accord.data.readers import Rows
from accord.data.readers.source import read as read_source
from accord.data.rejects import ROW

_USER, _ITEM = ("user_id", "userid"), ("item_id", "itemid")
_TIME, _LABELS = ("time_stamp", "timestamp"), ("labels",)
EVENTS = {
    c.EVENT: ("feedback_type", "feedbacktype"),
    c.USER: _USER,
    c.ITEM: _ITEM,
    c.VALUE: ("value",),
    c.TIME: _TIME,
}
ITEMS = {
    c.ITEM: _ITEM,
    "is_hidden": ("is_hidden", "ishidden"),
    c.CATEGORIES: ("categories",),
    c.AVAILABLE_AT: _TIME,
    "labels": _LABELS,
    c.DESCRIPTION: ("description", "comment"),
}
USERS = {c.USER: _USER, "labels": _LABELS, "comment": ("comment",)}
MAX_COLUMNS = 200
"""The most different labels that become columns; further ones are left out."""
_GO = r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d* ([+-]\d{4}).*$"


def read(paths: tuple[str, ...]) -> list[Rows]:
    """The three tables of a folder (or a zip of it); users and items may be absent."""
    place = one_place(paths, "the folder with feedback.csv, items.csv and users.csv")
    with opened(place, ("feedback.csv", "items.csv", "users.csv")) as folder:
        folder.need("feedback.csv")
        tables = [("feedback.csv", "events", EVENTS), ("items.csv", "items", ITEMS), ("users.csv", "users", USERS)]
        return [_table(folder, *table) for table in tables if folder.find(table[0])]


def _table(folder: Folder, name: str, table: str, names: dict[str, tuple[str, ...]]) -> Rows:
    path = folder.need(name)
    rows = folder.labelled(renamed(read_source(str(path), table), names), path)
    frame = rows.frame
    for time in (c.TIME, c.AVAILABLE_AT):
        if time in frame.columns:
            frame = frame.with_columns(_times(frame[time]))
    if "labels" in frame.columns:
        frame = frame.drop("labels").with_columns(_labels(frame["labels"], {*names, ROW} - {"labels"}))
    return replace(rows, frame=frame)


def _times(column: pl.Series) -> pl.Series:
    """Go's way of writing times as ISO 8601; other ways are left as they are, the year 1 is missing."""
    iso = column.str.replace(_GO, "${1}T${2}${3}").str.replace(r"([+-]\d\d)(\d\d)$", "${1}:${2}")
    return iso.set(iso.str.starts_with("0001-"), None)


def _labels(column: pl.Series, taken: set[str]) -> list[pl.Series]:
    """One column a label: text, or a list of texts; numbers in lists are vectors, not labels, and left out."""
    found: dict[str, list[Any]] = {}
    for row, cell in enumerate(column.to_list()):
        for name, value in _entries(_parsed(cell)):
            ours = f"labels_{name}" if name in taken else name
            if ours in found or len(found) < MAX_COLUMNS:
                found.setdefault(ours, [None] * column.len())[row] = value
    return [_column(name, values) for name, values in found.items()]


def _parsed(cell: str | None) -> Any:
    """The JSON of a cell; what is not JSON are words with ``|`` between."""
    try:
        return json.loads(cell) if cell else None
    except (ValueError, RecursionError):
        return str(cell).split("|")


def _entries(value: Any, name: str = "") -> Iterator[tuple[str, str | list[str]]]:
    """Names and values of all leaves; names of nested labels are joined by dots."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _entries(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        words = [entry for entry in value if isinstance(entry, str)]
        if words:
            yield name or "labels", words
    elif value is not None:
        yield name or "labels", value if isinstance(value, str) else json.dumps(value)


def _column(name: str, values: list[Any]) -> pl.Series:
    if not any(isinstance(value, list) for value in values):
        return pl.Series(name, values, dtype=pl.String)
    lists = [[value] if isinstance(value, str) else value for value in values]
    return pl.Series(name, lists, dtype=pl.List(pl.String))
