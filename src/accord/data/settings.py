"""What an import is asked to do."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from accord.core.config import Config

Dedupe: TypeAlias = Literal["exact", "none", "first", "last", "sum"]
OrderChoice: TypeAlias = Literal["auto", "time", "row", "none"]


class ImportSettings(Config):
    """Sources and cleaning rules of one import. A source is a file path or a SQL URL ending in ``?table=NAME``."""

    events: tuple[str, ...] = Field(min_length=1)
    """Event sources, fused into one log in this order; with ``format`` the files of that format."""
    format: str | None = None
    """Whose files these are (``recbole``, ``gorse``, ``movielens``, ``amazon``); None: Accord's own tables."""
    items: str | None = None
    """The catalogue; items that only events name get a row of nulls."""
    users: str | None = None
    """Facts about users."""
    links: dict[str, str] = Field(default_factory=dict)
    """Link tables by name: friends, a knowledge graph, ..."""
    map: dict[str, str] = Field(default_factory=dict)
    """Our column name -> the name in the file, in every source that has it."""
    order: OrderChoice = "auto"
    """``auto``: by time where every event source has readable times, else by row."""
    weights: dict[str, float] = Field(default_factory=dict)
    """Weight of each kind of event; kinds that are not named weigh 1."""
    min_value: float | None = None
    """Events with a lower value are removed; events without a value stay."""
    center: bool = False
    """Weight times (value - the user's mean value): an event below the user's mean gets a negative weight and stays,
    as in mean-centred collaborative filtering. Events without a value keep their plain weight."""
    dedupe: Dedupe = "exact"
    """``exact`` drops events equal in user, item, time and kind (only where there is a clock); ``first``, ``last`` and
    ``sum`` keep one event of each user-item pair (``sum`` adds up the weights); ``none`` drops nothing."""
    k_core: int = Field(default=0, ge=0)
    """Keep only users and items with at least this many events, repeated until it holds."""
    max_events: int | None = Field(default=None, ge=1)
    """Users with more events are taken for robots: their events are refused."""
