"""What people do: events, and answers to lists."""

from __future__ import annotations

import secrets
import time

from fastapi import APIRouter

from accord.core.errors import InputError
from accord.data.store.events import Event
from accord.serve.access import needs
from accord.serve.checking import good_events
from accord.serve.errors import unknown
from accord.serve.routes.parts import TheLive
from accord.serve.schemas import EventsIn, EventsOut, FeedbackIn

router = APIRouter(tags=["events"])


@router.post("/v1/events", **needs("write"))
def post_events(body: EventsIn, live: TheLive) -> EventsOut:
    """Keep a batch of events.

    The answer comes after they are on the disk; the next list counts them. An event whose `event_id` is known counts as
    a duplicate, so a batch may be sent again. Rows that are no events are rejected one by one.
    """
    events, rejected = good_events(body.events, live.weights)
    with live.metrics.stage("store"):
        kept = live.store.append_events(events)
    for outcome, count in (("accepted", kept.accepted), ("duplicate", kept.duplicates), ("rejected", len(rejected))):
        live.metrics.events.labels(outcome).inc(count)
    return EventsOut(accepted=kept.accepted, duplicates=kept.duplicates, rejected=rejected)


@router.post("/v1/feedback", **needs("write", 404))
def post_feedback(body: FeedbackIn, live: TheLive) -> EventsOut:
    """Answer a list: an event of the user to whom it was shown, with the list's `impression_id`."""
    impression = live.store.impression(body.impression_id)
    if impression is None:
        raise unknown("impression", "impression_id")
    if all(shown["item_id"] != body.item_id for shown in impression.items):
        raise InputError("the list did not show this item", place="item_id", remedy="Send it to /v1/events instead.")
    user = body.user_id or impression.user_id
    if user is None:
        raise InputError("the list was shown to nobody in particular", place="user_id", remedy="Say whose event it is.")
    event = Event(
        event_id=body.event_id or f"server-{secrets.token_hex(16)}",
        user_id=user,
        item_id=body.item_id,
        event=body.event,
        timestamp=time.time() if body.timestamp is None else body.timestamp,
        value=body.value,
        weight=live.weights.get(body.event, 1.0),
        impression_id=body.impression_id,
    )
    kept = live.store.append_events([event])
    return EventsOut(accepted=kept.accepted, duplicates=kept.duplicates, rejected=[])
