"""What several requests have in common: ids, times, circumstances."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from accord.data.kinds import MAX_ID
from accord.data.store.limits import MAX_CONTEXT, MAX_NAME, MAX_TIME, MAX_VALUE

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


class Rejected(BaseModel):
    """A row that was not kept."""

    index: int
    """Its place in the batch, from 0."""
    reason: str
    """Why."""
