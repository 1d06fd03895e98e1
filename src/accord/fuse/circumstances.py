"""In which circumstances a list is asked for, as numbers that a network reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from accord.core.arrays import Doubles, Floats
from accord.core.errors import ArtefactError
from accord.core.keys import keys_of
from accord.core.part import State, prefixed, under
from accord.core.queries import Queries
from accord.core.slate import Slate

Clock: TypeAlias = Literal["hour", "weekday"]
PERIODS: Mapping[Clock, float] = {"hour": 86_400.0, "weekday": 604_800.0}
"""Seconds until each begins again."""
NOW, CONTEXT = "now", "context."
"""The facts of a slate that hold when a list was asked for (seconds since 1970), and the keys of circumstances."""
BITS = 11
"""What keys are cut by, so that a float holds them."""
MOST, OFTEN = 32, 20
"""Only so many values of a circumstance are told apart, each of which came up at least so often."""


def facts_of(queries: Queries) -> dict[str, Doubles]:
    """The facts of a slate that say in which circumstances its lists are asked for; NaN where it is not known."""
    facts = {NOW: queries.now}
    for name, values in queries.context.items():
        facts[f"{CONTEXT}{name}"] = np.full(len(queries), np.nan)
        rows, keys = keys_of(values)
        facts[f"{CONTEXT}{name}"][rows] = keys >> BITS
    return facts


@dataclass(frozen=True)
class Circumstances:
    """The hour and the weekday as points on a circle (UTC), and which of its usual values each circumstance has."""

    clock: tuple[Clock, ...]
    names: tuple[str, ...]
    keys: tuple[Doubles, ...] = ()
    """Of each circumstance: the keys of the values that are told apart."""

    @classmethod
    def of(cls, slate: Slate, clock: tuple[Clock, ...], names: tuple[str, ...]) -> Circumstances:
        """Those that lists were asked for in."""
        return cls(clock, names, tuple(_usual(_fact(slate, f"{CONTEXT}{name}")) for name in names))

    @property
    def width(self) -> int:
        """How many numbers there are."""
        return 2 * len(self.clock) + sum(len(keys) for keys in self.keys)

    def __call__(self, slate: Slate) -> Floats:
        """``float32[B, width]``: zero where something is not known, or not usual."""
        turns = [_fact(slate, NOW) / PERIODS[name] * 2 * np.pi for name in self.clock]
        columns = [side(turn) for turn in turns for side in (np.sin, np.cos)]
        for name, keys in zip(self.names, self.keys, strict=True):
            told = _fact(slate, f"{CONTEXT}{name}")
            columns += [told == key for key in keys]
        return np.nan_to_num(np.array(columns, np.float32).reshape(len(columns), len(slate)).T)

    def state(self) -> State:
        """The keys, by circumstance."""
        return prefixed(CONTEXT, dict(zip(self.names, self.keys, strict=True)))

    @classmethod
    def of_state(cls, arrays: State, clock: tuple[Clock, ...], names: tuple[str, ...]) -> Circumstances:
        """What ``state`` gave. Raises ``ArtefactError`` where a part is missing."""
        found = under(arrays, CONTEXT)
        for name in names:
            if name not in found or found[name].ndim != 1 or len(found[name]) > MOST:
                raise ArtefactError(f"the saved fuser lacks the values of {name!r}", remedy="Train it again.")
        return cls(clock, names, tuple(found[name] for name in names))


def _fact(slate: Slate, name: str) -> Doubles:
    return slate.facts.get(name, np.full(len(slate), np.nan))


def _usual(values: Doubles) -> Doubles:
    """The commonest values, ascending."""
    keys, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    common = np.argsort(-counts, kind="stable")[:MOST]
    return np.sort(keys[common[counts[common] >= OFTEN]])
