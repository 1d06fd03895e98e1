"""The names of columns, in one place."""

from typing import Final

USER: Final = "user_id"
ITEM: Final = "item_id"
TIME: Final = "timestamp"
EVENT: Final = "event"
VALUE: Final = "value"
TEXT: Final = "text"
WEIGHT: Final = "weight"

USER_NUMBER: Final = "user"
ITEM_NUMBER: Final = "item"

TITLE: Final = "title"
DESCRIPTION: Final = "description"
CATEGORIES: Final = "categories"
IMAGE: Final = "image"
PRICE: Final = "price"
AVAILABLE_AT: Final = "available_at"

HEAD: Final = "head"
RELATION: Final = "relation"
TAIL: Final = "tail"

SCORE: Final = "score"
RANK: Final = "rank"
