"""Rows from strangers, one by one: what can be kept, and why the others cannot."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from accord.core.columns import ITEM
from accord.core.errors import InputError
from accord.data.store.events import Event, Fields
from accord.data.store.limits import fields_json
from accord.pipeline.arriving import item_rows
from accord.serve.errors import first_problem
from accord.serve.schemas import EventIn, Id, Rejected

AHEAD = 86_400.0
"""Seconds by which a client's clock may be ahead."""
_ID: TypeAdapter[str] = TypeAdapter(Id)


def good_events(rows: Sequence[Any], weights: Mapping[str, float]) -> tuple[list[Event], list[Rejected]]:
    """The events of a batch, and the rows that are none; ``weights``: how much each kind of event counts."""
    events, rejected, now = list[Event](), list[Rejected](), time.time()
    for index, row in enumerate(rows):
        try:
            events.append(_event(row, weights, now))
        except ValueError as error:
            rejected.append(Rejected(index=index, reason=_reason(error)))
    return events, rejected


def _event(row: Any, weights: Mapping[str, float], now: float) -> Event:
    given = row if isinstance(row, EventIn) else EventIn.model_validate(row)
    if given.timestamp is not None and given.timestamp > now + AHEAD:
        raise ValueError("timestamp: more than a day ahead of the server's clock; send seconds since 1970")
    return Event(
        event_id=given.event_id or f"server-{secrets.token_hex(16)}",
        user_id=given.user_id,
        item_id=given.item_id,
        event=given.event,
        timestamp=now if given.timestamp is None else given.timestamp,
        value=given.value,
        weight=weights.get(given.event, 1.0),
        impression_id=given.impression_id,
        context=given.context,
    )


def good_items(rows: Sequence[Any], schema: pa.Schema | None) -> tuple[list[tuple[str, Fields]], list[Rejected]]:
    """Ids and fields of a batch of items, and the rows that are none. Of two rows with one id the last one counts.

    ``schema``: the columns of the catalogue, whose types the fields must fit; None: there is no catalogue yet.
    """
    items, rejected = dict[str, Fields](), list[Rejected]()
    for index, row in enumerate(rows):
        try:
            if not isinstance(row, dict) or ITEM not in row:
                raise ValueError(f"an item is an object with {ITEM} and its fields")
            name = _ID.validate_python(row[ITEM], strict=True)
            items[name] = good_item(name, row, schema)
        except ValueError as error:
            rejected.append(Rejected(index=index, reason=_reason(error)))
        except InputError as error:
            rejected.append(Rejected(index=index, reason=_told(error)))
    return list(items.items()), rejected


def good_item(name: str, row: Mapping[str, Any], schema: pa.Schema | None) -> Fields:
    """The fields of one item. Raises ``InputError`` naming the one that cannot be kept, or does not fit."""
    fields = good_fields({key: value for key, value in row.items() if key != ITEM})
    if schema is not None:
        item_rows([(name, fields)], schema)
    return fields


def good_fields(fields: Mapping[str, Any]) -> Fields:
    """The fields of an item or a user. Raises ``InputError`` naming the one that cannot be kept."""
    fields_json(fields, "fields")
    return dict(fields)


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    message, field = first_problem(error.errors(include_url=False))
    return f"{field}: {message}" if field else message


def _told(error: InputError) -> str:
    """The error without the value received, which the client knows and logs need not."""
    parts = (f"{error.place}: {error.problem}" if error.place else error.problem, error.remedy)
    return ". ".join(part for part in parts if part)
