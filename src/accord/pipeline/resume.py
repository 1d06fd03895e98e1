"""What a job keeps of its sources while it works: fits and lists, each with all that it depends on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from accord.core.dataset import Dataset
from accord.core.part import Part, State
from accord.core.roles import Recommender
from accord.core.run import Run
from accord.core.slate import Slate
from accord.core.state import file_digest
from accord.data.holdout import Split
from accord.pipeline.spec import PipelineSpec, make


def identity(part: Part) -> tuple[Any, ...]:
    """What a part is before it has learned: its class, what the class's file says, and its configuration."""
    kind = type(part)
    return (kind.__module__, kind.__qualname__, _source_digest(kind.__module__), part.config)


def chosen_on(spec: PipelineSpec, sources: Mapping[str, Recommender], split: Split) -> tuple[Any, ...]:
    """All that a fusion of the sources depends on; their fits follow from the data."""
    fusers = [make("fusers", values, "fusers", sources=tuple(sources)) for values in spec.fusers]
    parts = [identity(part) for part in (*sources.values(), *fusers)]
    return (spec, list(sources), parts, split.train, split.valid)


@cache
def _source_digest(module: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:  # typed in by hand: nobody knows whether it is still the same in another process
        return f"process {os.getpid()}"
    return file_digest(Path(file))


def kept_fit(source: Recommender, data: Dataset, run: Run, spent: float | None = None) -> Recommender:
    """The source fitted on the data. Raises ``CannotFit`` as ``Recommender.fit`` does.

    ``spent``: the seconds that its fit has taken, where it is fitted already and only to be kept.
    """
    return run.keep(
        "fits",
        (identity(source), data),
        lambda: source.fit(data, run) if spent is None else source,
        lambda made: made.state(),
        source.load_state,
        spent or 0.0,
    )


def kept_lists(run: Run, parts: tuple[Any, ...], rank: Callable[[], dict[str, Slate]]) -> dict[str, Slate]:
    """The lists of several systems. ``parts``: all that they depend on."""
    return run.keep("sets of lists", parts, rank, _slates_state, _slates_of)


def _slates_state(slates: Mapping[str, Slate]) -> State:
    """Arrays named ``system/items``, ``system/columns/name`` and ``system/facts/name``."""
    arrays: State = {}
    for system, slate in slates.items():
        arrays[f"{system}/items"] = slate.items
        arrays |= {f"{system}/columns/{name}": values for name, values in slate.columns.items()}
        arrays |= {f"{system}/facts/{name}": values for name, values in slate.facts.items()}
    return arrays


def _slates_of(arrays: State) -> dict[str, Slate]:
    slates: dict[str, Slate] = {}
    for name, values in arrays.items():
        system, kind, *rest = name.split("/", 2)
        if kind == "items":
            slates[system] = Slate(values, {}, {})
        else:
            getattr(slates[system], kind)[rest[0]] = values
    return slates
