"""Lists with their reasons."""

from __future__ import annotations

from pydantic import BaseModel


class Because(BaseModel):
    """An item of the history that speaks for the one in the list."""

    item_id: str
    title: str
    share: float
    """Of all that speaks for it."""


class Without(BaseModel):
    """Where the item would stand without one item of the history."""

    item_id: str
    """The item of the history."""
    place: int | None
    """From 1; None: not in the list."""
    score: float | None


class Reasons(BaseModel):
    """Why an item stands where it stands. Texts are plain; escape them in a page."""

    text: str
    """A sentence that says no more than the numbers."""
    because: list[Because]
    shared: list[str]
    """What the item has in common with them, such as `genres: Comedy`."""
    words: list[str]
    """Words that the item shares with them."""
    without: list[Without]
    """Empty unless it was asked for."""


class Listed(BaseModel):
    """One place of a list."""

    item_id: str
    score: float | None
    """Comparable within one list; none for a pinned place."""
    label: str | None = None
    """What a pinned place is called, such as `sponsored`."""
    sources: dict[str, float] | None = None
    """What each source adds to the score, where reasons were asked for."""
    reasons: Reasons | None = None


class ListOut(BaseModel):
    """A list, best first."""

    items: list[Listed]
    impression_id: str | None
    """Name it in the events that answer the list. None where it could not be kept."""
    model: str
    """The version that made the list."""
    skipped: list[str]
    """What was left out because it failed or took too long: sources, `store`, `model`."""


class ExplainOut(BaseModel):
    """The items in the given order, with reasons."""

    items: list[Listed]
    model: str
    skipped: list[str]
