"""The HTML page of ``accord import``: its ``report.json``, so that a person sees what was read and what was refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from accord.study.page import render_page
from accord.study.popularity import popularity_section
from accord.study.tables import Cell, Row, Table, words
from accord.study.wording import count, is_number, number, percent

_QUANTILES = ("min", "p10", "p25", "median", "mean", "p75", "p90", "p99", "max")
_ORDERS = {
    "time": "by clock time",
    "row": "by row within a user only",
    "none": "not at all: what needs an order is skipped",
}


def render(report: Mapping[str, Any]) -> str:
    """The whole page, from the dictionary of ``report.json``; parts whose keys are absent are left out."""
    counts = report.get("counts") or {}
    order = report.get("order") or {}
    return render_page(
        "import.html",
        "What was imported",
        version=report.get("version"),
        settings=json.dumps(report.get("settings") or {}, indent=2, ensure_ascii=False),
        headline=_headline(counts),
        refused=counts.get("rejected") or 0,
        tiles=_tiles(counts, report),
        advice=report.get("advice") or [],
        order={"kind": order.get("kind"), "meaning": _ORDERS.get(str(order.get("kind")), ""), "why": order.get("why")},
        span=report.get("span") or {},
        popularity=popularity_section(_curve(report.get("popularity") or [])),
        tables=_tables(report),
        sections=[
            (name.lower(), name)
            for name in ("Read", "Events", "Content", "Columns", "Settings")
            if name != "Columns" or report.get("columns")
        ],
        duplicates=report.get("duplicate_items") or {},
    )


def _headline(counts: Mapping[str, Any]) -> str:
    events, users, items = (count(counts.get(key)) for key in ("events", "users", "items"))
    return f"{events} events of {users} users on {items} items"


def _tiles(counts: Mapping[str, Any], report: Mapping[str, Any]) -> list[tuple[str, str]]:
    density, days = (report.get("sparsity") or {}).get("density"), (report.get("span") or {}).get("days")
    tiles = [(count(counts[key]), name) for key, name in _COUNTS.items() if is_number(counts.get(key))]
    if is_number(density):
        tiles.append((percent(density, 2), "of all pairs occurred"))
    if is_number(days):
        tiles.append((f"{days:,.0f}", "days from first to last event"))
    return tiles


_COUNTS = {
    "events": "events",
    "users": "users",
    "items": "items",
    "cold_items": "items with no event",
    "rejected": "rows refused",
}


def _tables(report: Mapping[str, Any]) -> dict[str, Table]:
    """Every table of the page by the name its template calls it; an empty one has no rows."""
    return {
        "sources": _records(
            report, "sources", "Files that were read", "place", ("table", "format"), ("rows", "rejected")
        ),
        "rejects": _records(report, "rejects", "Refused rows by reason", "reason", ("table", "example"), ("rows",)),
        "removed": _records(_only_removed(report), "removed", "Events removed on purpose", "step", (), ("events",)),
        "kinds": _records(report, "event_kinds", "Kinds of events", "event", (), ("events", "weight")),
        "languages": _languages(report.get("languages") or []),
        "text": _text(report.get("text") or []),
        "columns": _columns(report.get("columns") or []),
        "quantiles": _quantiles(report),
        "values": _values(report.get("values") or {}),
        "duplicates": _duplicates((report.get("duplicate_items") or {}).get("examples") or []),
    }


def _records(
    report: Mapping[str, Any], key: str, name: str, first: str, texts: Sequence[str], counts: Sequence[str]
) -> Table:
    """A table straight from a list of records: a heading column, columns of words, columns of counts."""
    rows = [
        Row(
            _or(record.get(first), "(none)"),
            [
                *(words(record.get(column)) for column in texts),
                *(Cell(_amount(record.get(column))) for column in counts),
            ],
        )
        for record in report.get(key) or []
    ]
    return Table(name, [_title(column) for column in (*texts, *counts)], rows, first=_title(first))


def _only_removed(report: Mapping[str, Any]) -> dict[str, Any]:
    """The cleaning steps that took something away."""
    return {"removed": [step for step in report.get("removed") or [] if step.get("events")]}


def _languages(languages: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        Row(_or(each.get("script"), "(none)"), [Cell(_amount(each.get("texts"))), Cell(percent(each.get("share")))])
        for each in languages
    ]
    return Table("Scripts of the item texts", ["Texts", "Share"], rows, first="Script")


def _text(text: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        Row(
            f"{each.get('table')}.{each.get('column')}",
            [Cell(percent(each.get("missing_share"))), Cell(_amount(each.get("median_chars")))],
        )
        for each in text
    ]
    return Table("Text columns", ["Missing", "Median length"], rows, first="Column", note="Length in characters.")


def _columns(columns: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        Row(
            f"{each.get('table')}.{each.get('column')}",
            [
                words(", ".join(map(str, each.get("from") or []))),
                words(each.get("type")),
                words(each.get("note")),
                Cell(percent(each.get("missing_share"))),
            ],
        )
        for each in columns
    ]
    return Table("Columns as they were understood", ["Read from", "Type", "Note", "Missing"], rows, first="Column")


def _quantiles(report: Mapping[str, Any]) -> Table:
    found = {"per user": report.get("events_per_user") or {}, "per item": report.get("events_per_item") or {}}
    shown = [key for key in _QUANTILES if any(key in values for values in found.values())]
    rows = [
        Row(f"Events {name}", [Cell(_amount(values.get(key))) for key in shown])
        for name, values in found.items()
        if values
    ]
    return Table("Events of a user and of an item", [key.capitalize() for key in shown], rows)


def _values(values: Mapping[str, Any]) -> Table:
    cells = [percent(value) if key == "missing_share" else _amount(value) for key, value in values.items()]
    rows = [Row("Value", [Cell(cell) for cell in cells])] if cells else []
    return Table("Values of the events", [_title(key) for key in values], rows)


def _duplicates(examples: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        Row(_or(each.get("title"), "(no title)"), [words(", ".join(map(str, each.get("item_ids") or [])))])
        for each in examples
    ]
    return Table("Items with the same content", ["Item ids"], rows, first="Title")


def _curve(points: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    known = [point for point in points if is_number(point.get("items")) and is_number(point.get("events"))]
    return {key: [point[key] for point in known] for key in ("items", "events")}


def _amount(value: Any) -> str:
    """Counts whole, other numbers with at most two digits."""
    if not is_number(value) or float(value).is_integer():
        return count(value)
    return number(value, 2)


def _or(value: Any, absent: str) -> str:
    return absent if value is None else str(value)


def _title(key: str) -> str:
    return key.replace("_", " ").capitalize()
