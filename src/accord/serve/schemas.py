"""What requests and answers look like; the OpenAPI document is made from these."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from accord.data.kinds import MAX_ID, MAX_TEXT
from accord.data.store.limits import MAX_CONTEXT, MAX_NAME, MAX_TIME, MAX_VALUE
from accord.pipeline.placements import MOST_BOOSTS, MOST_CAPS, MOST_PINS, Boost, Most, PinnedItem, Terms
from accord.pipeline.rules import Condition, Ids, Rules, Selection, Text
from accord.serve.limits import EVENTS, ITEMS, LISTED
from accord.serve.settings import HISTORY

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _printable(text: str) -> str:
    if _CONTROL.search(text) or text != text.strip():
        raise ValueError("an id has no control characters, and no space at its ends")
    return text


Id: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID), AfterValidator(_printable)]
"""An id as clients send it."""
Seconds: TypeAlias = Annotated[float, Field(ge=-MAX_TIME, le=MAX_TIME, allow_inf_nan=False)]
"""Seconds since 1970."""
Context: TypeAlias = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)],
        Annotated[str, StringConstraints(max_length=MAX_VALUE)],
    ],
    Field(max_length=MAX_CONTEXT),
]
"""Circumstances by name."""
Language: TypeAlias = Literal["en", "zh"]


class Body(BaseModel):
    """Base of every request: strict types, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class EventIn(Body):
    """One thing that somebody did with one item."""

    event_id: Id | None = None
    """Yours; sent twice it counts once. Without one the server makes one, and an event sent twice counts twice."""
    user_id: Id
    """Known or not."""
    item_id: Id
    """Known or not: an event of an unknown item is kept, and counts from when the item comes."""
    event: Annotated[str, StringConstraints(max_length=MAX_VALUE)] = ""
    """The kind: `view`, `purchase`, ..."""
    timestamp: Seconds | None = None
    """Seconds since 1970; by default the moment in which the server receives it."""
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """A rating, a price, a duration."""
    impression_id: Id | None = None
    """The list that it answers."""
    context: Context = Field(default_factory=dict)
    """Circumstances, such as the device."""


class EventsIn(Body):
    """A batch of events. Good ones beside bad ones are kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"events": [{"event_id": "e-1001", "user_id": "196", "item_id": "50", "event": "purchase"}]}]
        }
    )

    events: Annotated[list[EventIn | JsonValue], Field(max_length=EVENTS)]
    """Each is looked at alone: one that is not as `EventIn` says is rejected, and the others are kept."""


class Rejected(BaseModel):
    """A row that was not kept."""

    index: int
    """Its place in the batch, from 0."""
    reason: str
    """Why."""


class EventsOut(BaseModel):
    """What became of a batch of events; those accepted are on the disk."""

    accepted: int
    duplicates: int
    """Their `event_id` was known."""
    rejected: list[Rejected]


Fields: TypeAlias = dict[str, Any]
"""What is known of an item or a user: text, numbers, truth values, nothing, or lists of text, by name."""


class ItemsIn(Body):
    """A batch of items, each with `item_id` and all its fields, as in `accord import`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"item_id": "new-1", "title": "Heat", "genres": ["Crime"]}]}]}
    )

    items: Annotated[list[JsonValue], Field(max_length=ITEMS)]
    """Each takes the place of what was known of the item. A deleted item that is posted again comes back."""


class ItemsOut(BaseModel):
    """What became of a batch of items. They can be recommended within about a second."""

    accepted: int
    rejected: list[Rejected]


class Deleted(BaseModel):
    """The item is in no answer any more."""

    deleted: bool


class Kept(BaseModel):
    """It is on the disk."""

    kept: bool


class Erased(BaseModel):
    """What was removed of a person, rows by table."""

    erased: dict[str, int]


class HistoryEvent(Body):
    """One event of a history in a request."""

    item_id: Id
    event: Annotated[str, StringConstraints(max_length=MAX_VALUE)] = ""
    """The kind, which weighs as in training."""
    timestamp: Seconds | None = None


class Whom(Body):
    """Whose list it is: a user, a history, or both."""

    user_id: Id | None = None
    """A user of the store; somebody unknown gets a sensible list."""
    history: Annotated[list[Id | HistoryEvent], Field(max_length=HISTORY)] | None = None
    """What was done, oldest first: item ids, or items with kind and time. Unknown items count for nothing."""
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
    pins: tuple[PinnedItem, ...] = Field(default=(), max_length=MOST_PINS, strict=False)
    """Places that are reserved for items."""
    boosts: tuple[Boost, ...] = Field(default=(), max_length=MOST_BOOSTS, strict=False)
    """Items, or values of fields, that count more or less."""
    more_like: Selection = Field(default_factory=Selection)
    """Items read as if they had just been chosen; values that are boosted."""
    less_like: Selection = Field(default_factory=Selection)
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
    """Kept with the impression. Lists are the same for the same history: nothing is drawn at random yet."""


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


class ExplainIn(Whom):
    """Why would these items be shown to this person?"""

    items: Annotated[list[Id], Field(min_length=1, max_length=50)]
    language: Language = "en"
    without: bool = False
    """Whether to say where each item would stand without the events that speak for it."""


class ExplainOut(BaseModel):
    """The items in the given order, with reasons."""

    items: list[Listed]
    model: str
    skipped: list[str]


class FeedbackIn(Body):
    """An answer to a list."""

    impression_id: Id
    item_id: Id
    """An item of that list."""
    event: Annotated[str, StringConstraints(max_length=MAX_VALUE)] = "click"
    user_id: Id | None = None
    """Whose event it is; by default the user to whom the list was shown."""
    event_id: Id | None = None
    timestamp: Seconds | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None


class ModelVersion(BaseModel):
    """One version of the model."""

    version: str
    stage: Literal["candidate", "live", "retired"]
    created: str
    note: str


class ModelsOut(BaseModel):
    """The versions there are, oldest first."""

    versions: list[ModelVersion]
    live: str | None
    """The version that answers on every worker within a second or two."""
    answering: str
    """The version that this worker answers from at the moment."""


class Ready(BaseModel):
    """Whether lists can be made."""

    status: Literal["ready", "not ready"]
    model: str | None
    """The version that answers."""
    store: Literal["ok", "away"]
    caught_up: bool
    """Whether everything that the store had when the server started is in the answers."""
    waiting: int
    """Items to be encoded."""
