"""Choosing hyper-parameters on validation, one source at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from accord.core.arrays import Longs
from accord.core.config import parse
from accord.core.errors import CannotFit
from accord.core.roles import Recommender
from accord.core.run import Run
from accord.data.holdout import Holdout, Split
from accord.fuse.base import Panel
from accord.pipeline.fusion import enough, halves
from accord.pipeline.pipeline import panel
from accord.pipeline.sources import Sources
from accord.pipeline.spec import Search


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
    candidates = [(getattr(source.config, parameter), source)]
    for option in options:
        if option != candidates[0][0]:
            made = judge.made(source, parameter, option)
            candidates += [(option, made)] if made is not None else []
    values = [judge.value(name, candidate) for _, candidate in candidates]
    best = int(np.argmax(values))
    records = [
        {"source": name, "parameter": parameter, "value": _told(option), "ndcg@10": value, "chosen": place == best}
        for place, ((option, _), value) in enumerate(zip(candidates, values, strict=True))
    ]
    return candidates[best][1], records


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

    def made(self, source: Recommender, parameter: str, value: Any) -> Recommender | None:
        """The source with another value: the same learned arrays where the parameter is read late, else a new fit."""
        kind = type(source)
        config = parse(kind.Config, source.config.model_dump() | {parameter: value}, kind.__name__)
        made = kind(config)
        if parameter in kind.read_late:
            return made.load_state(source.state())
        try:
            return made.fit(self.train, self.run)
        except CannotFit:
            return None

    def value(self, name: str, source: Recommender) -> float:
        """Mean NDCG@10."""
        sample: Panel = panel({name: source}, self.holdout.queries, self.holdout.truth, self._counts(), 50)
        return sample.ndcg(np.nan_to_num(sample.slate.column(name), nan=-np.inf)) if len(sample) else 0.0

    def _counts(self) -> Longs:
        return self.train.item_counts


def _sample(valid: Holdout, most: int, run: Run) -> Holdout:
    return valid.take(halves(len(valid), run, 2 * enough(valid, most))[0])
