"""Events, and answers to lists."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from accord.data.store.limits import MAX_VALUE
from accord.serve.limits import EVENTS
from accord.serve.schemas.common import Body, Context, Id, Rejected, Seconds


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


class EventsOut(BaseModel):
    """What became of a batch of events; those accepted are on the disk."""

    accepted: int
    duplicates: int
    """Their `event_id` was known."""
    rejected: list[Rejected]


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
