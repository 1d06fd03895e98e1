"""From slates and truth to one table of figures: every system, segment and comparison of a test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from accord.core.arrays import Floats, Longs, Matrix, numbered
from accord.core.errors import InputError
from accord.core.slate import Slate
from accord.data.holdout import Holdout
from accord.evaluate.case import Case
from accord.evaluate.judged import Judged
from accord.evaluate.metrics import ndcg, recall
from accord.evaluate.segments import history_segments, item_segments
from accord.evaluate.significance import holm, mean_and_error, paired_bootstrap

MAIN = (ndcg, recall)
"""Metrics of segments and comparisons, at the first ``k``."""

Figures: TypeAlias = dict[str, dict[str, float | None]]
"""``{metric: {"value", "se"}}``; None where there is no value, so that it can be written as JSON."""


def evaluate(
    slates: Mapping[str, Slate],
    holdout: Holdout,
    counts: Longs,
    ks: Sequence[int] = (10, 20),
    vectors: Matrix | None = None,
    reference: str = "fused",
    seed: int = 0,
) -> dict[str, Any]:
    """Every figure of one test, as a plain dict; see ``Pool.report``."""
    return Pool([Case(slates, holdout, counts, vectors)], ks).report(reference, seed)


class Pool:
    """Several tests of the same systems taken as one, as rolling cuts are: values by query are joined.

    Some people are asked once a cut; standard errors and intervals know who they are.
    """

    def __init__(self, cases: Sequence[Case], ks: Sequence[int] = (10, 20)) -> None:
        if not cases or not ks:
            raise InputError("at least one case and one k are needed", value={"cases": len(cases), "ks": list(ks)})
        self.systems = list(cases[0].slates)
        if any(list(case.slates) != self.systems for case in cases):
            raise InputError("all cases need the same systems", value=[list(case.slates) for case in cases])
        self.cases, self.ks = cases, list(ks)
        self.main = [f"{metric.name}@{self.ks[0]}" for metric in MAIN]
        people = numbered(np.concatenate([case.holdout.queries.users for case in cases]))
        self.people = people if len(people) and people.max() + 1 < len(people) else None
        """Who was asked each query, by number; None where everybody was asked once."""
        self.values = {name: _joined([case.per_query(name, ks) for case in cases]) for name in self.systems}

    def per_query(self, system: str) -> dict[str, Floats]:
        """``float32[B]`` by metric, over the queries of all cases in turn; for paired tests."""
        return self.values[system]

    def report(self, reference: str = "fused", seed: int = 0) -> dict[str, Any]:
        """``{"n_queries", "ks", "systems", "segments", "comparisons"}``, ready for JSON.

        ``systems``: figures by system, ``{"ndcg@10": {"value", "se"}, "coverage@10": {"value"}, ...}``.
        ``segments``: ``{"items: cold": {"meaning", "n", "systems"}, ...}`` with ``n`` queries asked.
        ``comparisons``: the ``reference`` (``a``) against each other system (``b``); none without the reference.
        """
        return {
            "n_queries": sum(len(case.holdout) for case in self.cases),
            "ks": self.ks,
            "systems": {name: self._figures(name) for name in self.systems},
            "segments": self._item_segments() | self._history_segments(),
            "comparisons": self.comparisons(reference, seed),
        }

    def comparisons(self, reference: str, seed: int = 0) -> list[dict[str, Any]]:
        """Paired bootstrap of the reference less every other system; Holm's correction over all rows."""
        pairs = [(name, metric) for name in self.systems if name != reference for metric in self.main]
        if reference not in self.systems or not pairs:
            return []
        own = self.values[reference]
        differences = np.stack([own[metric] - self.values[name][metric] for name, metric in pairs], axis=1)
        if np.isnan(differences).any(axis=1).all():
            return []
        intervals = paired_bootstrap(differences, seed=seed, people=self.people)
        adjusted = holm(np.array([interval.p for interval in intervals]))
        return [
            {
                "a": reference,
                "b": name,
                "metric": metric,
                "difference": interval.difference,
                "low": interval.low,
                "high": interval.high,
                "p": interval.p,
                "p_holm": float(corrected),
            }
            for (name, metric), interval, corrected in zip(pairs, intervals, adjusted, strict=True)
        ]

    def _figures(self, system: str) -> Figures:
        by_query = {metric: _summary(values, self.people) for metric, values in self.values[system].items()}
        cases = [case.per_system(system, self.ks) for case in self.cases]
        return by_query | {name: {"value": _average([case[name] for case in cases])} for name in cases[0]}

    def _item_segments(self) -> dict[str, Any]:
        """Each query is judged by its truth items of the segment; those without any are not counted."""
        segments: dict[str, Any] = {}
        for same in zip(*(item_segments(case.counts) for case in self.cases), strict=True):
            truths = [case.holdout.truth for case in self.cases]
            asked = [part.mask[truth.values] for part, truth in zip(same, truths, strict=True)]
            n = sum(len(np.unique(truth.rows[mask])) for truth, mask in zip(truths, asked, strict=True))
            if n:
                systems = {
                    name: self._judged_figures(
                        [case.judged[name].among(part.mask) for case, part in zip(self.cases, same, strict=True)]
                    )
                    for name in self.systems
                }
                segments[same[0].name] = {"meaning": same[0].meaning, "n": n, "systems": systems}
        return segments

    def _judged_figures(self, parts: list[Judged]) -> Figures:
        k = self.ks[0]
        return {
            f"{metric.name}@{k}": _summary(np.concatenate([metric.of(part, k) for part in parts]), self.people)
            for metric in MAIN
        }

    def _history_segments(self) -> dict[str, Any]:
        segments: dict[str, Any] = {}
        for segment in history_segments(np.concatenate([case.holdout.queries.history.lengths for case in self.cases])):
            if segment.mask.any():
                people = None if self.people is None else self.people[segment.mask]
                systems = {
                    name: {metric: _summary(values[metric][segment.mask], people) for metric in self.main}
                    for name, values in self.values.items()
                }
                n = int(segment.mask.sum())
                segments[segment.name] = {"meaning": segment.meaning, "n": n, "systems": systems}
        return segments


def _joined(parts: list[dict[str, Floats]]) -> dict[str, Floats]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _summary(values: Floats, people: Longs | None) -> dict[str, float | None]:
    mean, error = mean_and_error(values, people)
    return {"value": _plain(mean), "se": _plain(error)}


def _average(values: list[float]) -> float | None:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else None


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
