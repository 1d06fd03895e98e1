"""What a request is answered from: one pipeline, what it is called, and what is hidden by now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from accord.core.arrays import Bools
from accord.pipeline.pipeline import Pipeline
from accord.registry import Delta
from accord.serve.arrivals import Reached

STARTING = "starting"
"""The name of the pipeline that answers before there is a trained one."""


@dataclass(frozen=True)
class Target:
    """What is to answer, by name."""

    name: str
    """The version."""
    delta: Delta | None = None
    """What it has learned since its fit; None: nothing."""


@dataclass(frozen=True)
class Model:
    """A pipeline with what is read from it once; it never changes."""

    name: str
    """The version."""
    pipeline: Pipeline
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    """How much each kind of event counts."""
    base: Pipeline | None = None
    """The version as it was loaded, of which the pipeline is what became of it; None: of the starting pipeline."""
    delta: Delta | None = None
    """The delta that the pipeline was made from."""
    reached: Reached = field(default_factory=Reached)
    """Up to where the delta has followed the store."""

    @property
    def target(self) -> Target:
        """What it is by name."""
        return Target(self.name, self.delta)


@dataclass(frozen=True)
class Settled:
    """A model that has all items which were posted up to some change of the catalogue."""

    model: Model
    change: int


@dataclass(frozen=True)
class Current:
    """A model and the items of it that are not deleted. A change makes a new one; requests under way keep theirs."""

    model: Model
    shown: Bools | None = None
    """``bool[n_items]``, not to be written; None: no item is deleted."""

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline of the model."""
        return self.model.pipeline

    def number(self, item: str) -> int | None:
        """The number of an item that may be shown; None where it is unknown or deleted."""
        number = self.pipeline.data.item_numbers.get(item)
        return None if number is None or (self.shown is not None and not self.shown[number]) else number

    def without(self, deleted: Iterable[str]) -> Current:
        """The same model with just these items hidden."""
        known = self.pipeline.data.item_numbers
        gone = [known[item] for item in deleted if item in known]
        if not gone:
            return replace(self, shown=None)
        shown = np.ones(self.pipeline.data.n_items, dtype=bool)
        shown[gone] = False
        shown.setflags(write=False)
        return replace(self, shown=shown)
