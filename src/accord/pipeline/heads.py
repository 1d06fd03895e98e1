"""Learning heads on the validation events, and asking them about held-back ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from accord.core import catalog
from accord.core.arrays import Floats
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.roles import Predicts, Recommender
from accord.core.run import Run
from accord.data.holdout import Holdout, Split
from accord.fuse.heads import Cells, Head
from accord.pipeline.fusion import enough
from accord.pipeline.pipeline import FALLBACK, Pipeline
from accord.pipeline.spec import make


@dataclass(frozen=True)
class Predicted:
    """What a head and the simpler predictions it must beat say of held-back pairs."""

    cells: Cells
    values: dict[str, Floats]
    """``float32[B, K]`` by name: the floors, then the head itself, under its own name."""


def with_heads(
    pipeline: Pipeline, sources: Mapping[str, Recommender], split: Split, run: Run, skipped: dict[str, str]
) -> Pipeline:
    """The pipeline with the heads of its specification; nothing else of it changes.

    What sources tell of held-back events is learned from ``sources``, fitted on ``split.train``, and frozen; what the
    log says of items is learned again from all that the pipeline was fitted on. A head that does not apply to the log
    is left out, and ``skipped`` says why.
    """
    if not pipeline.spec.heads:
        return pipeline
    heads: dict[str, Head] = {}
    draft = _draft(pipeline, sources, split, run)
    for name in pipeline.spec.heads:
        try:
            with run.step(f"learn the head {name}"):
                learned = _learned(draft, name, split, run)
                heads[name] = _copy(learned).fit(pipeline.data, run)
        except CannotFit as reason:
            skipped[f"heads.{name}"] = str(reason)
    return replace(pipeline, heads=heads)


def predicted(pipeline: Pipeline, name: str, holdout: Holdout, known: Dataset, run: Run) -> Predicted:
    """A head's predictions of held-back pairs; ``known`` is the log with the held-back events in it."""
    head = pipeline.head(name)
    cells = head.cells(holdout, known, run.rng(f"judge the head {name}"))
    slate, rated = pipeline.for_head(holdout.queries, cells.items, name)
    return Predicted(cells, {**head.floors(slate, rated), name: head.predict(slate, rated)})


def _draft(pipeline: Pipeline, sources: Mapping[str, Recommender], split: Split, run: Run) -> Pipeline:
    """The pipeline as it would be without the validation events."""
    used = {name: sources[name] for name in pipeline.sources}
    fallback = make("sources", {"kind": "popular"}, FALLBACK).fit(split.train, run)
    return replace(pipeline, data=split.train, sources=used, fallback=fallback)


def _learned(draft: Pipeline, name: str, split: Split, run: Run) -> Head:
    spec = draft.spec
    sources = tuple(draft.fuser.config.sources)
    predicting = tuple(source for source in sources if _predicts(draft.sources[source], spec.heads[name]["kind"]))
    head: Head = make("heads", spec.heads[name], f"heads.{name}", sources=sources, predicting=predicting)
    head.fit(split.train, run)
    drawn = run.rng(f"queries of the head {name}").permutation(len(split.valid))
    holdout = split.valid.take(np.sort(drawn[: enough(split.valid, spec.max_validation)]))
    if not len(holdout):
        return head
    cells = head.cells(holdout, split.refit, run.rng(f"cells of the head {name}"))
    slate, rated = replace(draft, heads={name: head}).for_head(holdout.queries, cells.items, name)
    return head.learn(slate, rated, cells, run)


def _predicts(source: Recommender, kind: str) -> bool:
    """Whether a source predicts what a kind of head does."""
    return isinstance(source, Predicts) and catalog.find("heads", kind).measures in source.predicts


def _copy(head: Head) -> Head:
    return type(head)(head.config).load_state(head.state())
