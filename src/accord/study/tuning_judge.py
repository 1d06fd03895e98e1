"""How good a pipeline is with other values: on half A of validation while they are sought, on half B in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from accord.core.arrays import Floats
from accord.core.errors import InputError
from accord.core.roles import Recommender
from accord.core.run import Run
from accord.data.holdout import Holdout, Split
from accord.evaluate.judged import Judged
from accord.evaluate.metrics import ndcg
from accord.fuse.base import Fuser, Panel
from accord.fuse.weighted import Weighted
from accord.pipeline.fusion import enough, halves
from accord.pipeline.learning import DEPTH, STACK, for_choosing
from accord.pipeline.pipeline import FALLBACK, Pipeline, panel
from accord.pipeline.search import tune as search_values
from accord.pipeline.sources import ItemFacts, Sources
from accord.pipeline.spaces import Spaces, read_by_fusers
from accord.pipeline.spec import PipelineSpec, make, with_values
from accord.study.trial_fits import Fits

K = 10
FEWEST = 40
"""The fewest validation queries that a tuning is judged on: ten learn a mix, ten judge it, twenty confirm."""
Report = Callable[[str, float], None]
"""Takes a source's name and its own NDCG@10, and may raise to give the trial up."""


@dataclass(frozen=True)
class Judgement:
    """What one set of values is worth."""

    value: float
    """NDCG@10 on half A; not a number where no source applies to the data."""
    fuser: int | None
    """The number of the fuser that did best; None for a source alone."""
    alone: dict[str, float] = field(default_factory=dict[str, float])
    """NDCG@10 on half A of the sources that were reported, in their order."""


class Judge:
    """NDCG@10 of the fused list, or of one source alone, on the validation of a split; no test is looked at.

    Half A is cut in two once more: the mix is learned on one part and judged on the other, both ways round, so that a
    fuser gains nothing by learning the answers by heart.
    """

    def __init__(self, split: Split, run: Run, queries: int, alone: str | None = None) -> None:
        self.run, self.alone = run, alone
        self.split = for_choosing(replace(split, tests={}), run)
        valid = self.split.valid
        if len(valid) < FEWEST:
            raise InputError(
                f"fewer than {FEWEST} validation queries", value=len(valid), remedy="Tuning needs more events."
            )
        a, b = halves(valid, run, 2 * enough(valid, queries))
        self.whole, self.unseen = valid.take(a), valid.take(b)
        self.parts = [self.whole.take(part) for part in halves(self.whole, run, 2 * len(a))]
        self.fits = Fits(self.split.train, run)
        self._known: dict[str, Judgement] = {}

    def started(self, spec: PipelineSpec) -> PipelineSpec:
        """The pipeline with what its own ``[search]`` chooses on half A, which is not searched again."""
        sources = self.sources(spec)
        encoded = replace(self.split, train=self.fits.data(spec))
        found = search_values(spec.search, sources, encoded, self.run)[0]
        chosen: dict[str, Any] = {}
        left: dict[str, list[Any]] = {}
        for key, options in spec.search.values.items():
            name, _, parameter = key.partition(".")
            if name in found:
                chosen[f"sources.{key}"] = getattr(found[name].config, parameter)
            else:
                left[key] = options
        start = with_values(spec, chosen).model_copy(update={"search": spec.search.model_copy(update={"values": left})})
        self.fits.hold(start, found)
        return start

    def sources(self, spec: PipelineSpec, first: Sequence[str] = (), report: Report | None = None) -> Sources:
        """The sources that apply, fitted; those named ``first`` before the others, each reported as it is there."""
        wanted = [self.alone] if self.alone else list(spec.sources)
        found: dict[str, Recommender] = {}
        for name in sorted(wanted, key=lambda name: name not in first):
            source = self.fits.source(spec, name)
            if source is not None:
                found[name] = source
                if report is not None and name in first:
                    report(name, _single(name).value(self._panel({name: source}, spec)))
        return {name: found[name] for name in wanted if name in found}

    def value(
        self,
        spec: PipelineSpec,
        fusers: Sequence[int] | None = None,
        first: Sequence[str] = (),
        report: Report | None = None,
    ) -> Judgement:
        """What the pipeline is worth on half A with the best of some fusers (all but stacks, unless given).

        Values that were judged before are reported as they were then, so that a job that goes on, which has forgotten
        them, does the same as one that was never stopped.
        """
        known = self._known.get(spec.digest)
        if known is None:
            alone = dict[str, float]()

            def noted(name: str, value: float) -> None:
                alone[name] = value
                if report is not None:
                    report(name, value)

            sources = self.sources(spec, () if self.alone else first, noted)
            known = self._known[spec.digest] = replace(self._value(spec, sources, fusers), alone=alone)
        elif report is not None:
            for name, value in known.alone.items():
                report(name, value)
        return known

    def _value(self, spec: PipelineSpec, sources: Sources, fusers: Sequence[int] | None) -> Judgement:
        if not sources:
            return Judgement(float("nan"), None)
        if self.alone:
            return Judgement(_single(self.alone).value(self._panel(sources, spec)), None)
        panels = self._panels(sources, spec)
        figures = {number: self._crossed(spec, number, sources, panels) for number in fusers or mixing(spec)}
        best = max(figures, key=lambda number: figures[number])
        return Judgement(figures[best], best)

    def unseen_values(self, spec: PipelineSpec, judgement: Judgement) -> Floats:
        """``float32[B]``: NDCG@10 of each query of half B, the mix learned on all of half A; as it would be served."""
        sources, data = self.sources(spec), self.fits.data(spec)
        fuser = _single(self.alone or "")
        if judgement.fuser is not None:
            fuser = _made(spec, judgement.fuser, sources)
            fuser.fit(Panel.joined(self._panels(sources, spec)), self.run)
        popular = make("sources", {"kind": "popular"}, FALLBACK).fit(data, self.run)
        pipeline = Pipeline(spec, data, sources, fuser, popular, self.fits.encoders(spec))
        slate = pipeline.recommend(self.unseen.queries, K)
        return ndcg.of(Judged.of(slate, self.unseen.truth), K)

    def _crossed(self, spec: PipelineSpec, number: int, sources: Sources, panels: list[Panel]) -> float:
        """NDCG@10 over half A, each part judged by the mix that was learned on the other."""
        ways = ((panels[0], panels[1]), (panels[1], panels[0]))
        values = [_made(spec, number, sources).fit(learn, self.run, draft=True).value(held) for learn, held in ways]
        return float(np.average(values, weights=[held.total for _, held in ways]))

    def _panels(self, sources: Sources, spec: PipelineSpec) -> list[Panel]:
        return [self._heard(sources, spec, part) for part in self.parts]

    def _panel(self, sources: Sources, spec: PipelineSpec) -> Panel:
        return self._heard(sources, spec, self.whole)

    def _heard(self, sources: Sources, spec: PipelineSpec, part: Holdout) -> Panel:
        spaces = Spaces.named(read_by_fusers(spec), self.fits.data(spec), sources, self.fits.encoders(spec))
        depth = min(DEPTH, spec.depth)
        return panel(sources, part.queries, part.truth, ItemFacts.of(self.split.train), depth, spaces)


def mixing(spec: PipelineSpec) -> list[int]:
    """The numbers of the fusers that are learned in a trial: all but stacks, whose trees come on top of another.

    Raises ``InputError`` where there is none.
    """
    found = [number for number, values in enumerate(spec.fusers) if values["kind"] != STACK]
    if not found:
        raise InputError("tuning needs a fuser beside the stack", place="fusers", remedy='Add kind = "weighted".')
    return found


def _made(spec: PipelineSpec, number: int, sources: Sources) -> Fuser:
    return make("fusers", spec.fusers[number], f"fusers.{number}", sources=tuple(sources))


def _single(name: str) -> Weighted:
    return Weighted(sources=(name,))
