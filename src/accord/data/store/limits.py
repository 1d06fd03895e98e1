"""How large what is stored may be, and the checks; whoever takes rows from strangers can ask before the store does."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from accord.core.errors import InputError
from accord.data.kinds import MAX_ID, MAX_LABELS, MAX_TEXT
from accord.data.store.events import Event, Fields, Impression

MAX_FIELDS = 200
"""Fields of an item or a user."""
MAX_NAME = 100
"""Characters of the name of a field or of a circumstance."""
MAX_JSON = 1 << 20
"""Bytes of all fields of an item or a user, and of a whole impression's lists and request each."""
MAX_CONTEXT = 50
"""Circumstances of an event."""
MAX_VALUE = 512
"""Characters of a circumstance, a kind of event, a placement or a version."""
MAX_NUMBER = 2**53
"""The largest whole number, on either side of zero: beyond it a float64 has gaps."""
MAX_TIME = 1e11
"""The latest time in seconds since 1970, the year 5138: larger numbers are milliseconds."""
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def check_event(event: Event, place: str = "event") -> None:
    """Raises ``InputError`` naming the first field that cannot be stored."""
    for name in ("event_id", "user_id", "item_id"):
        check_id(getattr(event, name), f"{place}.{name}")
    if event.impression_id is not None:
        check_id(event.impression_id, f"{place}.impression_id")
    _check_text(event.event, MAX_VALUE, f"{place}.event")
    if not math.isnan(event.timestamp):
        check_time(event.timestamp, f"{place}.timestamp")
    _check_finite(event.weight, f"{place}.weight")
    if event.value is not None:
        _check_finite(event.value, f"{place}.value")
    if event.context:
        check_context(event.context, f"{place}.context")


def check_id(value: Any, place: str) -> None:
    """Raises ``InputError`` where this is no text of 1 to ``MAX_ID`` characters."""
    _check_text(value, MAX_ID, place)
    if not value:
        raise InputError("an id must not be empty", place=place, value=value)


def check_time(value: Any, place: str) -> None:
    """Raises ``InputError`` where this is no time in seconds since 1970."""
    _check_finite(value, place)
    if abs(value) > MAX_TIME:
        raise InputError("not a time in seconds since 1970", place=place, value=value, remedy="Divide it by 1000.")


def fields_json(fields: Mapping[str, Any], place: str) -> str:
    """The fields as JSON text. Raises ``InputError`` naming the field that is of another type, or too large."""
    _check_size(fields, MAX_FIELDS, place, "fields")
    for name, value in fields.items():
        _check_name(name, place)
        _check_field(value, f"{place}.{name}")
    return _bounded_json(fields, place)


def impression_json(impression: Impression, place: str = "impression") -> tuple[str, str]:
    """The list and the request as JSON text. Raises ``InputError`` where an impression cannot be stored."""
    check_id(impression.impression_id, f"{place}.impression_id")
    if impression.user_id is not None:
        check_id(impression.user_id, f"{place}.user_id")
    check_time(impression.created, f"{place}.created")
    _check_text(impression.model, MAX_VALUE, f"{place}.model")
    _check_text(impression.placement, MAX_VALUE, f"{place}.placement")
    return _bounded_json(impression.items, f"{place}.items"), _bounded_json(impression.request, f"{place}.request")


def fields_of(text: str) -> Fields:
    """The fields that ``fields_json`` wrote."""
    return json.loads(text)


def _check_field(value: Any, place: str) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, MAX_TEXT, place)
    elif isinstance(value, int | float):
        _check_finite(value, place)
        if isinstance(value, int) and abs(value) > MAX_NUMBER:
            raise InputError(f"whole numbers go to {MAX_NUMBER}", place=place, value=value, remedy="Send it as text.")
    elif isinstance(value, list):
        _check_size(value, MAX_LABELS, place, "entries")
        for number, entry in enumerate(value):
            _check_text(entry, MAX_ID, f"{place}[{number}]")
    else:
        remedy = "Fields hold text, numbers, true or false, null, or lists of text."
        raise InputError("a field of another type", place=place, value=value, remedy=remedy)


def check_context(context: Any, place: str) -> None:
    """Raises ``InputError`` where these are not circumstances that can be stored."""
    if not isinstance(context, dict):
        raise InputError("circumstances must be an object", place=place, value=context)
    _check_size(context, MAX_CONTEXT, place, "circumstances")
    for name, value in context.items():
        _check_name(name, place)
        _check_text(value, MAX_TEXT if name == "text" else MAX_VALUE, f"{place}.{name}")


def _check_name(name: Any, place: str) -> None:
    _check_text(name, MAX_NAME, place)
    if not name:
        raise InputError("a field must have a name", place=place)


def _check_text(value: Any, most: int, place: str) -> None:
    if not isinstance(value, str):
        raise InputError("text is wanted", place=place, value=value)
    if len(value) > most:
        raise InputError(f"longer than {most} characters", place=place, value=value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InputError("not valid Unicode (half of a surrogate pair)", place=place, value=value) from None
    if "\x00" in value:
        raise InputError("the character NUL cannot be stored", place=place, value=value)


def _check_finite(value: Any, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise InputError("a finite number is wanted", place=place, value=value)


def _is_finite(value: int | float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def _check_size(values: Any, most: int, place: str, what: str) -> None:
    if len(values) > most:
        raise InputError(f"more than {most} {what}", place=place, value=len(values))


def _bounded_json(value: Any, place: str) -> str:
    try:
        text = _JSON.encode(value)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be written as JSON ({error})", place=place) from None
    if size > MAX_JSON:
        raise InputError(f"larger than {MAX_JSON} bytes", place=place, value=f"{size} bytes")
    return text
