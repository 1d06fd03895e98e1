"""Places where lists are shown, as TOML says it: rules, caps, pinned places, boosts, and what is liked more or less."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, Field, StrictInt, model_validator

from accord.core.config import Config, parse
from accord.core.errors import InputError
from accord.pipeline.compiled import CompiledCatalogue
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.rules import Rules, Selection, Text

MOST_PINS = 50
MOST_BOOSTS = 50
MOST_CAPS = 10
MOST_LIKED = 50
"""The most items that more-like or less-like may name: each of the latter costs a list of its own."""


class PinnedItem(Config):
    """A place that is reserved for one item, outside the ranking."""

    place: int = Field(ge=1, le=1_000)
    """From 1."""
    item: Text
    """Item id."""
    label: str = Field(default="", max_length=100)
    """What the answer calls it, such as ``sponsored``."""


class Boost(Selection):
    """Some items count more, or less."""

    by: float = Field(ge=-10, le=10, allow_inf_nan=False)
    """Standard deviations of the scores of the query's 100 best items that are added to the score; below 0: buried."""

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if not self:
            raise ValueError("a boost needs items or values")
        return self


def _distinct(pins: tuple[PinnedItem, ...]) -> tuple[PinnedItem, ...]:
    for told, values in (("place", [pin.place for pin in pins]), ("item", [pin.item for pin in pins])):
        if len(set(values)) < len(values):
            raise ValueError(f"two pins have the same {told}")
    return pins


def _few(liked: Selection) -> Selection:
    if len(liked.items) > MOST_LIKED:
        raise ValueError(f"more_like and less_like name at most {MOST_LIKED} items")
    return liked


Most: TypeAlias = Annotated[StrictInt, Field(ge=1)]
Pinned: TypeAlias = Annotated[tuple[PinnedItem, ...], AfterValidator(_distinct)]
"""Reserved places, no two of them for one item."""
Liked: TypeAlias = Annotated[Selection, AfterValidator(_few)]
"""What is liked more or less."""


class Terms(Config):
    """What a list must keep to. A placement has terms, and a request may bring more: both hold."""

    rules: Rules = Field(default_factory=Rules)
    """What may be shown."""
    caps: dict[Text, Most] = Field(default_factory=dict[str, int], max_length=MOST_CAPS)
    """By field: the most items of one value in a list."""
    pins: Pinned = Field(default=(), max_length=MOST_PINS)
    """Reserved places."""
    boosts: tuple[Boost, ...] = Field(default=(), max_length=MOST_BOOSTS)
    """Items that count more or less."""
    more_like: Liked = Field(default_factory=Selection)
    """Items that are read as if they had just been chosen, and values that are boosted by one."""
    less_like: Liked = Field(default_factory=Selection)
    """Items that are hidden and whose likes are buried, and values that are buried by one."""
    mute: Selection = Field(default_factory=Selection)
    """Items and values that are not shown at all."""


class Placement(Terms):
    """A named place where lists are shown: the home page, the basket, a letter."""

    name: str = Field(default="list", pattern=r"^[a-z][a-z0-9_-]{0,40}$")
    """Its name: the key of its table."""
    description: str = Field(default="", max_length=500)
    """One line for people."""
    n: int = Field(default=20, ge=1, le=1_000)
    """Items of a list."""
    preset: str | None = None
    """The pipeline that should answer, by the name in its specification; ``check`` objects to another."""
    version: str | None = None
    """The version that answers; None: the live one."""

    def check(self, pipeline: Pipeline) -> list[str]:
        """Raise ``InputError`` where a field does not exist or holds something else; return what else looks wrong."""
        check_terms(self, pipeline.catalogue)
        notes = unknown_items(self, pipeline)
        if self.preset not in (None, pipeline.spec.name):
            notes.append(f"made for the preset {self.preset!r}, and the pipeline is {pipeline.spec.name!r}")
        late = [pin for pin in self.pins if pin.place > self.n]
        return [*notes, *(f"place {pin.place} of {pin.item!r} lies beyond the list of {self.n}" for pin in late)]


def check_terms(terms: Terms, catalogue: CompiledCatalogue) -> None:
    """Raise ``InputError`` where terms read a field that does not exist or holds something else."""
    catalogue.check(terms.rules)
    for field in terms.caps:
        catalogue.fields.kind(field, f"caps.{field}")
    for place, boost in enumerate(terms.boosts):
        catalogue.selected(boost, f"boosts.{place}")
    for name in ("more_like", "less_like", "mute"):
        catalogue.selected(getattr(terms, name), name)


def unknown_items(terms: Terms, pipeline: Pipeline) -> list[str]:
    """A sentence for each place that names items which the catalogue does not have (yet, or any more)."""
    named = {
        "rules.blocked": terms.rules.blocked,
        "rules.only": terms.rules.only or (),
        "pins": [pin.item for pin in terms.pins],
        **{f"boosts.{place}": boost.items for place, boost in enumerate(terms.boosts)},
        **{name: getattr(terms, name).items for name in ("more_like", "less_like", "mute")},
    }
    missing = {place: [one for one in ids if one not in pipeline.data.item_numbers] for place, ids in named.items()}
    return [
        f"{place}: {len(ids)} of {len(named[place])} items are not in the catalogue, such as {ids[0]!r}"
        for place, ids in missing.items()
        if ids
    ]


def load_placements(path: Path) -> dict[str, Placement]:
    """The placements of a TOML file by name. Raises ``InputError`` naming the place of the mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("no such file", place="--placements", value=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"not a text file ({error})", place="--placements", value=str(path)) from None
    return placements_of(text, str(path))


def placements_of(text: str, place: str) -> dict[str, Placement]:
    """Parse TOML text: one table ``[placements.NAME]`` for each."""
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not TOML ({error})", place=place) from None
    tables = values.pop("placements", None)
    if values or not isinstance(tables, dict) or not tables:
        raise InputError(
            "one table [placements.NAME] for each placement is needed, and nothing else", place=place, value=[*values]
        )
    return {name: _placement(name, table, f"{place}: placements.{name}") for name, table in tables.items()}


def _placement(name: str, table: Any, place: str) -> Placement:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,40}", name):
        raise InputError("names are lower-case words of letters, digits, - and _", place=place, value=name)
    if not isinstance(table, dict) or "name" in table:
        raise InputError("a placement is a table, and its name is that of the table", place=place, value=table)
    return parse(Placement, {**table, "name": name}, place)
