"""Stack: trees reorder the best places of another fusion, where held-back events show that they do it better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from accord.core import catalog
from accord.core.arrays import Bools, Doubles, Floats, Longs
from accord.core.columns import SCORE
from accord.core.config import parse
from accord.core.errors import ArtefactError
from accord.core.part import State, prefixed, under
from accord.core.queries import Queries
from accord.core.run import Run
from accord.core.slate import Slate
from accord.fuse.base import Fuser, FuserConfig, Panel, is_cold, ndcg_of_scores
from accord.fuse.features import OWN, VIEWS, features
from accord.fuse.moves import by_source, shares
from accord.fuse.trees import Trees, boosting

ROUNDS = (50, 100, 150)
"""The numbers of trees that are tried."""
FEWEST = 1_000
"""Held-back queries below which trees follow noise."""
TRIAL = ("base", "gain", "se", "trees")
"""What a trial finds: NDCG@10 of the base, what the trees gain, the standard error of that, and how many are best."""
PLACES = 200_000
"""The most places that features are made of at a time (about 40 MB with ten sources)."""


class StackConfig(FuserConfig):
    """What is reordered, and the size of the trees."""

    base: dict[str, Any] = Field(default_factory=lambda: {"kind": "weighted"})
    """The fusion that is reordered: its kind and parameters; without ``sources`` of its own it has all of them."""
    layout: tuple[str, ...] = ()
    """The sources that the trees were learned on, where it is no longer asked of all of them."""
    top: int = Field(default=50, ge=10, le=1_000)
    """How many of its best places are reordered."""
    objective: Literal["lambdarank", "binary"] = "binary"
    """LambdaMART, or the log-loss of each place: as good in our measurements, and learned in a third of the time."""
    bags: int = Field(default=3, ge=1, le=10)
    """Boosters, each of another seed, whose values are added up."""
    leaves: int = Field(default=15, ge=2, le=256)
    """Leaves of each tree."""
    lr: float = Field(default=0.1, gt=0, le=1)
    """How much each tree counts."""
    min_leaf: int = Field(default=200, ge=1)
    """The fewest places that a leaf is learned from."""
    folds: int = Field(default=5, ge=2, le=20)
    """Held-back queries are cut into so many parts; the trees that judge one have not seen it."""
    sure: float = Field(default=1.0, ge=0)
    """Standard errors that the trees must gain over the base, out of fold; otherwise the base stays as it is."""


class Stack(Fuser):
    """Boosted trees over the places that all sources offer, with another fusion as feature and as fallback.

    The trees put the best ``top`` warm places of the base into another order; each place gets the base score of the
    rank it comes to. So cold items, which trees learn nothing of, keep the place that the base gives them among the
    others, and where the trees do not gain anything out of fold there are none.
    """

    Config = StackConfig

    def __init__(self, config: StackConfig | None = None, **values: object) -> None:
        super().__init__(config, **values)
        self.base: Fuser = _base(self.config)
        self.trees: tuple[Trees, ...] = ()
        self.trial: Doubles = np.full(len(TRIAL), np.nan)
        """``float64[4]``: what was found out of fold, see ``TRIAL``; NaN where nothing was tried."""

    @classmethod
    def over(cls, base: Fuser, config: StackConfig) -> Self:
        """A stack over a fusion that has been learned."""
        values = {"kind": catalog.name_of("fusers", type(base)), **base.config.model_dump(exclude_none=True)}
        stack = cls(config.model_copy(update={"base": values}))
        stack.base = base
        return stack

    def fit(self, panel: Panel, run: Run, *, draft: bool = False) -> Self:
        """Learn the base and, unless it is a draft, the trees."""
        self.base.fit(panel, run, draft=draft)
        return self if draft else self.fit_trees(panel, run)

    def fit_trees(self, panel: Panel, run: Run) -> Self:
        """Learn the trees alone; none are kept where they gain nothing out of fold."""
        self.trees = ()
        folds = panel.parts(self.config.folds, run.rng("folds of the stack"))
        table = _Table.of(panel, self, self._honest_scores(panel, folds, run))
        if table.n_queries < FEWEST:
            return self
        settings = self.config
        parameters = boosting(settings.objective, settings.leaves, settings.lr, settings.min_leaf)
        seeds = run.rng("stack").integers(1 << 31, size=settings.bags).tolist()
        bags = [parameters | {"seed": seed} for seed in seeds]
        rounds, self.trial = table.trial(folds, bags)
        if self.trial[1] > settings.sure * self.trial[2]:
            whole = np.ones(len(panel), dtype=bool)
            self.trees = tuple(table.trained(whole, bag, rounds) for bag in bags)
        return self

    @property
    def tried(self) -> dict[str, Any]:
        """What the trial found, as reports write it: NDCG@10 out of fold; nothing of it where none was made."""
        found = {name: float(value) for name, value in zip(TRIAL, self.trial, strict=True) if not np.isnan(value)}
        return {"kind": "stack", "kept": bool(self.trees), **found}

    def __call__(self, queries: Queries, slate: Slate) -> Slate:
        """Add the column ``score``; empty places get NaN."""
        score = self._scores(slate, self.base(queries, slate).column(SCORE))
        return slate.with_column(SCORE, score)

    def value(self, panel: Panel) -> float:
        """Mean NDCG@10 of the fused lists over all queries of the panel."""
        return panel.ndcg(self._scores(panel.slate, self._base_scores(panel.slate)))

    @property
    def reads(self) -> tuple[str, ...]:
        """What the base reads."""
        return self.base.reads

    @property
    def tells_parts(self) -> bool:
        """Whether the base does; what the trees move is told by TreeSHAP."""
        return self.base.tells_parts

    def contributions(self, slate: Slate) -> Floats:
        """``float32[B, K, S]``: the parts of the base, and what the trees move a place by.

        The move is shared out by what each source's features add to the trees' value of the place (TreeSHAP, see
        ``Trees.contributions``); see ``moves`` for how.
        """
        return self.contributions_at(slate, np.tile(np.arange(slate.width), (len(slate), 1)))

    def contributions_at(self, slate: Slate, places: Longs) -> Floats:
        """``float32[B, P, S]``: contributions of some places among all those of the slate; only they cost TreeSHAP."""
        parts = np.zeros((*slate.items.shape, len(self.config.sources)), np.float32)
        own = [self.config.sources.index(name) for name in self.base.config.sources]
        parts[:, :, own] = self.base.contributions(slate)
        if self.trees and slate.width:
            self._add_moves(parts, slate, places)
        return np.take_along_axis(parts, places[:, :, None], axis=1)

    def with_sources(self, sources: tuple[str, ...]) -> Self:
        """The same trees over other sources: those that are missing say nothing, those they do not know are not read.

        Raises ``CannotFit`` where the base has to be learned anew.
        """
        known = tuple(name for name in self.base.config.sources if name in sources)
        config = self.config.model_copy(update={"sources": sources, "layout": self.layout})
        other = type(self).over(self.base.with_sources(known or sources), config)
        other.trees, other.trial = self.trees, self.trial
        return other

    def state(self) -> State:
        """Arrays of the base, and the trees as text."""
        texts = {
            f"trees.{n}": np.frombuffer(trees.text.encode("ascii"), np.uint8) for n, trees in enumerate(self.trees)
        }
        return prefixed("base.", self.base.state()) | texts | {"trial": self.trial}

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where the trees are damaged."""
        self.base.load_state(under(arrays, "base."))
        if "trial" not in arrays:
            raise ArtefactError("the saved Stack lacks its trial", remedy="Train it again.")
        texts = [arrays[name] for name in sorted(arrays) if name.startswith("trees.")]
        self.trees = tuple(Trees(_ascii(text), self.n_features) for text in texts)
        self.trial = arrays["trial"]
        return self

    @property
    def layout(self) -> tuple[str, ...]:
        """The sources that the trees know, in their order."""
        return self.config.layout or self.config.sources

    @property
    def n_features(self) -> int:
        """How many numbers the trees read of each place."""
        return len(VIEWS) * len(self.layout) + len(OWN)

    def _base_scores(self, slate: Slate) -> Floats:
        return self.base.contributions(slate).sum(axis=2)

    def _honest_scores(self, panel: Panel, folds: Longs, run: Run) -> Floats:
        """``float32[B, K]``: the base scores of a panel, warm places by a base that has not learned from their list.

        Over a base that knows the answers trees would learn to trust it more than it deserves. One that is not flexible
        knows nothing by heart and is asked as it is (stacked generalisation: Wolpert, 1992).
        """
        slate = panel.slate
        scores = np.where(slate.filled, self._base_scores(slate), 0).astype(np.float32)
        for fold in np.unique(folds) if self.base.flexible and len(panel) >= FEWEST else ():
            own, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            base = self._base_anew(panel.take(others), run)
            part = slate.rows(own)
            warm = part.filled & ~is_cold(part)
            scores[own] = np.where(warm, base.contributions(part).sum(axis=2), scores[own])
        return scores

    def _base_anew(self, panel: Panel, run: Run) -> Fuser:
        """The base learned from other lists; sources that it has for items without events alone stay so."""
        config = self.base.config
        fresh = type(self.base)(config.model_copy(update={"sources": self.base.warm}))
        return fresh.fit(panel, run).with_sources(config.sources)

    def _scores(self, slate: Slate, base: Floats) -> Floats:
        if not self.trees or not slate.width:
            return base
        out = base.copy()
        for rows in _row_blocks(len(slate), min(self.config.top, slate.width)):
            part = slate.rows(rows)
            places, there = best_places(part, base[rows], self.config.top)
            values = np.full(places.shape, -np.inf)
            X = features(part, self.layout, self.config.sources, base[rows], places)
            if there.any():
                values[there] = np.sum([trees.predict(X[there]) for trees in self.trees], axis=0)
            out[rows] = reordered(base[rows], places, values)
        return out

    def _add_moves(self, parts: Floats, slate: Slate, asked: Longs) -> None:
        """Add what the trees move the asked places by to ``parts[B, K, S]``, in place, not the others."""
        base = self._base_scores(slate)
        places, there = best_places(slate, base, self.config.top)
        wanted = np.zeros(slate.items.shape, dtype=bool)
        np.put_along_axis(wanted, asked, values=True, axis=1)
        there &= np.take_along_axis(wanted, places, axis=1)
        X = features(slate, self.layout, self.config.sources, base, places)[there]
        if not len(X):
            return
        rows, at = np.nonzero(there)
        cells = rows, places[rows, at]
        moved = (self._scores(slate, base) - base)[cells]
        added = np.sum([trees.contributions(X) for trees in self.trees], axis=0)
        values = by_source(added, self.layout, self.config.sources, parts[cells])
        parts[cells] += moved[:, None] * shares(values, moved)


def _base(config: StackConfig) -> Fuser:
    values = {"sources": config.sources, **config.base}
    kind = catalog.find("fusers", str(values.pop("kind", "weighted")), "base")
    return kind(parse(kind.Config, values, "base"))


def _ascii(text: NDArray[Any]) -> str:
    return text.astype(np.uint8).tobytes().decode("ascii", errors="replace")


def best_places(slate: Slate, base: Floats, top: int) -> tuple[Longs, Bools]:
    """``int64[B, P]``: the places with the best base scores among warm items, best first; and which of them count."""
    warm = np.where(slate.filled & ~is_cold(slate) & ~np.isnan(base), base, -np.inf)
    places = np.argsort(-warm, axis=1, kind="stable")[:, :top]
    return places, np.isfinite(np.take_along_axis(warm, places, axis=1))


def reordered(base: Floats, places: Longs, values: Doubles) -> Floats:
    """Base scores dealt out again: the place with the best value gets the best of the scores of ``places``.

    Places of value ``-inf`` (they come last) keep theirs.
    """
    order = np.argsort(-values, axis=1, kind="stable")
    out = base.copy()
    np.put_along_axis(out, np.take_along_axis(places, order, axis=1), np.take_along_axis(base, places, axis=1), axis=1)
    return out


def _row_blocks(n: int, width: int) -> list[NDArray[np.int64]]:
    step = max(1, PLACES // max(1, width))
    return [np.arange(start, min(start + step, n)) for start in range(0, n, step)]


@dataclass(frozen=True)
class _Table:
    """What trees learn from: the best places of every held-back query, and which of them came up."""

    panel: Panel
    base: Floats
    places: Longs
    there: Bools
    """``bool[B, P]``: places that count, of queries whose truth is among them."""
    X: Floats
    """``float32[N, F]``: features of the places that count, by query."""
    y: NDArray[np.int8]

    @classmethod
    def of(cls, panel: Panel, stack: Stack, base: Floats) -> _Table:
        slate = panel.slate
        places, there = best_places(slate, base, stack.config.top)
        rows, at = panel.targets()
        labels = np.zeros(slate.items.shape, np.int8)
        labels[rows, at] = 1
        labels = np.take_along_axis(labels, places, axis=1)
        there = there & np.any(there & (labels > 0), axis=1, keepdims=True)
        n = stack.n_features
        blocks: list[Floats] = [np.empty((0, n), np.float32)]
        for part in _row_blocks(len(slate), places.shape[1]):
            block = features(slate.rows(part), stack.layout, stack.config.sources, base[part], places[part])
            blocks.append(block[there[part]])
        return cls(panel, base, places, there, np.concatenate(blocks), labels[there])

    @property
    def n_queries(self) -> int:
        return int(self.there.any(axis=1).sum())

    def trained(self, rows: Bools, parameters: dict[str, Any], rounds: int) -> Trees:
        mask = self.there & rows[:, None]
        chosen = np.repeat(rows, self.there.sum(axis=1))
        counts = mask.sum(axis=1)
        return Trees.trained(self.X[chosen], self.y[chosen], counts[counts > 0], parameters, rounds)

    def trial(self, folds: Longs, bags: Sequence[dict[str, Any]]) -> tuple[int, Doubles]:
        """The best number of trees and ``TRIAL``, each query judged by boosters that have not seen it.

        ``bags``: the parameters of each booster; their values are added up as in the lists they are tried for.
        """
        own = np.repeat(folds, self.there.sum(axis=1))
        values = {rounds: np.zeros(len(self.X)) for rounds in ROUNDS}
        for fold, bag in product(np.unique(folds), bags):
            trees = self.trained(folds != fold, bag, max(ROUNDS))
            for rounds in ROUNDS:
                values[rounds][own == fold] += trees.predict(self.X[own == fold], rounds)
        before = self._ndcg(self.base)
        gains = {rounds: self._ndcg(self._moved(found)) - before for rounds, found in values.items()}
        best = max(ROUNDS, key=lambda rounds: gains[rounds].sum())
        total = max(1, self.panel.total)
        gain: Doubles = gains[best]
        se = self.panel.error(gain) / total
        return best, np.array([before.sum() / total, gain.sum() / total, se, best])

    def _moved(self, found: Doubles) -> Floats:
        values = np.full(self.places.shape, -np.inf)
        values[self.there] = found
        return reordered(self.base, self.places, values)

    def _ndcg(self, scores: Floats) -> Doubles:
        return ndcg_of_scores(scores, self.panel, self.panel.targets())


def gains_by_source(stack: Stack) -> dict[str, float]:
    """Shares of the sources (and of what belongs to none) in what the trees lower their loss by; none without trees."""
    if not stack.trees:
        return {}
    gains = np.sum([trees.gains() for trees in stack.trees], axis=0)
    names: Sequence[str] = stack.layout
    own = gains[: len(VIEWS) * len(names)].reshape(len(names), len(VIEWS)).sum(axis=1)
    every = dict(zip(names, own.tolist(), strict=True)) | {
        name: float(gain) for name, gain in zip(OWN, gains[len(VIEWS) * len(names) :], strict=True)
    }
    total = sum(every.values()) or 1.0
    return {name: gain / total for name, gain in every.items()}
