"""Reading one test of a ``metrics.json``: which systems were measured, which metric leads, who is best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from accord.study.wording import is_number

FLOORS = ("random", "popularity")
"""Systems that know nothing of the user: every other one must beat them."""
FUSED = "fused"

_NAMES = {"ndcg": "NDCG", "mrr": "MRR", "map": "MAP", "auc": "AUC", "f1": "F1"}
_LEADING = ("ndcg", "recall", "mrr", "map", "hit_rate", "precision", "f1", "auc")
_MAIN = (("recall", 0), ("ndcg", 0), ("mrr", 0), ("recall", 1), ("ndcg", 1), ("coverage", 0))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured mean and its standard error (None where there is none)."""

    value: float
    se: float | None = None

    @property
    def interval(self) -> tuple[float, float] | tuple[None, None]:
        """Mean plus and minus 1.96 standard errors."""
        if self.se is None:
            return None, None
        # Every measure here is at least zero, so its interval ends there.
        return max(self.value - 1.96 * self.se, min(self.value, 0.0)), self.value + 1.96 * self.se


def estimate(cell: Any) -> Estimate | None:
    """Read ``{"value", "se"}`` or a bare number; None where there is no finite value."""
    value, se = (cell.get("value"), cell.get("se")) if isinstance(cell, Mapping) else (cell, None)
    return Estimate(float(value), float(se) if is_number(se) else None) if is_number(value) else None


def label(metric: str) -> str:
    """How a page writes a metric: ``ndcg@10`` -> ``NDCG@10``."""
    kind, at, k = metric.partition("@")
    return _NAMES.get(kind, kind.replace("_", " ").capitalize()) + at + k


def kind_of(system: str) -> str:
    """``floor``, ``fused`` or ``source``."""
    return "floor" if system in FLOORS else FUSED if system == FUSED else "source"


def is_accuracy(metric: str) -> bool:
    """Whether the largest value of a metric is its best; a random list covers most, so coverage is none of these."""
    return metric.partition("@")[0] in _LEADING


@dataclass(frozen=True)
class Results:
    """One test: its systems (floors first, fused last), their metrics, and the paired comparisons."""

    name: str
    raw: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def systems(self) -> list[str]:
        """Names of what was measured, floors first and the fused list last."""
        order = {"floor": 0, "source": 1, FUSED: 2}
        return sorted(self.raw.get("systems") or {}, key=lambda name: order[kind_of(name)])

    @cached_property
    def metrics(self) -> list[str]:
        """Every metric that some system has, in the order of the file."""
        systems = (self.raw.get("systems") or {}).values()
        return list(dict.fromkeys(metric for values in systems for metric in values or {}))

    @cached_property
    def lead(self) -> str | None:
        """The metric of the headline: NDCG at 10 where it was measured, else the nearest to it."""
        if "ndcg@10" in self.metrics:
            return "ndcg@10"
        found = (metric for kind in _LEADING for metric in self.metrics if metric.partition("@")[0] == kind)
        return next(found, self.metrics[0] if self.metrics else None)

    @cached_property
    def main(self) -> list[str]:
        """The few metrics of the main table; all of them where none is a usual one."""
        ks = dict.fromkeys(metric.partition("@")[2] for metric in self.metrics if "@" in metric)
        first = (self.lead or "").partition("@")[2]
        places = [first, *(k for k in ks if k != first)]
        wanted = [f"{kind}@{places[place]}" for kind, place in _MAIN if place < len(places)]
        return [metric for metric in wanted if metric in self.metrics] or self.metrics[:6]

    def value(self, system: str, metric: str | None) -> Estimate | None:
        """What a system reached; None where it was not measured."""
        return estimate(((self.raw.get("systems") or {}).get(system) or {}).get(metric))

    def best(self, metric: str | None, *, singles: bool = False) -> str | None:
        """The system with the highest mean, among all or among single sources."""
        names = [name for name in self.systems if not singles or kind_of(name) == "source"]
        return max(
            (name for name in names if self.value(name, metric)), key=lambda n: self._mean(n, metric), default=None
        )

    def comparison(self, a: str, b: str, metric: str | None) -> dict[str, Any] | None:
        """The paired comparison a minus b, turned round where the file has b minus a."""
        for row in self.raw.get("comparisons") or []:
            if row.get("metric") == metric and (row.get("a"), row.get("b")) == (a, b):
                return dict(row)
            if row.get("metric") == metric and (row.get("a"), row.get("b")) == (b, a):
                return _turned(row)
        return None

    def _mean(self, system: str, metric: str | None) -> float:
        found = self.value(system, metric)
        return found.value if found else -math.inf


def _turned(row: Mapping[str, Any]) -> dict[str, Any]:
    low, high = row.get("high"), row.get("low")
    flipped = {"difference": row.get("difference"), "low": low, "high": high}
    return {**row, "a": row["b"], "b": row["a"], **{key: -v if is_number(v) else None for key, v in flipped.items()}}
