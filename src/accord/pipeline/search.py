"""Choosing hyper-parameters on validation, one source at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from accord.core.config import parse
from accord.core.errors import CannotFit
from accord.core.roles import Recommender
from accord.core.run import Run
from accord.data.holdout import Holdout, Split
from accord.fuse.base import Panel
from accord.pipeline.fusion import enough, halves
from accord.pipeline.pipeline import panel
from accord.pipeline.resume import identity, kept_fit
from accord.pipeline.sources import ItemFacts, Sources
from accord.pipeline.spec import Search

T = TypeVar("T")


def tune(search: Search, sources: Sources, split: Split, run: Run) -> tuple[Sources, list[dict[str, Any]]]:
    """Sources with the best of the searched values, and every value tried with its NDCG@10.

    Parameters are taken in the order of the search table; a later one starts from the best value of the earlier ones.
    Only validation queries of half A (see ``fusion.choose``) judge, so half B stays unseen.
    """
    best = dict(sources)
    tried: list[dict[str, Any]] = []
    if not search.values:
        return best, tried
    judge = _Judge(search, split, run)
    with run.step("choose hyper-parameters on validation"):
        for key, options in search.values.items():
            name, _, parameter = key.partition(".")
            if name in best and judge.can_try(type(best[name]), parameter):
                best[name], records = _best_value(judge, name, best[name], parameter, options)
                tried += records
    return best, tried


def _best_value(
    judge: _Judge, name: str, source: Recommender, parameter: str, options: list[Any]
) -> tuple[Recommender, list[dict[str, Any]]]:
    current = getattr(source.config, parameter)
    best = _Trial(current, judge.value(name, source), source)
    values = [(current, best.value)]
    for option in options:
        if option != current:
            trial = judge.trial(name, source, parameter, option)
            if trial is not None:
                values.append((option, trial.value))
                best = trial if trial.value > best.value else best  # so that two fits at most are held at once
    records = [
        {
            "source": name,
            "parameter": parameter,
            "value": _told(option),
            "ndcg@10": value,
            "chosen": option == best.option,
        }
        for option, value in values
    ]
    return judge.winner(source, parameter, best), records


@dataclass(slots=True)
class _Trial:
    """One value of a parameter."""

    option: Any
    value: float = 0.0
    source: Recommender | None = None
    """The fitted source; None where an interrupted job has judged it, so that it need not be fitted again."""
    seconds: float | None = None
    """How long it took to fit."""


def _told(value: Any) -> Any:
    """The value as reports write it: JSON has no infinity."""
    return str(value) if isinstance(value, float) and math.isinf(value) else value


class _Judge:
    """NDCG@10 of one source alone on a sample of half A of the validation queries."""

    def __init__(self, search: Search, split: Split, run: Run) -> None:
        self.search, self.train, self.run = search, split.train, run
        self.holdout = _sample(split.valid, search.queries, run)

    def can_try(self, kind: type[Recommender], parameter: str) -> bool:
        """Whether values of this parameter may be tried on this data."""
        if parameter in kind.reads_order and self.train.order == "none":
            return False
        return parameter in kind.read_late or self.train.n_items <= self.search.max_items

    def trial(self, name: str, source: Recommender, parameter: str, option: Any) -> _Trial | None:
        """The source judged with another value; None where it does not apply to the data with that."""
        trial = _Trial(option)

        def judged() -> float | None:
            started = time.perf_counter()
            try:
                trial.source = self._learned(source, parameter, option)
            except CannotFit:
                return None
            trial.seconds = time.perf_counter() - started
            return self._ndcg(name, trial.source)

        value = self._kept(self._with(source, parameter, option), judged)
        if value is None:
            return None
        trial.value = value
        return trial

    def winner(self, source: Recommender, parameter: str, best: _Trial) -> Recommender:
        """The source with the best value; a new fit is kept, those that lost are not."""
        if best.source is source or parameter in type(source).read_late:
            return best.source or self._learned(source, parameter, best.option)
        fresh = self._with(source, parameter, best.option)
        return kept_fit(best.source or fresh, self.train, self.run, spent=best.seconds)

    def value(self, name: str, source: Recommender) -> float:
        """Mean NDCG@10."""
        return self._kept(source, lambda: self._ndcg(name, source))

    def _kept(self, source: Recommender, judge: Callable[[], T]) -> T:
        parts = (identity(source), self.train, self.holdout)
        return self.run.keep_facts("searched values", parts, judge)

    def _with(self, source: Recommender, parameter: str, value: Any) -> Recommender:
        kind = type(source)
        return kind(parse(kind.Config, source.config.model_dump() | {parameter: value}, kind.__name__))

    def _learned(self, source: Recommender, parameter: str, value: Any) -> Recommender:
        """The source with another value: the same learned arrays where the parameter is read late, else a new fit."""
        made = self._with(source, parameter, value)
        if parameter in type(source).read_late:
            return made.load_state(source.state())
        return made.fit(self.train, self.run)

    def _ndcg(self, name: str, source: Recommender) -> float:
        sample: Panel = panel({name: source}, self.holdout.queries, self.holdout.truth, ItemFacts.of(self.train), 50)
        return sample.ndcg(np.nan_to_num(sample.slate.column(name), nan=-np.inf)) if len(sample) else 0.0


def _sample(valid: Holdout, most: int, run: Run) -> Holdout:
    return valid.take(halves(valid, run, 2 * enough(valid, most))[0])
