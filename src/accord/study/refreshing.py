"""The refresh: learn anew from what the store holds, and publish it if it is not worse than the live version."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.run import Run
from accord.data.holdout import Split
from accord.data.store import Store, seed
from accord.pipeline.artefact import save
from accord.pipeline.learning import Learned, learn
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import PipelineSpec
from accord.registry import Registry
from accord.registry.durable import locked_at_once
from accord.registry.registry import KEEP
from accord.study.contest import Verdict, judge
from accord.study.forgetting import purge
from accord.study.holding_back import FEWEST, hold_back, new_events
from accord.study.resuming import inside, resumable
from accord.study.snapshots import Snapshot, holds_erased, moment_of, take
from accord.study.splitting import SplitKind
from accord.study.training import card_facts, production_split

Outcome: TypeAlias = Literal["promoted", "published", "kept", "skipped"]
"""``promoted``: live now; ``published``: good, and a candidate as asked for; ``kept``: a candidate that is worse, or
came too late; ``skipped``: there was too little new to judge by, so nothing was done."""

WEIGHTS = "event_weights"
"""The fact of a card that a next version takes over, for kinds of events that its own log lacks."""


@dataclass(frozen=True)
class Wishes:
    """What a refresh may do."""

    spec: PipelineSpec | None = None
    """Another pipeline; None: that of the live version, with its hyper-parameters."""
    split: SplitKind | None = None
    """What validates, as in training."""
    promote: bool = True
    keep: int = KEEP
    """Versions that are kept when one was promoted, beside the live one and the one before it."""


@dataclass(frozen=True)
class Refreshed:
    """What came of a refresh."""

    outcome: Outcome
    reason: str
    """One sentence."""
    live: str
    """The version that is live now."""
    version: str | None = None
    """The new version; None where nothing was published."""
    events: int = 0
    new_events: int = 0
    """Events that the live version had not learned from."""
    verdict: dict[str, Any] | None = None
    """Both figures, the difference and its interval; None where nothing was judged."""
    pruned: tuple[str, ...] = ()
    tombstones: int | None = None
    """Tombstones purged; None where an older version still holds somebody who was erased."""
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.outcome}{f' {self.version}' if self.version else ''}: {self.reason}."


def refresh(run: Path, store: Store, job: Run, wishes: Wishes | None = None, *, fresh: bool = False) -> Refreshed:
    """Train a candidate on the store's events and compare it with the live version on the newest of them.

    The candidate is published, and promoted, where it is not worse by more than one standard error of the paired
    difference; then it is fitted once more on everything. A killed refresh goes on where it stopped; ``fresh`` forgets
    that. ``run``: a trained run or its registry. Raises ``InputError`` where another refresh is at work, or nothing is
    live, or people are recommended.
    """
    registry, started = Registry.around(run), time.monotonic()
    with locked_at_once(registry.folder / "refresh.lock") as free:
        if not free:
            raise InputError(
                "another refresh of this run is at work", place=str(run), remedy="Wait until it has ended."
            )
        folder = registry.folder / "refresh"
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        with resumable(job, inside(folder)) as resumed:
            done = _Refresh(registry, store, resumed, wishes or Wishes(), folder).done()
        shutil.rmtree(folder, ignore_errors=True)
    return replace(done, seconds=time.monotonic() - started)


@dataclass(frozen=True)
class _Learned:
    """A candidate, how it fared, and the split that it was learned on."""

    learned: Learned
    split: Split
    verdict: Verdict | None


class _Refresh:
    """One refresh: what its steps share."""

    def __init__(self, registry: Registry, store: Store, run: Run, wishes: Wishes, folder: Path) -> None:
        self.registry, self.store, self.run, self.wishes, self.folder = registry, store, run, wishes, folder
        self.name, self.card, self.live = _live(registry)

    def done(self) -> Refreshed:
        """All steps."""
        seed(self.store, self.live.data, self.run)
        with self.run.step("read the store"):
            snapshot = take(self.folder / "snapshot", self.store, self.name, self.live.data)
        new = new_events(snapshot.data, self.live.data)
        cut = hold_back(snapshot.data, new)
        if cut is not None:
            candidate = self._contender(snapshot.data, cut.past, cut.holdout)
        elif holds_erased(self.store, self.live.data, moment_of(self.card)):
            candidate = self._unjudged(snapshot.data)
        else:
            candidate = None
        came_of_it = self._skipped(int(new.sum())) if candidate is None else self._published(candidate, snapshot)
        return replace(came_of_it, events=snapshot.data.n_events, new_events=int(new.sum()))

    def _skipped(self, new: int) -> Refreshed:
        reason = f"{new} new events ask fewer than {FEWEST} questions to judge by"
        return Refreshed("skipped", reason, self.name)

    def _contender(self, data: Dataset, past: Dataset, holdout: Any) -> _Learned:
        """A candidate that has not seen the held-back events, and its comparison with the live version."""
        split = production_split(past, self.wishes.split, self.run)
        learned = learn(self._spec, split, self.run)
        with self.run.step("compare with the live version"):
            verdict = judge(learned.pipeline, self.live, data, holdout, self.run)
        return _Learned(learned, split, verdict)

    def _unjudged(self, data: Dataset) -> _Learned:
        """A candidate that only forgets: too little is new to judge it by."""
        split = production_split(data, self.wishes.split, self.run)
        return _Learned(learn(self._spec, split, self.run), split, None)

    @property
    def _spec(self) -> PipelineSpec:
        return self.wishes.spec or self.live.spec

    def _published(self, candidate: _Learned, snapshot: Snapshot) -> Refreshed:
        verdict = candidate.verdict
        if verdict is not None and not verdict.accepted:
            reason = f"worse by more than one standard error: {verdict}"
            version = self._publish(candidate.learned, snapshot, verdict, reason)
            return Refreshed("kept", reason, self.name, version, verdict=verdict.facts)
        reason = f"not worse: {verdict}" if verdict else "it forgets people who were erased; too little new to judge by"
        final = candidate.learned
        if verdict is not None:  # what was chosen stays; only the sources are fitted again
            final = learn(self._spec, replace(candidate.split, refit=snapshot.data), self.run)
        version = self._publish(final, snapshot, verdict, reason)
        return replace(self._promoted(version, reason, snapshot), verdict=verdict.facts if verdict else None)

    def _publish(self, learned: Learned, snapshot: Snapshot, verdict: Verdict | None, reason: str) -> str:
        """Save the pipeline with the facts of this refresh in its card, and publish it as a candidate."""
        told = {"from": self.name, "snapshot": snapshot.moment, "reason": reason}
        told |= {"verdict": verdict.facts if verdict else None}
        facts = card_facts(learned, snapshot.data, self.registry.folder, self.run)
        weights = {WEIGHTS: self.card.get(WEIGHTS, {}) | facts[WEIGHTS]}
        save(learned.pipeline, self.folder / "candidate", {"target": "items", **facts, **weights, "refresh": told})
        return self.registry.publish(self.folder / "candidate", note=f"refresh of {self.name}: {reason}")

    def _promoted(self, version: str, reason: str, snapshot: Snapshot) -> Refreshed:
        """Promote it, unless that is not wished for or something else went live meanwhile; then tidy up."""
        now = self.registry.live()
        if not self.wishes.promote:
            return Refreshed("published", reason, self.name, version)
        if now != self.name:
            return Refreshed("kept", f"{now} went live meanwhile; {reason}", str(now), version)
        self.registry.promote(version)
        pruned = tuple(self.registry.prune(self.wishes.keep))
        tombstones = purge(self.registry, self.store, snapshot.moment)
        return Refreshed("promoted", reason, version, version, pruned=pruned, tombstones=tombstones)


def _live(registry: Registry) -> tuple[str, dict[str, Any], Pipeline]:
    name = registry.live()
    if name is None:
        raise InputError(
            "nothing is live",
            place=str(registry.folder),
            remedy="Promote a version: accord models promote RUN VERSION.",
        )
    card = registry.card(name)
    if card.get("target", "items") != "items":
        raise InputError("only pipelines that recommend items are refreshed", place=name, value=card.get("target"))
    return name, card, registry.load(name)
