"""Items and users."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from accord.serve.limits import ITEMS
from accord.serve.schemas.common import Body, Rejected

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
