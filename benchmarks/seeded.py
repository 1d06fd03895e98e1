"""What benchmarks of single sources share: several seeds, one judge, paired intervals, a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.core.roles import Recommender
from accord.core.run import Run
from accord.core.slate import Slate
from accord.data.holdout import Holdout
from accord.evaluate.case import Case
from accord.evaluate.significance import paired_bootstrap
from accord.pipeline.resume import identity

DEPTH = 20
SECONDS = "cpu seconds"
Lists = Callable[[Queries], Slate]
Values = dict[str, np.ndarray]
"""Metrics by query."""


@dataclass
class Figures:
    """What some systems reached with several seeds."""

    metrics: tuple[str, ...]
    values: dict[str, list[Values]] = field(default_factory=dict[str, list[Values]])
    """By system: one row a seed."""

    def add(self, system: str, values: Values) -> None:
        """One system with one seed."""
        self.values.setdefault(system, []).append(values)

    def by_query(self, system: str) -> np.ndarray:
        """``[B, metrics]``: means over the seeds."""
        return np.stack([np.mean([values[m] for values in self.values[system]], axis=0) for m in self.metrics], axis=1)

    def cells(self, system: str) -> list[str]:
        """A cell a metric: the mean over the seeds, and each of them."""
        each = [[values[metric].mean() for values in self.values[system]] for metric in self.metrics]
        return [
            f"{np.mean(found):.4f}" + (f" ({', '.join(f'{one:.4f}' for one in found)})" if len(found) > 1 else "")
            for found in each
        ]

    def differences(self, system: str, other: str) -> list[str]:
        """A cell a metric: one system less another, with the 95 % interval over queries."""
        told = paired_bootstrap(self.by_query(system) - self.by_query(other))
        return [f"{one.difference:+.4f} ({one.low:+.4f} to {one.high:+.4f})" for one in told]


def fitted(source: Recommender, data: Dataset, run: Run) -> tuple[Recommender, float]:
    """The source fitted on the data, and the CPU seconds of that; taken from the run's checkpoint where it is there."""

    def fit() -> dict[str, np.ndarray]:
        began = time.process_time()
        return source.fit(data, run).state() | {SECONDS: np.asarray(time.process_time() - began)}

    state = run.keep("fits", (identity(source), data), fit, lambda made: made, lambda kept: kept)
    learned = source.load_state({name: array for name, array in state.items() if name != SECONDS})
    return learned, float(state[SECONDS])


def alone(source: Recommender) -> Lists:
    """Lists by the scores of one source."""
    return lambda queries: source.recommend(queries, DEPTH)


def judged(lists: Lists, asked: Holdout, counts: np.ndarray, metrics: Sequence[str]) -> Values:
    """Metrics by query of what a system answers. ``counts``: training events of each item."""
    lengths = sorted({int(metric.partition("@")[2]) for metric in metrics})
    values = Case({"it": lists(asked.queries)}, asked, counts).per_query("it", lengths)
    return {metric: values[metric] for metric in metrics}
