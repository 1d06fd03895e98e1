"""What may be shown, as TOML and requests say it: availability, age, region, stock, blocked items, filters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    field_validator,
    model_validator,
)

from accord.core.config import Config

MOST_IDS = 10_000
"""The most ids, or values of one condition, that a rule may list."""
MOST_FILTERS = 50
"""The most fields that one set of rules may filter by."""
LONGEST = 512
"""Characters of an id, a label or the name of a field."""
UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
YES = frozenset({"true", "yes", "y", "1", "available", "in stock"})
NO = frozenset({"false", "no", "n", "0", "unavailable", "out of stock"})

Text: TypeAlias = Annotated[StrictStr, Field(min_length=1, max_length=LONGEST)]
Number: TypeAlias = (
    Annotated[StrictInt, Field(ge=-(2**53), le=2**53)] | Annotated[StrictFloat, Field(allow_inf_nan=False)]
)
Value: TypeAlias = StrictBool | Number | Text
Ids: TypeAlias = Annotated[tuple[Text, ...], Field(max_length=MOST_IDS)]
Unknown: TypeAlias = Literal["show", "hide"]
"""What becomes of an item that does not say."""


def seconds_of(value: Any) -> Any:
    """``"30d"`` as seconds; other values as they are. Units: s, m, h, d, w."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", value.strip())
    if found is None:
        raise ValueError('a duration is a number of seconds, or a number with a unit: "90s", "45m", "12h", "30d", "2w"')
    return float(found[1]) * UNITS[found[2]]


def moment_of(value: Any) -> float:
    """A date or time of ISO 8601 as seconds since 1970, UTC where it names no zone; a number as it is."""
    if not isinstance(value, str):
        return float(value)
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


Seconds: TypeAlias = Annotated[float, BeforeValidator(seconds_of), Field(ge=0, allow_inf_nan=False)]


class FieldRule(Config):
    """A rule on one field; a bare name stands for ``{field = name}``."""

    field: Text
    """Column of the items table."""
    unknown: Unknown = "show"
    """What becomes of items without a value."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"field": value} if isinstance(value, str) else value


class Available(FieldRule):
    """Only items that are available: true, a number above 0, or a label that says yes."""

    values: tuple[Text, ...] = Field(default=(), max_length=1_000)
    """The labels that mean available; without it ``true``, ``yes``, ``y``, ``1``, ``available`` and ``in stock`` do."""


class Stock(FieldRule):
    """Only items with more than ``above`` in stock."""

    above: Number = 0


class Age(FieldRule):
    """Only items whose time lies between ``min`` and ``max`` before the moment the list is asked for.

    Where that moment is unknown nothing is known of any item's age.
    """

    low: Seconds = Field(default=0.0, alias="min")
    """The least age; with 0, an item of the future is not shown."""
    high: Seconds | None = Field(default=None, alias="max")
    """The greatest age; None: no bound."""


class Region(FieldRule):
    """Only items of the region that the query's context names; an item without any region belongs everywhere."""

    context: Text = "region"
    """Which circumstance of the query names the region."""
    default: Text | None = None
    """The region of queries that name none; None: they are shown only what belongs everywhere."""


class Condition(Config):
    """What a filter asks of one field; all that is said must hold. A bare value stands for ``{in = [value]}``."""

    among: tuple[Value, ...] | None = Field(default=None, alias="in", min_length=1, max_length=MOST_IDS)
    """Any of these values; a list field must hold one of them at least."""
    no: tuple[Value, ...] | None = Field(default=None, alias="not", min_length=1, max_length=MOST_IDS)
    """None of these values."""
    low: Number | Text | None = Field(default=None, alias="min")
    """The least number, or the earliest time."""
    high: Number | Text | None = Field(default=None, alias="max")
    """The greatest number, or the latest time."""
    unknown: Unknown | None = None
    """Items without a value: hidden by default, shown where only ``not`` is said."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return value if isinstance(value, dict | Condition) else {"in": value if isinstance(value, list) else [value]}

    @field_validator("no", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | int | float) else value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.among is None and self.no is None and not self.bounded:
            raise ValueError("a filter needs a value or one of: in, not, min, max")
        return self

    @property
    def bounded(self) -> bool:
        """Whether there is a lower or an upper bound."""
        return self.low is not None or self.high is not None

    @property
    def shows_unknown(self) -> bool:
        """Whether items without a value pass."""
        return self.unknown == "show" if self.unknown else self.among is None and not self.bounded


class Selection(Config):
    """Some items: by id, or by a value of a field."""

    items: Ids = ()
    """Item ids; unknown ones count for nothing, for a catalogue lives."""
    values: dict[Text, tuple[Value, ...]] = Field(default_factory=dict[str, tuple[Value, ...]], max_length=MOST_FILTERS)
    """Values by field, such as ``{genres = ["Drama"]}``: all items that have one of them."""

    @field_validator("values")
    @classmethod
    def _bounded(cls, values: dict[str, tuple[Value, ...]]) -> dict[str, tuple[Value, ...]]:
        if sum(map(len, values.values())) > MOST_IDS or not all(values.values()):
            raise ValueError(f"each field needs a value, and there are at most {MOST_IDS} of them in all")
        return values

    def __bool__(self) -> bool:
        return bool(self.items or self.values)


class Rules(Config):
    """What may be shown; every rule that is given must hold. Rules compile to a mask before any source runs."""

    available: Available | None = None
    age: Age | None = None
    region: Region | None = None
    stock: Stock | None = None
    blocked: Ids = ()
    """Item ids that are never shown."""
    only: Ids | None = None
    """The only item ids that may be shown."""
    filters: dict[Text, Condition] = Field(default_factory=dict[str, Condition], max_length=MOST_FILTERS)
    """Conditions by field."""
    include_seen: bool = False
    """Whether items of the history may be shown again."""

    @cached_property
    def key(self) -> str:
        """Digest of the part that is the same for every query: what a compiled mask is kept under."""
        return self.model_copy(update={"age": None, "region": None, "include_seen": False}).digest

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some rules replaced, and a key of its own."""
        copy = super().model_copy(update=update, deep=deep)
        vars(copy).pop("key", None)  # pydantic copies what was cached, too
        return copy

    @property
    def by_query(self) -> bool:
        """Whether what may be shown depends on when and where it is asked for."""
        return self.age is not None or self.region is not None
