"""A table as data: what the template ``parts.html`` draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cell:
    """One value, with a smaller aside (a standard error) and a mark where it is the best of its column or row."""

    text: str
    aside: str = ""
    best: bool = False
    words: bool = False
    """Text runs left-aligned and may wrap; numbers stand right."""


@dataclass(frozen=True, slots=True)
class Row:
    """A heading and its cells; ``kind`` (floor, source, fused, quiet) sets the look."""

    name: str
    cells: Sequence[Cell]
    kind: str = "source"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column headings. ``label`` names the table for screen readers; ``note`` stands below it."""

    label: str
    columns: Sequence[str]
    rows: Sequence[Row] = field(default_factory=list)
    first: str = ""
    """Heading of the first column."""
    note: str = ""

    @property
    def words(self) -> list[bool]:
        """Which columns hold words."""
        return [any(row.cells[i].words for row in self.rows) for i in range(len(self.columns))]


def words(text: object) -> Cell:
    """A cell of running text."""
    return Cell("" if text is None else str(text), words=True)


def reasons(label: str, first: str, pairs: Iterable[tuple[object, object]]) -> Table:
    """Two columns: a name and why."""
    return Table(label, ["Reason"], [Row(str(name), [words(reason)]) for name, reason in pairs], first=first)
