"""Speed against the bare operations, as ratios within one run.

    python benchmarks/speed.py [--items 12000] [--users 22000]

1. EASE's fit against bare ``potrf + potri`` on a matrix of the same size.
2. Evaluating one 64-dimensional source (eligibility, offers, ties, metrics, report) against the bare matrix product and
   partial sort over the same users and items; once in all, and once beyond the source's own scoring.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from scipy.linalg import lapack

from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.core.roles import Recommender
from accord.core.run import Run, peak_mib
from accord.core.slate import Slate
from accord.data.splits import leave_last
from accord.evaluate.case import Case
from accord.evaluate.evaluation import Pool
from accord.models.ease import Ease

DEPTH = 100


class Vectors(Recommender):
    """A source of 64 dimensions, as bare as can be: the mean of the history's vectors times all vectors."""

    def _fit(self, data: Dataset, run: Run) -> None:
        self.items = run.rng("vectors").standard_normal((data.n_items, 64)).astype(np.float32)

    def _scores(self, queries: Queries) -> np.ndarray:
        return (queries.history.matrix(self.n_items) @ self.items) @ self.items.T


def best_of(runs: int, action: Callable[[], object]) -> float:
    """Least wall seconds of a few runs."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def world(users: int, items: int) -> Dataset:
    """A log with realistic popularity: about nine events a user."""
    rng = np.random.default_rng(0)
    lengths = rng.poisson(6, users) + 3
    popularity = 1 / np.arange(1, items + 1) ** 0.8
    drawn = rng.choice(items, size=int(lengths.sum()), p=popularity / popularity.sum())
    events = pa.table(
        {
            "user": pa.array(np.repeat(np.arange(users), lengths), pa.int32()),
            "item": pa.array(drawn, pa.int32()),
            "weight": pa.array(np.ones(len(drawn)), pa.float32()),
        }
    )
    return Dataset(
        events,
        pa.table({"item_id": [str(i) for i in range(items)]}),
        pa.table({"user_id": [str(i) for i in range(users)]}),
        order="row",
    )


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=12_000)
    parser.add_argument("--users", type=int, default=22_000)
    arguments = parser.parse_args()
    data = world(arguments.users, arguments.items)
    fitted, inverted = ease(data)
    judged, scoring, bare = evaluation(data)
    rows = {
        "EASE fit / potrf + potri": (fitted, inverted),
        "evaluate one 64-d source / product + partial sort": (judged, bare),
        "the same beyond the source's own scoring": (judged - scoring, bare),
    }
    lines = ["| what | seconds | bare seconds | ratio |", "|---|---:|---:|---:|"]
    lines += [f"| {name} | {own:.2f} | {less:.2f} | {own / less:.2f} |" for name, (own, less) in rows.items()]
    lines.append(f"\nPeak memory {peak_mib() / 1024:.2f} GiB.")
    print("\n".join(lines))


def ease(data: Dataset) -> tuple[float, float]:
    """EASE's fit, and factor plus inverse alone."""
    n = data.n_items
    fitted = best_of(2, lambda: Ease(reg=100.0).fit(data, Run()))

    def bare() -> None:
        gram = np.eye(n, dtype=np.float32, order="F") * 100
        gram[: n // 2, : n // 2] += 0.01
        factor, _ = lapack.spotrf(gram, lower=1, overwrite_a=1)
        lapack.spotri(factor, lower=1, overwrite_c=1)

    return fitted, best_of(2, bare)


def evaluation(data: Dataset) -> tuple[float, float, float]:
    """From histories to the report, the source's scoring alone, and the bare product with a partial sort."""
    split = leave_last(data)[0]
    holdout = split.tests["test"]
    source = Vectors().fit(split.refit, Run())
    users = (holdout.queries.history.matrix(data.n_items) @ source.items).astype(np.float32)

    def judged() -> None:
        slates: dict[str, Slate] = {"fused": source.offer(holdout.queries, DEPTH)}
        Pool([Case(slates, holdout, split.refit.item_counts)]).report()

    def scoring() -> None:
        for chunk in holdout.queries.chunks(data.n_items):
            source._scores(chunk)

    def bare() -> None:
        step = 512
        for start in range(0, len(users), step):
            scores = users[start : start + step] @ source.items.T
            np.argpartition(scores, data.n_items - DEPTH, axis=1)[:, -DEPTH:]

    return best_of(3, judged), best_of(3, scoring), best_of(3, bare)


if __name__ == "__main__":
    main()
