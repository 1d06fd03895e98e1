"""A candidate against the live version: the same questions, the same histories, a paired comparison."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from accord.core.arrays import Bools, Ints
from accord.core.columns import SCORE
from accord.core.dataset import Dataset
from accord.core.run import Run
from accord.core.slate import EMPTY, Slate
from accord.data.holdout import Holdout
from accord.evaluate.judged import Judged
from accord.evaluate.metrics import ndcg
from accord.evaluate.significance import mean_and_error, paired_bootstrap
from accord.pipeline.pipeline import Pipeline
from accord.study.holding_back import FEWEST

K = 10
METRIC = f"ndcg@{K}"
MOST = 10_000
"""At most so many queries are asked, drawn at random."""


@dataclass(frozen=True)
class Verdict:
    """Both figures and what lies between them."""

    queries: int
    items: str
    """Which items were ranked and asked for: ``known to both``, or ``all`` where too little is known to both."""
    metric: str
    candidate: float
    live: float
    difference: float
    """Candidate less live."""
    error: float
    """Standard error of the difference, query by query."""
    low: float
    """95 % interval of the difference (paired bootstrap)."""
    high: float

    @property
    def accepted(self) -> bool:
        """The rule: the candidate is not worse by more than one standard error of the difference."""
        return self.difference >= -self.error

    @property
    def facts(self) -> dict[str, Any]:
        """For the card and JSON."""
        rule = "accepted where difference >= -error (one standard error of the paired difference)"
        return {**asdict(self), "rule": rule, "accepted": self.accepted}

    def __str__(self) -> str:
        return (
            f"{METRIC} {self.candidate:.4f} against {self.live:.4f} of the live version on {self.queries} held-back "
            f"queries, difference {self.difference:+.4f} [{self.low:+.4f}, {self.high:+.4f}], "
            f"standard error {self.error:.4f}"
        )


def judge(candidate: Pipeline, live: Pipeline, data: Dataset, holdout: Holdout, run: Run) -> Verdict:
    """Rank all items that both know for the same questions. ``holdout`` has the item numbers of ``data``.

    Items that the live version has never met would be its misses, and hide what a candidate does worse elsewhere; where
    fewer than ``FEWEST`` questions are about other items, all items are ranked all the same. An item that is gone from
    ``data`` is shown by neither. Memory is bounded as in ``Pipeline.recommend``, plus 10,000 lists of ten.
    """
    known = (_numbers(data, live.data) != EMPTY) & (_numbers(data, candidate.data) != EMPTY)
    common = _about(holdout, known)
    items = "known to both" if len(common) >= FEWEST else "all"
    holdout = common if len(common) >= FEWEST else holdout
    if len(holdout) > MOST:
        holdout = holdout.take(np.sort(run.rng("refresh queries").permutation(len(holdout))[:MOST]))
    values = [ndcg.of(Judged.of(lists(one, data, holdout), holdout.truth), K) for one in (candidate, live)]
    people = holdout.queries.users
    difference, error = mean_and_error(values[0] - values[1], people)
    interval = paired_bootstrap((values[0] - values[1])[:, None], seed=run.seed, people=people)[0]
    means = [float(value.mean()) for value in values]
    return Verdict(len(holdout), items, METRIC, means[0], means[1], difference, error, interval.low, interval.high)


def _about(holdout: Holdout, items: Bools) -> Holdout:
    """The questions that some of the items answer, with only these to choose from."""
    truth = holdout.truth.keep(items[holdout.truth.values])
    asked = Holdout(replace(holdout.queries, open=items), truth)
    return asked.take(np.flatnonzero(truth.lengths))


def lists(pipeline: Pipeline, data: Dataset, holdout: Holdout) -> Slate:
    """The pipeline's first ten for each question, in the item numbers of ``data``."""
    theirs = _numbers(data, pipeline.data)
    ours = _numbers(pipeline.data, data)
    queries = holdout.queries
    history = replace(queries.history, items=theirs[queries.history.items])
    shown = ours != EMPTY
    if queries.open is not None:
        shown &= queries.open[ours]
    asked = replace(queries, history=history.keep(history.items != EMPTY), open=shown)
    slate = pipeline.recommend(asked, K)
    return Slate(np.where(slate.filled, ours[slate.items], EMPTY), {SCORE: slate.column(SCORE)})


def _numbers(of: Dataset, into: Dataset) -> Ints:
    """``int32[of.n_items]``: the number of each item in another catalogue, ``EMPTY`` where it has none."""
    return np.array([into.item_numbers.get(name, EMPTY) for name in of.item_ids], dtype=np.int32)
