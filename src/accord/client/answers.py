"""What the server answers and what it takes, as types for editors and checkers; at run time these are plain dicts."""

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

Language: TypeAlias = Literal["en", "zh"]
Fields: TypeAlias = dict[str, Any]
"""What is known of an item or a user, by name."""


class EventGiven(TypedDict):
    """One thing that somebody did with one item."""

    event_id: NotRequired[str]
    user_id: str
    item_id: str
    event: NotRequired[str]
    timestamp: NotRequired[float]
    value: NotRequired[float]
    impression_id: NotRequired[str]
    context: NotRequired[dict[str, str]]


class EventFacts(TypedDict, total=False):
    """What may be said of an event beside who, what and its kind."""

    event_id: str
    timestamp: float
    value: float
    impression_id: str
    context: dict[str, str]


class FeedbackFacts(TypedDict, total=False):
    """What may be said of the answer to a list."""

    event_id: str
    user_id: str
    timestamp: float
    value: float


class HistoryEvent(TypedDict):
    """One event of a history in a request."""

    item_id: str
    event: NotRequired[str]
    timestamp: NotRequired[float]
    value: NotRequired[float]


class Person(TypedDict, total=False):
    """Whose list it is, beside the user's id."""

    history: list[str | HistoryEvent]
    history_mode: Literal["extend", "replace"]
    context: dict[str, str]
    timestamp: float


class Wishes(Person, total=False):
    """What a list must keep to; see ``POST /v1/recommend``."""

    text: str
    placement: str
    explain: bool
    language: Language
    seed: int
    filters: dict[str, Any]
    exclude: list[str]
    only: list[str]
    include_seen: bool
    caps: dict[str, int]
    pins: list[dict[str, Any]]
    boosts: list[dict[str, Any]]
    more_like: dict[str, Any]
    less_like: dict[str, Any]
    mute: dict[str, Any]


class Rejected(TypedDict):
    """A row that was not kept."""

    index: int
    reason: str


class EventsOut(TypedDict):
    """What became of events; those accepted are on the server's disk."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


class ItemsOut(TypedDict):
    """What became of items."""

    accepted: int
    rejected: list[Rejected]


class Because(TypedDict):
    """An item of the history that speaks for the one in the list."""

    item_id: str
    title: str
    share: float


class Without(TypedDict):
    """Where the item would stand without one item of the history."""

    item_id: str
    place: int | None
    score: float | None


class Reasons(TypedDict):
    """Why an item stands where it stands. Texts are plain; escape them in a page."""

    text: str
    because: list[Because]
    shared: list[str]
    words: list[str]
    without: list[Without]


class Listed(TypedDict):
    """One place of a list."""

    item_id: str
    score: float | None
    label: NotRequired[str | None]
    sources: NotRequired[dict[str, float] | None]
    reasons: NotRequired[Reasons | None]


class ListOut(TypedDict):
    """A list, best first."""

    items: list[Listed]
    impression_id: str | None
    model: str
    skipped: list[str]


class ExplainOut(TypedDict):
    """Items in the given order, with reasons."""

    items: list[Listed]
    model: str
    skipped: list[str]


class ModelVersion(TypedDict):
    """One version of the model."""

    version: str
    stage: Literal["candidate", "live", "retired"]
    created: str
    note: str


class ModelsOut(TypedDict):
    """The versions there are, oldest first."""

    versions: list[ModelVersion]
    live: str | None
    answering: str


class Ready(TypedDict):
    """Whether lists can be made."""

    status: Literal["ready", "not ready"]
    model: str | None
    store: Literal["ok", "away"]
    caught_up: bool
    waiting: int
