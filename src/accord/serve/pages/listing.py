"""A list as the page shows it: what moved, how long the bars are, what each source adds."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from accord.serve.pages.catalogue import Shown
from accord.serve.schemas import Listed

COLOURS = 11
"""Sources that have a colour of their own."""
PLAIN = "plain"
"""The colour of all others."""


@dataclass(frozen=True)
class Part:
    """What one source adds, and where that lies in the bar of all, in percent; nothing where it takes away."""

    name: str
    value: float
    colour: str
    start: float
    width: float


@dataclass(frozen=True)
class Row:
    """One place of the list."""

    place: int
    item: Shown
    listed: Listed
    moved: int | None
    """So many places up; None: it was not in the list."""
    width: float
    """Of the score's bar, in percent."""
    parts: Sequence[Part] = field(default_factory=list[Part])


@dataclass(frozen=True)
class Moves:
    """How a list differs from the one before."""

    fresh: int
    up: int
    down: int
    gone: Sequence[str]
    """Items that are no longer in it."""


def rows_of(
    listed: Sequence[Listed], items: Mapping[str, Shown], before: Sequence[str], colours: Mapping[str, str]
) -> list[Row]:
    """The places of a list, with their moves since the list ``before``."""
    was = {item: place for place, item in enumerate(before)}
    widths = _widths([one.score for one in listed])
    out = list[Row]()
    for place, one in enumerate(listed):
        moved = was[one.item_id] - place if one.item_id in was else None
        parts = parts_of(one.sources or {}, colours)
        out.append(Row(place + 1, items[one.item_id], one, moved, widths[place], parts))
    return out


def moves_of(rows: Sequence[Row], before: Sequence[str], chosen: Container[str] = ()) -> Moves | None:
    """What changed; None where there was no list before. What was chosen has not just gone."""
    if not before:
        return None
    moves, here = [row.moved for row in rows], {row.item.item_id for row in rows}
    gone = [item for item in before if item not in here and item not in chosen]
    up = sum(moved is not None and moved > 0 for moved in moves)
    down = sum(moved is not None and moved < 0 for moved in moves)
    return Moves(moves.count(None), up, down, gone)


def parts_of(sources: Mapping[str, float], colours: Mapping[str, str]) -> list[Part]:
    """What each source adds, the most first; those that say nothing of an item are left out."""
    whole = sum(value for value in sources.values() if value > 0) or 1.0
    start, out = 0.0, list[Part]()
    for name, value in sorted(sources.items(), key=lambda part: (-part[1], part[0])):
        if value:
            width = 100 * max(value, 0.0) / whole
            out.append(Part(name, value, colours.get(name, PLAIN), round(start, 2), round(width, 2)))
            start += width
    return out


def colours_of(sources: Sequence[str]) -> dict[str, str]:
    """A colour, as a class, for each of the first sources."""
    return {name: f"c{number}" for number, name in enumerate(sources[:COLOURS])}


def _widths(scores: Sequence[float | None]) -> list[float]:
    """Bars from the lowest score, or 0 where that is above it, to the best; a pinned place has none."""
    told = [score for score in scores if score is not None]
    low, high = min([0.0, *told]), max(told, default=0.0)
    reach = (high - low) or 1.0
    return [0.0 if score is None else round(100 * (score - low) / reach, 2) for score in scores]
