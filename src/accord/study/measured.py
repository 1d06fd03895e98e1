"""What a comparison knows of one pipeline: its lists for every test, facts of its evaluation, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accord.core.arrays import Longs
from accord.core.checkpoint import facts_of, facts_state
from accord.core.columns import SCORE
from accord.core.digest import digest_of
from accord.core.part import State
from accord.core.slate import Slate
from accord.data.holdout import Holdout
from accord.study.evaluation import Evaluation
from accord.study.results import FUSED

ELIGIBLE = "eligible"
TOLD = (
    *("accord", "dataset", "split", "versions", "machine"),
    *("preset", "config_digest", "fusion", "skipped", "readings", "resumed"),
)
"""Keys of ``metrics.json`` that a comparison tells too."""


@dataclass(frozen=True)
class Answer:
    """The lists of one test of one cut."""

    slate: Slate
    counts: Longs
    """``int64[n_items]``: training events of each item."""


@dataclass(frozen=True)
class Measured:
    """One pipeline, measured."""

    answers: dict[str, list[Answer]]
    """By test; one entry a cut."""
    facts: dict[str, Any]
    """Plain values: those of ``TOLD``, ``sources``, ``cost`` and ``asked`` (see ``digests``)."""


def measured(evaluation: Evaluation, cost: dict[str, Any]) -> Measured:
    """What is kept of an evaluation."""
    pools = evaluation.pools
    answers = {test: [Answer(case.slates[FUSED], case.counts) for case in pool.cases] for test, pool in pools.items()}
    facts = {name: evaluation.metrics.get(name) for name in TOLD}
    facts["sources"] = list(evaluation.learned[-1].pipeline.sources)
    facts["asked"] = digests({test: [case.holdout for case in pool.cases] for test, pool in pools.items()})
    return Measured(answers, facts | {"cost": cost})


def digests(tests: dict[str, list[Holdout]]) -> dict[str, list[str]]:
    """The digest of every question and its answer: equal ones mean that the very same was asked."""
    return {test: [digest_of(holdout) for holdout in holdouts] for test, holdouts in tests.items()}


def write(result: Measured) -> State:
    """As named arrays."""
    arrays = facts_state(result.facts)
    for test, answers in result.answers.items():
        for cut, answer in enumerate(answers):
            place, slate = f"{cut}/{test}", answer.slate
            arrays |= {f"items/{place}": slate.items, f"counts/{place}": answer.counts}
            arrays |= {f"{name}/{place}": values for name, values in slate.columns.items() if name == SCORE}
            arrays |= {f"{name}/{place}": values for name, values in slate.facts.items() if name == ELIGIBLE}
    return arrays


def read(arrays: State) -> Measured:
    """What ``write`` was given."""
    facts = facts_of(arrays)
    answers = {
        test: [_answer(arrays, f"{cut}/{test}") for cut in range(len(asked))] for test, asked in facts["asked"].items()
    }
    return Measured(answers, facts)


def _answer(arrays: State, place: str) -> Answer:
    columns = {name: arrays[f"{name}/{place}"] for name in (SCORE,) if f"{name}/{place}" in arrays}
    facts = {name: arrays[f"{name}/{place}"] for name in (ELIGIBLE,) if f"{name}/{place}" in arrays}
    return Answer(Slate(arrays[f"items/{place}"], columns, facts), arrays[f"counts/{place}"])
