"""The inside of an evaluated pipeline on its page: maps of vectors, attention, interests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from accord.study.categories import NO_CATEGORY
from accord.study.scatter import Layer, scatter
from accord.study.tables import Cell, Row, Table, words
from accord.study.wording import DASH, count, number, percent, signed

OTHER = "var(--k0)"
STEPS = 5
"""Shades of popularity."""
_KINDS = {"source": "learned", "content": "encoded content"}


def inside_section(raw: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, Any]:
    """What the template needs of ``metrics["inside"]`` and of the places on its maps; see ``look_inside``."""
    maps: Sequence[Mapping[str, Any]] = raw.get("maps") or []
    shades, ranges = _popularity(places.get("events") or [])
    drawn: Sequence[Mapping[str, Any]] = places.get("maps") or []
    return {
        "field": raw.get("field"),
        "umap": raw.get("method") == "umap",
        "table": _table(maps, bool(raw.get("field"))),
        "maps": [_map(*pair, raw, places, shades) for pair in zip(maps, drawn, strict=False)],
        "categories": [*((f"k{n}", name) for n, name in enumerate(raw.get("categories") or [], 1)), ("k0", "other")],
        "popularity": [(f"p{step}", told) for step, told in enumerate(ranges, start=1) if told],
        "attention": [_attention(view) for view in raw.get("attention") or []],
        "interests": _interests(raw.get("interests") or {}),
    }


def _table(maps: Sequence[Mapping[str, Any]], grouped: bool) -> Table:
    columns = ["Vectors", "Items", "People", "Two axes hold"]
    columns += ["Ten nearest alike", "Alike on the map", "Alike by chance"] if grouped else []
    rows = [Row(str(one.get("name")), _cells(one, grouped)) for one in maps]
    note = "Alike: of the same category. Where the ten nearest are hardly more alike than by chance, a map says little."
    return Table("Vectors on two axes", columns, rows, first="Map", note=note if grouped else "")


def _cells(one: Mapping[str, Any], grouped: bool) -> list[Cell]:
    cells = [
        words(_KINDS.get(str(one.get("kind")), one.get("kind"))),
        Cell(count(one.get("n_items"))),
        Cell(count(one.get("n_users"))),
        Cell(percent(one.get("variance"))),
    ]
    return cells + [Cell(percent(one.get(key))) for key in ("alike", "alike_on_map", "by_chance")] * grouped


def _map(
    one: Mapping[str, Any],
    drawn: Mapping[str, Any],
    raw: Mapping[str, Any],
    places: Mapping[str, Any],
    shades: Sequence[int],
) -> dict[str, Any]:
    at, people = drawn["items"], drawn["users"]
    named = [str(category) for category in raw.get("categories") or []]
    placed = [row for row, place in enumerate(at) if place]
    told = {row: _told(places, row, named) for row in placed}
    by_kind = _rows_by(places["category"], placed)
    coloured = [
        Layer(OTHER if kind == NO_CATEGORY else f"var(--k{kind + 1})", _of(at, rows), [told[row] for row in rows])
        for kind, rows in by_kind.items()
    ]
    shaded = [Layer(f"var(--p{shade + 1})", _of(at, rows)) for shade, rows in _rows_by(shades, placed).items()]
    what = f"{count(len(placed))} items and {count(len(people))} people on two axes by the vectors of {one.get('name')}"
    alike = f": of the ten nearest {percent(one.get('alike'))} are alike, by chance {percent(one.get('by_chance'))}."
    return {
        "name": one.get("name"),
        "by_category": scatter(coloured, people, f"{what}, coloured by {raw.get('field')}{alike}") if named else None,
        "by_popularity": scatter(shaded, people, f"{what}, coloured by popularity."),
    }


def _told(places: Mapping[str, Any], row: int, named: Sequence[str]) -> str:
    """What an item says under the pointer."""
    kind = places["category"][row]
    category = f" · {named[kind]}" if 0 <= kind < len(named) else ""
    return f"{places['title'][row]}{category} · {count(places['events'][row])}"


def _rows_by(keys: Sequence[int], rows: Sequence[int]) -> dict[int, list[int]]:
    """Rows by their key, the smallest key first."""
    found: dict[int, list[int]] = {key: [] for key in sorted({keys[row] for row in rows})}
    for row in rows:
        found[keys[row]].append(row)
    return found


def _of(values: Sequence[Any], rows: Sequence[int]) -> list[Any]:
    return [values[row] for row in rows]


def _popularity(events: Sequence[int]) -> tuple[list[int], list[str]]:
    """A shade for each item by the logarithm of its events, and what each shade holds (empty: no item)."""
    counts = np.asarray(events, np.float64)
    if not len(counts):
        return [], []
    levels = np.log1p(counts)
    shades = np.minimum(STEPS * levels / max(float(levels.max()), 1e-12), STEPS - 1).astype(int)
    ranges = [counts[shades == shade] for shade in range(STEPS)]
    return shades.tolist(), [_range(part) for part in ranges]


def _range(part: np.ndarray) -> str:
    if not len(part):
        return ""
    low, high = count(part.min()), count(part.max())
    return f"{low} events" if low == high else f"{low} to {high} events"


def _attention(view: Mapping[str, Any]) -> dict[str, Any]:
    events: Sequence[Mapping[str, Any]] = view.get("events") or []
    rows = [
        Row(str(event.get("title")), [_age(event), Cell(percent(event.get("attention"))), Cell(_effect(event))])
        for event in events
    ]
    source, user = str(view.get("source")), str(view.get("user"))
    effect = "Effect told by the source" if view.get("how") == "parts" else "Score without it falls by"
    label = f"Attention of {source} for {user}"
    return {
        "source": source,
        "user": user,
        "alike": number(view.get("alike"), 2),
        "table": Table(label, ["Events ago", "Attention", effect], rows, first="Event"),
    }


def _age(event: Mapping[str, Any]) -> Cell:
    return Cell(count(event.get("age")))


def _effect(event: Mapping[str, Any]) -> str:
    return signed(event.get("effect"), 3)


def _interests(raw: Mapping[str, Any]) -> dict[str, Any]:
    found: Sequence[Mapping[str, Any]] = raw.get("interests") or []
    listed: Sequence[Mapping[str, Any]] = raw.get("list") or []
    served = [entry.get("interest") for entry in listed]
    groups = [
        Row(
            _name(place),
            [
                words(_category(one)),
                words(" · ".join(map(str, one.get("central") or []))),
                Cell(count(one.get("events"))),
                Cell(percent(one.get("share"), 0)),
                Cell(count(served.count(place))),
            ],
        )
        for place, one in enumerate(found)
    ]
    entries = [
        Row(
            str(place),
            [words(entry.get("title")), words(_interest(entry, found)), Cell(number(entry.get("cosine"), 2))],
        )
        for place, entry in enumerate(listed, start=1)
    ]
    columns = ["Stands out by", "Most central items", "Events", "Share", "Recommended"]
    return {
        "user": raw.get("user"),
        "by": raw.get("by"),
        "groups": Table("Interests", columns, groups, first="Interest"),
        "list": Table("Interest of each recommendation", ["Item", "Interest", "Cosine"], entries, first="#"),
    }


def _name(place: int) -> str:
    return f"Interest {place + 1}"


def _category(one: Mapping[str, Any]) -> str:
    category: Mapping[str, Any] = one.get("category") or {}
    if not category:
        return DASH
    return f"{category.get('name')} ({percent(category.get('share'), 0)}; of all {percent(category.get('of_all'), 0)})"


def _interest(entry: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> str:
    place = entry.get("interest")
    if place is None:
        return "none: no vector"
    category = (found[place].get("category") or {}).get("name") if place < len(found) else None
    return f"{_name(place)} ({category})" if category else _name(place)
