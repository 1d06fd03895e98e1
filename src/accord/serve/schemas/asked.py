"""What is asked for: whose list, under which terms, and why it is as it is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from accord.data.kinds import MAX_TEXT
from accord.data.store.limits import MAX_VALUE
from accord.pipeline.placements import MOST_BOOSTS, MOST_CAPS, MOST_PINS, Boost, Liked, Most, Pinned, Terms
from accord.pipeline.rules import Condition, Ids, Rules, Selection, Text
from accord.serve.limits import LISTED
from accord.serve.schemas.common import Body, Context, Id, Language, Seconds
from accord.serve.settings import HISTORY


class HistoryEvent(Body):
    """One event of a history in a request."""

    item_id: Id
    event: Annotated[str, StringConstraints(max_length=MAX_VALUE)] = ""
    """The kind, which weighs as in training, and which sources that read kinds are told."""
    timestamp: Seconds | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """A rating, a price, a duration, for sources that read values."""


class Whom(Body):
    """Whose list it is: a user, a history, or both."""

    user_id: Id | None = None
    """A user of the store; somebody unknown gets a sensible list."""
    history: Annotated[list[Id | HistoryEvent], Field(max_length=HISTORY)] | None = None
    """What was done, oldest first: item ids, or items with kind, time and value. Unknown items count for nothing."""
    history_mode: Literal["extend", "replace"] = "extend"
    """Whether `history` comes after what the store knows of the user, or in its place."""
    context: Context = Field(default_factory=dict)
    """Circumstances of the request: a region, a device."""
    timestamp: Seconds | None = None
    """The moment for which the list is asked; by default now."""


class Wishes(Body):
    """What a list must keep to, beside the terms of its placement."""

    filters: Annotated[dict[Text, Condition], Field(max_length=50)] = Field(default_factory=dict)
    """Conditions by item field: a value, or any of `in`, `not`, `min`, `max`."""
    exclude: Ids = Field(default=(), strict=False)
    """Items that must not be shown."""
    only: Ids | None = Field(default=None, strict=False)
    """The only items that may be shown."""
    include_seen: bool = False
    """Whether items of the history may come up again."""
    caps: Annotated[dict[Text, Most], Field(max_length=MOST_CAPS)] = Field(default_factory=dict)
    """By item field: the most items of one value in the list."""
    pins: Pinned = Field(default=(), max_length=MOST_PINS, strict=False)
    """Places that are reserved for items."""
    boosts: tuple[Boost, ...] = Field(default=(), max_length=MOST_BOOSTS, strict=False)
    """Items, or values of fields, that count more or less."""
    more_like: Liked = Field(default_factory=Selection)
    """Items read as if they had just been chosen; values that are boosted."""
    less_like: Liked = Field(default_factory=Selection)
    """Items hidden, with what is like them buried; values that are buried."""
    mute: Selection = Field(default_factory=Selection)
    """Items and values that are not shown."""

    def terms(self) -> Terms:
        """The same as terms of the pipeline."""
        rules = Rules(filters=self.filters, blocked=self.exclude, only=self.only, include_seen=self.include_seen)
        return Terms(
            rules=rules,
            caps=self.caps,
            pins=self.pins,
            boosts=self.boosts,
            more_like=self.more_like,
            less_like=self.less_like,
            mute=self.mute,
        )


class RecommendIn(Whom, Wishes):
    """Who asks, and for what."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user_id": "196", "n": 10, "explain": True},
                {"history": ["50", "181"], "filters": {"genres": "Sci-Fi"}},
                {"text": "space adventure for the whole family"},
            ]
        }
    )

    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)] | None = None
    """What is looked for, in words: the list is made of the items whose content fits them best."""
    placement: Text | None = None
    """A named place, see `/v1/placements`; its rules hold beside those of the request."""
    n: Annotated[int, Field(ge=1, le=LISTED)] | None = None
    """Places of the list; by default those of the placement, or 20."""
    explain: bool = False
    """Whether each place comes with its reasons."""
    language: Language = "en"
    """Of the reasons."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """Draws the order of items whose scores tie, and nothing else; without one, the history does. Kept with the
    impression."""


class ExplainIn(Whom):
    """Why would these items be shown to this person?"""

    items: Annotated[list[Id], Field(min_length=1, max_length=50)]
    language: Language = "en"
    without: bool = False
    """Whether to say where each item would stand without the events that speak for it."""
