"""Fit and refit: one routine for evaluation and for production.

1. Sources are fitted without the validation events, and their searched hyper-parameters chosen.
2. They are fitted once more with some warm items hidden, to learn how to mix for items without events.
3. The fusion is chosen on one half of the validation users and confirmed on the other; its weights are then learned on
   both.
4. Everything chosen is frozen, and the sources are refitted on all that may be learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from accord.core.arrays import Bools, Ints, Ragged
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.core.roles import Encoder, Recommender
from accord.core.run import Run
from accord.data.holdout import Holdout, Split, hold_out
from accord.data.pooling import pool_texts
from accord.data.splits import deeper_validation, validation_only
from accord.encode.columns import encode_columns
from accord.fuse.base import Fuser, MixesCold, Panel
from accord.fuse.stack import Stack, gains_by_source
from accord.fuse.weighted import Weighted
from accord.pipeline.fusion import Choice, choose, enough, halves
from accord.pipeline.heads import with_heads
from accord.pipeline.pipeline import FALLBACK, Pipeline, panel
from accord.pipeline.resume import chosen_on
from accord.pipeline.resume_fusion import kept_choice, kept_fuser
from accord.pipeline.search import tune
from accord.pipeline.sources import ItemFacts, Sources, fit_sources
from accord.pipeline.spaces import Spaces, read_by_fusers
from accord.pipeline.spec import PipelineSpec, Values, make

STACK = "stack"
"""The kind of fuser that is learned over the chosen one, and not chosen beside others."""
ENOUGH = 50
"""Validation is cut anew, and cold weights are left out, where there are fewer queries than this."""
WANTED = 4_000
"""With fewer validation queries people with long histories are asked several times."""
FEWEST = 10
"""The fewest validation queries that anything is chosen on."""
DEPTH = 50
"""How many items each source offers while weights are learned: they are judged by the first ten places."""
LITTLE = 0.02
"""A source with less than this share in the scores of cold items is not asked about them."""
COLD_QUERIES = 3_000
"""About how many true items the weights of cold items are learned on."""


@dataclass
class Learned:
    """A pipeline and how it came about."""

    pipeline: Pipeline
    tried: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Fusions tried, with their NDCG@10 on both halves of the validation users."""
    tuned: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Hyper-parameters tried, with their NDCG@10 on validation."""
    dropped: dict[str, str] = field(default_factory=dict[str, str])
    """Sources that do not help, with the reason."""
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    """Parts that do not apply to the data, with the reason."""
    stack: dict[str, Any] = field(default_factory=dict[str, Any])
    """What trees over the fusion gained out of fold, and what they look at; empty where none were tried."""
    alone: Sources = field(default_factory=dict[str, Recommender])
    """Dropped sources, fitted all the same: reports show each alone."""
    asked: dict[str, int] = field(default_factory=dict[str, int])
    """How many held-back ``queries`` there were to choose on, of how many ``people``."""


def learn(spec: PipelineSpec, split: Split, run: Run, *, refit: bool = True, keep_all: bool = False) -> Learned:
    """Learn a pipeline from a split; ``refit=False`` leaves the validation events out of the final fit, as papers do.

    With ``keep_all`` the dropped sources are fitted too, so that a report can show them. Where hardly anything can be
    held back nothing is chosen: all sources count alike, and ``skipped`` says so. Raises ``InputError`` where no source
    applies to the data.
    """
    work = _Work(spec, for_choosing(split, run), run)
    sources = work.fit(work.split.train, "without validation")
    if not sources:
        raise InputError("no source applies to this data", value=work.skipped)
    tuned: list[dict[str, Any]] = []
    told: dict[str, Any] = {}
    if not work.may_choose:
        choice = work.unchosen(sources)
        fuser = choice.fuser
    else:
        sources, tuned = tune(spec.search, sources, work.split, run)
        parts = chosen_on(spec, sources, work.split)
        choice = kept_choice(run, parts, lambda: work.choose(sources))
        fuser = kept_fuser(run, parts, lambda: work.with_cold_weights(choice, sources))
        if work.stack_values and len(sources) > 1:
            stack = cast("Stack", kept_fuser(run, (*parts, "stack"), lambda: work.stacked(fuser, sources)))
            told = stack.tried | {"looks_at": gains_by_source(stack)}
            fuser = stack if stack.trees else fuser
    used = set(fuser.config.sources)
    wanted = {name: source for name, source in sources.items() if keep_all or name in used}
    final = work.refit(wanted, split, again=refit)
    dropped = {name: reason for name, reason in choice.dropped.items() if name not in used}
    pipeline = replace(final, sources={n: s for n, s in final.sources.items() if n in used}, fuser=fuser)
    pipeline = with_heads(pipeline, sources, work.split, run, work.skipped)
    alone = {n: s for n, s in final.sources.items() if n not in used} if keep_all else {}
    valid = work.split.valid
    asked = {"queries": len(valid), "people": len(np.unique(valid.queries.users))}
    return Learned(pipeline, choice.tried, tuned, dropped, work.skipped, told, alone, asked)


def for_choosing(split: Split, run: Run) -> Split:
    """The split with enough to choose with: validation is cut deeper where it asks little.

    It is cut anew where too few of its truths are items with training events.
    """
    counts = split.train.item_counts
    warm = counts[split.valid.truth.values] > 0
    if len(np.unique(split.valid.truth.rows[warm])) >= min(ENOUGH, split.train.n_users // 4):
        return deeper_validation(split, WANTED)
    inner = deeper_validation(validation_only(split.train, run.rng("validation")), WANTED)
    return replace(inner, tests=split.tests, refit=split.refit)


class _Work:
    """One run of the routine: what its steps share."""

    def __init__(self, spec: PipelineSpec, split: Split, run: Run) -> None:
        self.spec, self.run = spec, run
        self.skipped: dict[str, str] = {}
        self.encoders: dict[str, Encoder] = {}
        self._made: list[Panel] | None = None
        self.reads = read_by_fusers(spec)
        """Whose vectors the fusers want."""
        self.split = replace(split, train=self.encoded(split.train))

    def encoded(self, data: Dataset) -> Dataset:
        """The dataset with all encoded columns; review texts are pooled from its own events only."""
        data = replace(data, items=pool_texts(data))
        self.encoders = {name: make("encoders", v, f"encoders.{name}") for name, v in self.spec.encoders.items()}
        data, skipped = encode_columns(self.encoders, data, self.run)
        self.encoders = {name: encoder for name, encoder in self.encoders.items() if name not in skipped}
        self.skipped |= skipped
        return data

    def fit(self, data: Dataset, label: str) -> Sources:
        """Fresh sources of the specification, fitted."""
        fresh = {name: make("sources", values, f"sources.{name}") for name, values in self.spec.sources.items()}
        fitted, skipped = fit_sources(fresh, data, self.run, label)
        self.skipped |= skipped
        return fitted

    def fit_like(self, sources: Mapping[str, Recommender], data: Dataset, label: str) -> Sources:
        """The same sources with the same configurations, fitted on other data."""
        fresh: Sources = {name: type(source)(source.config) for name, source in sources.items()}
        return fit_sources(fresh, data, self.run, label)[0]

    @property
    def may_choose(self) -> bool:
        """Whether enough is held back to choose a fusion on, of two people at least: one for each half."""
        valid = self.split.valid
        return len(valid) >= FEWEST and len(np.unique(valid.queries.users)) > 1

    @property
    def stack_values(self) -> Values | None:
        """The table of the stack, where the specification has one."""
        return next((values for values in self.spec.fusers if values["kind"] == STACK), None)

    def choose(self, sources: Sources) -> Choice:
        """The fusion of items with events."""
        fusers = [values for values in self.spec.fusers if values["kind"] != STACK] or [{"kind": "weighted"}]
        with self.run.step("choose the fusion"):
            a, b = self._halves(sources)
            choice = choose(fusers, list(sources), a, b, self.run)
            if len(choice.warm) > 1:  # what was chosen is fixed; what is learned may read both halves
                choice.fuser.fit(Panel.joined([a, b]), self.run)
        return choice

    def stacked(self, fuser: Fuser, sources: Sources) -> Stack:
        """Trees over the fuser, which are kept where they gain out of fold."""
        with self.run.step("learn trees over the fusion"):
            config = make("fusers", self.stack_values or {}, "fusers", sources=tuple(sources)).config
            return Stack.over(fuser, config).fit_trees(Panel.joined(self._halves(sources)), self.run)

    def _halves(self, sources: Sources) -> list[Panel]:
        """What the sources say of both halves of the validation queries; made once."""
        if self._made is None:
            valid = self.split.valid
            rows = halves(valid, self.run, enough(valid, self.spec.max_validation))
            self._made = [self._panel(sources, valid.take(part), self.split.train) for part in rows]
        return self._made

    def unchosen(self, sources: Sources) -> Choice:
        """Equal weights of all sources, where there is too little validation to choose on."""
        valid = self.split.valid
        self.skipped["choosing"] = (
            f"{len(valid)} held-back queries of {len(np.unique(valid.queries.users))} people are fewer than needed "
            f"({FEWEST}, of two people at least); all sources count alike"
        )
        return Choice(Weighted(sources=tuple(sources)), list(sources))

    def with_cold_weights(self, choice: Choice, sources: Sources) -> Any:
        """The chosen fuser, with weights of their own for items without events where those can be learned."""
        fuser = choice.fuser
        if not isinstance(fuser, MixesCold) or not self.spec.hide or not self.split.train.vectors:
            return fuser
        with self.run.step("learn to mix for items without events"):
            hidden = self._hidden_items()
            past, lost = self._learned_anew(self.split.train.with_events(~hidden[self.split.train.event_items]))
            if lost:
                self.skipped |= {f"{name}, for weights of items without events": why for name, why in lost.items()}
                return fuser
            fitted = self.fit_like(sources, past, "some items hidden")
            among_cold = self._cold_panel(fitted, past, hidden)
            if among_cold is None or not len(among_cold):
                return fuser
            mixed = self._mixed_panel(fitted, past, hidden)
            return _cold_fuser(fuser, tuple(fitted), among_cold, mixed)

    def refit(self, sources: Sources, split: Split, *, again: bool) -> Pipeline:
        """The pipeline over all that may be learned from; without ``again`` over the training part alone."""
        kept = split.refit if again else split.train
        data = self.split.train
        if kept.n_events != data.n_events:  # also where validation had to be cut from the training part
            data = self._encoded_like(kept)
            sources = self.fit_like(sources, data, "refit")
        fallback = make("sources", {"kind": "popular"}, FALLBACK).fit(kept, self.run)
        known = replace(kept, items=data.items, vectors=data.vectors)
        return Pipeline(self.spec, known, sources, Weighted(sources=tuple(sources)), fallback, self.encoders)

    def _encoded_like(self, data: Dataset) -> Dataset:
        """Encoded anew only where the review texts of further events change what items say."""
        if "text" in data.events.column_names:
            return self.encoded(data)
        return replace(data, items=self.split.train.items, vectors=self.split.train.vectors)

    def _learned_anew(self, past: Dataset) -> tuple[Dataset, dict[str, str]]:
        """Fewer events: what encoders have learned from events is learned from these alone; which cannot, and why."""
        anew = {name: type(one)(one.config) for name, one in self.encoders.items() if one.learns_from_events}
        others = {name: rows for name, rows in past.vectors.items() if name not in anew}
        return encode_columns(anew, replace(past, vectors=others), self.run)

    def _panel(self, sources: Sources, holdout: Holdout, data: Dataset) -> Panel:
        spaces = Spaces.named(self.reads, data, sources, self.encoders)
        return panel(sources, holdout.queries, holdout.truth, ItemFacts.of(data), min(DEPTH, self.spec.depth), spaces)

    def _hidden_items(self) -> Bools:
        counts = self.split.train.item_counts
        hidden = np.zeros(len(counts), dtype=bool)
        warm = np.flatnonzero(counts)
        hidden[self.run.rng("hidden items").choice(warm, round(self.spec.hide * len(warm)), replace=False)] = True
        return hidden

    def _cold_panel(self, fitted: Sources, past: Dataset, hidden: Bools) -> Panel | None:
        """Hidden items ranked among hidden items, for users who touched one."""
        touched = self.split.train.with_events(hidden[self.split.train.event_items])
        holdout, _ = hold_out(past, touched)
        holdout = holdout.take(np.flatnonzero(holdout.queries.history.lengths > 0))
        if len(holdout) < ENOUGH:
            return None
        drawn = self.run.rng("cold queries").permutation(len(holdout))[: enough(holdout, COLD_QUERIES)]
        return self._panel(fitted, holdout.take(np.sort(drawn)).among(_numbers(hidden)), past)

    def _mixed_panel(self, fitted: Sources, past: Dataset, hidden: Bools) -> Panel:
        """Validation queries over all items: about as many truths are hidden as items are."""
        valid = self.split.valid
        drawn = np.sort(self.run.rng("mixed queries").permutation(len(valid))[: enough(valid, COLD_QUERIES)])
        holdout = valid.take(drawn)
        absent = _numbers(self.split.train.item_counts == 0)  # as many cold items as the final list will hold
        spared = self.run.rng("cold items left out").permutation(absent)[: int(hidden.sum())]
        shown = np.setdiff1d(np.arange(len(hidden)), spared).astype(np.int32)
        asked = replace(holdout, queries=_forget(holdout.queries, hidden))
        return self._panel(fitted, asked.among(shown), past)


def _cold_fuser(fuser: MixesCold, sources: tuple[str, ...], among_cold: Panel, mixed: Panel) -> MixesCold:
    """Warm items as chosen, cold items over all sources; sources that count for neither are left out."""
    trial = fuser.with_sources(sources).fit_cold(among_cold, draft=True)
    first = among_cold.slate.rows(np.arange(min(len(among_cold), 500)))
    weight = np.abs(trial.contributions(first)).mean(axis=(0, 1))
    heavy = dict(zip(sources, weight >= LITTLE * weight.sum(), strict=True))
    used = tuple(name for name in sources if name in fuser.config.sources or heavy[name])
    return fuser.with_sources(used).fit_cold(among_cold, mixed)


def _forget(queries: Queries, hidden: Bools) -> Queries:
    """Queries whose histories lack the hidden items; those seen stay closed."""
    history = queries.history
    seen = Ragged(history.items, history.offsets).keep(hidden[history.items])
    return replace(queries, history=history.keep(~hidden[history.items]), exclude=seen)


def _numbers(mask: Bools) -> Ints:
    return np.flatnonzero(mask).astype(np.int32)
