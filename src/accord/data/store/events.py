"""What a store holds: events, impressions, and the changes of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Table: TypeAlias = Literal["events", "items", "users", "impressions", "erasures"]
"""The tables of every store."""
Fields: TypeAlias = dict[str, Any]
"""What is known of an item or a user: text, numbers, truth values, nothing, or lists of text, by name."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that somebody did with one item."""

    event_id: str
    """Told by the client, so that an event that is sent twice counts once."""
    user_id: str
    item_id: str
    event: str = ""
    """The kind: ``view``, ``purchase``, ..."""
    timestamp: float = float("nan")
    """Seconds since 1970; NaN: the store takes the time at which it received the event."""
    value: float | None = None
    weight: float = 1.0
    impression_id: str | None = None
    """The list that it answers, see ``Impression``."""
    context: dict[str, str] = field(default_factory=dict[str, str])
    """Circumstances such as the device or the hour."""


@dataclass(frozen=True, slots=True)
class Impression:
    """One list that was shown, with all that is needed to learn from the answer."""

    impression_id: str
    user_id: str | None
    """None: nobody in particular."""
    created: float
    """Seconds since 1970."""
    model: str
    """The version that made the list."""
    placement: str
    items: list[dict[str, Any]]
    """``item_id``, ``score``, ``place``, ``propensity``, ``pinned`` of each place."""
    request: dict[str, Any]
    """What was asked; an erasure finds the people whom it names under a key ``user_id``, however deep."""


@dataclass(frozen=True, slots=True)
class Change:
    """The newest change of an item, or an erasure; numbers rise, and one item has only its newest change."""

    number: int
    kind: Literal["item", "delete", "erase"]
    id: str
    """The item's id; of an erasure the pseudonym of the user (``Store.pseudonym``), for the id itself is gone."""
    fields: Fields | None = None
    """What the item says now; None of a deletion or an erasure."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch of events."""

    accepted: int
    duplicates: int
    """Events whose id the store, or the batch before them, already had."""


@dataclass(frozen=True, slots=True)
class Commits:
    """What this process has written so far: rows (jobs' rows, duplicates included) and the transactions they took."""

    rows: int
    transactions: int
