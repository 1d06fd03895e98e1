"""One test: what every system answered, and what each answer is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from accord.core.arrays import Bools, Floats, Longs, Matrix
from accord.core.errors import InputError
from accord.core.slate import Slate
from accord.data.holdout import Holdout
from accord.evaluate import beyond
from accord.evaluate.judged import Judged
from accord.evaluate.metrics import AT_K, auc


@dataclass(frozen=True)
class Case:
    """The lists of every system for the queries of one holdout."""

    slates: Mapping[str, Slate]
    holdout: Holdout
    counts: Longs
    """``int64[n_items]``: training events of each item."""
    vectors: Matrix | None = None
    """Item content ``[n_items, dim]``, for intra-list diversity; None leaves that out."""

    def __post_init__(self) -> None:
        for name, slate in self.slates.items():
            if len(slate) != len(self.holdout):
                raise InputError("one list a query is needed", place=name, value=(len(slate), len(self.holdout)))

    @cached_property
    def judged(self) -> dict[str, Judged]:
        """The hits of every system."""
        return {name: Judged.of(slate, self.holdout.truth) for name, slate in self.slates.items()}

    @cached_property
    def available(self) -> Bools:
        """``bool[n_items]``: items that may be recommended to anybody."""
        return self.holdout.queries.mask(len(self.counts))

    def per_query(self, system: str, ks: Sequence[int]) -> dict[str, Floats]:
        """``float32[B]`` by metric, ``"ndcg@10"`` say; ``"auc"`` where the lists say how many items were eligible."""
        judged, slate = self.judged[system], self.slates[system]
        values = {f"{metric.name}@{k}": metric.of(judged, k) for k in ks for metric in AT_K}
        if judged.eligible is not None:
            values["auc"] = auc.of(judged, max(1, slate.width))
        values |= {f"novelty@{k}": beyond.novelty(slate, k, self.counts) for k in ks}
        if self.vectors is not None:
            values |= {f"diversity@{k}": beyond.diversity(slate, k, self.vectors) for k in ks}
        return values

    def per_system(self, system: str, ks: Sequence[int]) -> dict[str, float]:
        """Figures that only exist over all lists together; NaN where there is nothing to count."""
        slate, history = self.slates[system], self.holdout.queries.history
        return {
            name: value
            for k in ks
            for name, value in (
                (f"coverage@{k}", beyond.coverage(slate, k, self.available)),
                (f"gini@{k}", beyond.gini(slate, k, self.available)),
                (f"popularity_lift@{k}", beyond.popularity_lift(slate, k, self.counts, history)),
            )
        }
