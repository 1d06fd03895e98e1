"""What fusers share: a panel of scores in, one score out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from pydantic import Field

from accord.core.arrays import Bools, Doubles, Floats, Longs, Names, Ragged, numbered, offsets_of
from accord.core.columns import SCORE
from accord.core.config import Config
from accord.core.errors import CannotFit, InputError
from accord.core.part import Part
from accord.core.queries import Queries
from accord.core.run import Run
from accord.core.slate import Slate

EVENTS = "events"
"""The slate column that holds how many training events each item has; 0 marks a cold item."""
AGE = "age"
"""The slate column that holds how many days ago each item came, where anybody knows (else NaN)."""
HISTORY = "history"
"""The fact of a slate that holds how many events each history has."""


class FuserConfig(Config):
    """What every fuser must know."""

    sources: tuple[str, ...] = Field(min_length=1)
    """The slate columns to fuse, in order."""


class Fuser(Part):
    """A stage that writes the column ``score`` from the columns of the sources.

    A subclass writes ``contributions``: float32[B, K, S], what each source adds to the score of each place. ``fit``
    learns from a panel: slates that hold every source's column, and the items that came up afterwards.
    """

    Config = FuserConfig
    flexible: ClassVar[bool] = False
    """Whether it could learn held-back answers by heart: it is then judged on queries that it has not learned from."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The encoded item columns, and sources, whose vectors it wants in ``Slate.spaces``."""
        return ()

    def fit(self, panel: Panel, run: Run, *, draft: bool = False) -> Self:
        """Learn from held-back events; a fuser without weights learns nothing.

        A ``draft`` may be rough: many are learned to be compared, one is learned to be used.
        """
        return self

    def contributions(self, slate: Slate) -> Floats:
        """``float32[B, K, S]``: the parts whose sum over sources is the score."""
        raise InputError("a fuser must define contributions", value=type(self).__name__)

    def contributions_at(self, slate: Slate, places: Longs) -> Floats:
        """``float32[B, P, S]``: contributions of some places (``int64[B, P]``) among all those of the slate."""
        return np.take_along_axis(self.contributions(slate), places[:, :, None], axis=1)

    @property
    def tells_parts(self) -> bool:
        """Whether ``contributions`` says what each source adds whatever the others say.

        Where it does not, reasons are Shapley values of the score; see ``pipeline.shapley``.
        """
        return False

    @property
    def warm(self) -> tuple[str, ...]:
        """The sources that score items with events."""
        return self.config.sources

    def with_sources(self, sources: tuple[str, ...]) -> Self:
        """The same fuser over other sources, as it was learned; those it did not know count nothing.

        Raises ``CannotFit`` where a fuser can do with other sources only what it learns anew.
        """
        if self.learned:
            raise CannotFit(f"{type(self).__name__} must be learned anew for other sources", value=sources)
        return type(self)(self.config.model_copy(update={"sources": sources}))

    def value(self, panel: Panel) -> float:
        """Mean NDCG@10 of the fused lists over all queries of the panel."""
        return panel.ndcg(self.contributions(panel.slate).sum(axis=2))

    def __call__(self, queries: Queries, slate: Slate) -> Slate:
        """Add the column ``score``; empty places get NaN."""
        total = self.contributions(slate).sum(axis=2)
        return slate.with_column(SCORE, np.where(slate.filled, total, np.nan).astype(np.float32))


@runtime_checkable
class MixesCold(Protocol):
    """A fuser that can learn another mix for items without events."""

    config: Any

    def fit_cold(self, among_cold: Panel, mixed: Panel | None = None, *, draft: bool = False) -> Self:
        """Learn from a panel of cold items alone, and from one that holds both kinds what may be shown of them."""
        ...

    def with_sources(self, sources: tuple[str, ...]) -> Self:
        """The same fuser over other sources."""
        ...

    def contributions(self, slate: Slate) -> Floats:
        """``float32[B, K, S]``: the parts whose sum over sources is the score."""
        ...


@dataclass(frozen=True)
class Panel:
    """Slates of held-back queries and what came up: what fusers learn from and are judged by."""

    slate: Slate
    truth: Ragged
    total: int
    """How many queries were asked; those whose truth no source offered may be left out of ``slate``: they score 0."""
    people: Names | None = None
    """``object[B]``: who asks each query; None: everybody asks once."""
    memo: dict[Any, Any] = field(default_factory=dict[Any, Any], repr=False, compare=False)
    """What fusers have worked out of this panel, so that trying many mixes does not work it out many times."""

    @classmethod
    def of(cls, slates: Iterable[tuple[Slate, Ragged]], people: Names | None = None) -> Panel:
        """Join consecutive chunks, keeping only the queries whose truth was offered; ``people``: who asks each."""
        parts, start = list[Panel](), 0
        for slate, truth in slates:
            rows = np.unique(find_targets(slate, truth)[0])
            parts.append(cls(slate.rows(rows), truth.take(rows), len(slate), _some(people, start + rows)))
            start += len(slate)
        return cls.joined(parts)

    @classmethod
    def joined(cls, parts: Sequence[Panel]) -> Panel:
        """Several panels as one."""
        values = np.concatenate([part.truth.values for part in parts])
        lengths = np.concatenate([part.truth.lengths for part in parts])
        slate = Slate.stacked([part.slate for part in parts])
        names = [part.people for part in parts if part.people is not None]
        people = np.concatenate(names) if len(names) == len(parts) else None
        return cls(slate, Ragged(values, offsets_of(lengths)), sum(part.total for part in parts), people)

    def __len__(self) -> int:
        return len(self.slate)

    def take(self, rows: Longs, total: int | None = None) -> Panel:
        """Some of the queries, as if ``total`` had been asked; by default only they were."""
        total = len(rows) if total is None else total
        return Panel(self.slate.rows(rows), self.truth.take(rows), total, _some(self.people, rows))

    @property
    def person(self) -> Longs:
        """``int64[B]``: a number for who asks each query, from 0."""
        if "person" not in self.memo:
            self.memo["person"] = np.arange(len(self)) if self.people is None else numbered(self.people)
        return self.memo["person"]

    def parts(self, n: int, rng: np.random.Generator) -> Longs:
        """``int64[B]``: which of ``n`` random parts of like size each query belongs to; a person is in one alone."""
        count = int(self.person.max(initial=-1)) + 1
        part = np.empty(count, np.int64)
        part[rng.permutation(count)] = np.arange(count) * n // max(1, count)
        return part[self.person]

    def error(self, values: Doubles) -> float:
        """Standard error of the sum of ``values`` (``float64[B]``) over all queries asked; those left out have 0.

        What one person is asked errs together; each query left out counts as somebody else's.
        """
        mean = values.sum() / max(1, self.total)
        sums = np.bincount(self.person, weights=values - mean)
        return float(np.sqrt((sums**2).sum() + (self.total - len(self)) * mean**2))

    def targets(self) -> tuple[Longs, Longs]:
        """Rows and places of the true items within the slates."""
        if "targets" not in self.memo:
            self.memo["targets"] = find_targets(self.slate, self.truth)
        return self.memo["targets"]

    def ndcg(self, scores: Floats, k: int = 10) -> float:
        """Mean NDCG at k over all queries asked, ranking the places by ``scores[B, K]``; NaN comes last."""
        hidden = np.where(self.slate.filled & ~np.isnan(scores), scores, -np.inf)
        return float(ndcg_of_scores(hidden, self, self.targets(), k).sum()) / max(1, self.total)


def _some(people: Names | None, rows: Longs) -> Names | None:
    return None if people is None else people[rows]


def find_targets(slate: Slate, truth: Ragged) -> tuple[Longs, Longs]:
    """Rows and places of the slate that hold true items."""
    width = 1 + max(int(slate.items.max(initial=0)), int(truth.values.max(initial=0)))
    wanted = truth.rows * width + truth.values
    cells = np.arange(len(slate))[:, None] * width + slate.items
    rows, places = np.nonzero(np.isin(cells, wanted) & slate.filled)
    return rows, places


def ndcg_of_scores(scores: Floats, panel: Panel, targets: tuple[Longs, Longs], k: int = 10) -> Doubles:
    """``float64[B]``: NDCG at k of ranking the panel's places by ``scores[B, K]``; ties at their mean rank.

    The same value as ``evaluate.metrics.ndcg`` for distinct scores, without sorting: only the ranks of true items
    are counted, which makes it cheap enough to be called hundreds of times by a weight search.
    """
    rows, places = targets
    ranks = np.empty(len(rows))
    step = max(1, 4_000_000 // max(1, scores.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        own = scores[rows[part], places[part]][:, None]
        others = scores[rows[part]]
        ranks[part] = (others > own).sum(axis=1) + 0.5 * ((others == own).sum(axis=1) - 1)
    gains = np.where(ranks < k, 1 / np.log2(ranks + 2), 0)
    found = np.bincount(rows, weights=gains, minlength=len(panel))
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    best = ideal[np.minimum(panel.truth.lengths, k)]
    return np.divide(found, best, out=np.zeros(len(panel)), where=best > 0)


def standardised(slate: Slate, sources: tuple[str, ...]) -> Floats:
    """``float32[B, K, S]``: ``(score - mean) / spread`` over the eligible items of each query; no opinion is 0."""
    return _scaled(slate, sources, "mean", lambda name: slate.facts[f"{name}.spread"])


def ranged(slate: Slate, sources: tuple[str, ...]) -> Floats:
    """``float32[B, K, S]``: ``(score - low) / (high - low)`` over the eligible items of each query; no opinion is 0."""
    return _scaled(slate, sources, "low", lambda name: slate.facts[f"{name}.high"] - slate.facts[f"{name}.low"])


SCALES: Mapping[str, Callable[[Slate, tuple[str, ...]], Floats]] = {"z": standardised, "minmax": ranged}
"""What a setting ``normalise`` names."""


def _scaled(slate: Slate, sources: tuple[str, ...], origin: str, width: Callable[[str], Doubles]) -> Floats:
    out = np.zeros((*slate.items.shape, len(sources)), np.float32)
    for place, name in enumerate(sources):
        values, scale = slate.column(name), width(name)
        zero = slate.facts[f"{name}.{origin}"]
        safe = np.where(scale > 0, scale, np.inf)
        out[:, :, place] = np.nan_to_num((values - zero[:, None]) / safe[:, None])
    return out


def is_cold(slate: Slate) -> Bools:
    """``bool[B, K]``: places whose item has no training event."""
    return slate.column(EVENTS) == 0
