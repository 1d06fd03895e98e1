"""What a tuning may change: settings by dotted path, each with a range or a list of choices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeAlias

from pydantic import Field, FiniteFloat, model_validator

from accord.core.config import Config
from accord.core.errors import InputError

Number: TypeAlias = FiniteFloat | Annotated[int, Field(strict=True)]
PARTS = ("encoders", "sources", "fusers")
"""The tables whose settings may be tuned."""


class Range(Config):
    """All numbers from one to another."""

    low: Number
    """The smallest; where both ends are whole numbers, only whole ones are tried."""
    high: Number
    """The largest."""
    log: bool = False
    """Try as many between 1 and 10 as between 10 and 100."""
    step: Number | None = None
    """Try only ``low`` and whole steps above it."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log needs a low above 0, and goes without step")
        if self.step is not None and (self.step <= 0 or not self._on_step(self.high)):
            raise ValueError("high must lie a whole number of steps above low")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return all(isinstance(end, int) for end in (self.low, self.high, self.step or 0))

    def holds(self, value: Any) -> bool:
        """Whether a value is one of those that may be tried."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            return False
        return float(value).is_integer() or not self.whole if self.step is None else self._on_step(value)

    def _on_step(self, value: float) -> bool:
        steps = (value - self.low) / (self.step or 1)
        return math.isclose(steps, round(steps), abs_tol=1e-9)


Options: TypeAlias = "Range | Annotated[list[Any], Field(min_length=1)]"
"""A range, or the values to choose from."""


class Tune(Config):
    """What ``accord tune`` searches, and how much it looks at."""

    space: dict[str, Options] = Field(default_factory=dict[str, Options])
    """Ranges and choices by path: ``sources.NAME.setting``, ``encoders.NAME.setting``, ``fusers.NUMBER.setting``."""
    queries: int = Field(default=3_000, ge=40)
    """The most validation queries of each half: half A judges the trials, half B the result."""


def ends(options: Options) -> list[Any]:
    """The values that say whether all of them can be built: both ends of a range, or every choice."""
    return [options.low, options.high] if isinstance(options, Range) else list(options)


def holds(options: Options, value: Any) -> bool:
    """Whether a value is one of those that may be tried."""
    return options.holds(value) if isinstance(options, Range) else plain(value) in map(plain, options)


def plain(value: Any) -> Any:
    """A value as TOML would hold it, where a list has no other kind beside it."""
    return [plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def part_of(path: str) -> tuple[str, str, list[str]]:
    """The table, the part in it and the keys below of ``sources.ease.reg``. Raises ``InputError`` for other paths."""
    table, _, rest = path.partition(".")
    name, _, setting = rest.partition(".")
    keys = setting.split(".")
    if table not in PARTS or not name or not all(keys) or keys == ["kind"]:
        raise InputError(
            "not the path of a setting", value=path, remedy="As in sources.NAME.setting or fusers.0.setting."
        )
    return table, name, keys


def put(tables: Mapping[str, Any], path: str, value: Any) -> None:
    """Write a value into the tables of a pipeline's file; None takes the setting away, so that its default counts.

    Raises ``InputError`` where there is no such part.
    """
    table, name, keys = part_of(path)
    place: Any = tables[table]
    for key in (name, *keys[:-1]):
        try:
            place = place[int(key)] if isinstance(place, list) else place[key]
        except (KeyError, ValueError, IndexError, TypeError):
            place = None
    if not isinstance(place, dict):
        raise InputError("the file has no such table", value=path, remedy="Add it, or mend the path.")
    if value is None:
        place.pop(keys[-1], None)
    else:
        place[keys[-1]] = value
