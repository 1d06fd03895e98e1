"""What one network may learn beside the next item: ratings, and whether an item that is shown is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import Field
from torch import nn

from accord.core.arrays import Bools, Floats
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.part import State, under
from accord.data.choices import chosen_events
from accord.learn.heads import PairHead
from accord.models.logged import Log

Task: TypeAlias = Literal["next", "rating", "click"]
Tasks: TypeAlias = dict[Task, Annotated[float, Field(gt=0)]] | Literal["learned"]
NEXT, RATING, CLICK = "next", "rating", "click"
LEARNED = "learned"


def checked(tasks: Any) -> Any:
    """The tasks themselves. Raises ``ValueError`` where the next item is not among them."""
    if tasks != LEARNED and NEXT not in tasks:
        raise ValueError(f"a source must pick items: give {NEXT!r} a weight")
    return tasks


def weights_of(tasks: Tasks, marks: Floats | None, chosen: Bools | None) -> dict[str, float]:
    """What each task counts; with ``learned`` all that the log can feed.

    Raises ``CannotFit`` for a task that is named and that it cannot feed.
    """
    fed = {NEXT: True, RATING: marks is not None, CLICK: chosen is not None}
    if tasks == LEARNED:
        return {name: 1.0 for name, there in fed.items() if there}
    named = {str(name): weight for name, weight in tasks.items()}
    if named.get(RATING) and marks is None:
        raise CannotFit("the log has no values that differ", place="tasks.rating", remedy="Leave out the task.")
    if named.get(CLICK) and chosen is None:
        raise CannotFit(
            "every event of the log is a choice: none says that an item was only shown",
            place="tasks.click",
            remedy="Name kinds of events in `shown`, or leave out the task.",
        )
    return named


def marks_of(data: Dataset, tasks: Tasks) -> Floats | None:
    """The ratings to predict; None where none are asked for, or no two differ."""
    values = data.event_values
    if values is None or not (tasks == LEARNED or RATING in tasks):
        return None
    some = values[~np.isnan(values)]
    return values if len(some) and np.ptp(some) > 0 else None


def choices_of(data: Dataset, tasks: Tasks, shown: tuple[str, ...]) -> Bools | None:
    """Which events are choices; None where that is not asked for, or all are, or none is."""
    if not (tasks == LEARNED or CLICK in tasks):
        return None
    chosen = chosen_events(data, shown)
    return chosen if 0 < int(chosen.sum()) < len(chosen) else None


def heads_of(log: Log, dim: int, n_items: int, wanted: Mapping[str, float]) -> nn.ModuleDict:
    """Untrained heads of the tasks beside the next item; they begin with what is known of the items alone."""
    heads = nn.ModuleDict()
    if RATING in wanted and log.marks is not None:
        heads[RATING] = PairHead.of_marks(dim, n_items, log.items, log.marks)
    if CLICK in wanted and log.chosen is not None:
        heads[CLICK] = PairHead.of_choices(dim, n_items, log.items, log.chosen)
    return heads


def heads_of_state(arrays: State, dim: int) -> nn.ModuleDict:
    """Heads by their saved arrays, ``task.array``. Raises ``ArtefactError`` where they do not fit."""
    heads = nn.ModuleDict()
    for name in (RATING, CLICK):
        if own := under(arrays, f"{name}."):
            heads[name] = PairHead.of_state(dim, own)
    return heads
