"""What each source is worth: the fused list against the list without it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.data.holdout import Holdout
from accord.evaluate.case import Case
from accord.evaluate.evaluation import Pool
from accord.fuse.base import Fuser, Panel
from accord.pipeline.pipeline import Pipeline

FUSED = "fused"
WITHOUT = "without {}"
ANEW = "without {}, learned anew"
MOST = 10_000
"""The most queries that are asked; each is answered once for every source and once more."""


def ablation_case(
    pipeline: Pipeline, holdout: Holdout, run: Run, *, n: int = 20, validation: Panel | None = None
) -> Case | None:
    """The fused lists of a pipeline, and those without each source, for the same queries; None with one source only.

    ``without x``: the source neither offers nor scores, and the weights of the others stay in proportion.
    ``without x, learned anew``: the fusion of the others is learned from ``validation``, a panel of sources that were
    fitted without its events; where the fuser has coefficients of cold items, they are then those of the others.
    At most ``MOST`` random queries are asked.
    """
    if len(pipeline.fuser.config.sources) < 2:
        return None
    asked = np.sort(run.rng("ablation").permutation(len(holdout))[:MOST])
    holdout = holdout.take(asked)
    shown = {**variants(pipeline, run, validation), FUSED: pipeline}
    slates = {name: variant.recommend(holdout.queries, n) for name, variant in shown.items()}
    return Case(slates, holdout, pipeline.events)


def variants(pipeline: Pipeline, run: Run, validation: Panel | None = None) -> dict[str, Pipeline]:
    """The pipeline without each of its sources, by name; see ``ablation_case``."""
    names, found = pipeline.fuser.config.sources, dict[str, Pipeline]()
    for name in names:
        rest = tuple(other for other in names if other != name)
        with suppress(CannotFit):  # a fuser that can only be learned anew
            found[WITHOUT.format(name)] = _fused_by(pipeline, pipeline.fuser.with_sources(rest))
        if validation is not None:
            fuser = type(pipeline.fuser)(pipeline.fuser.config.model_copy(update={"sources": rest}))
            found[ANEW.format(name)] = _fused_by(pipeline, fuser.fit(validation, run))
    return found


def ablation_report(found: Sequence[Case | None], ks: Sequence[int], seed: int) -> dict[str, Any]:
    """``{"n_queries", "ks", "systems", "comparisons"}`` of one or more cuts, for JSON; empty where there is nothing.

    ``comparisons``: the fused list (``a``) less the list without a source (``b``), by paired bootstrap with Holm's
    correction: a positive difference is what the source adds. Only sources that all cuts have are compared.
    """
    cases = [case for case in found if case is not None]
    if not cases:
        return {}
    common = [name for name in cases[0].slates if all(name in case.slates for case in cases)]
    if common == [FUSED]:
        return {}
    same = [replace(case, slates={name: case.slates[name] for name in common}) for case in cases]
    pool = Pool(same, ks)
    means = {
        name: {metric: {"value": float(np.nanmean(pool.per_query(name)[metric]))} for metric in pool.main}
        for name in common
    }
    n_queries = sum(len(case.holdout) for case in same)
    return {
        "n_queries": n_queries,
        "ks": list(ks),
        "systems": means,
        "comparisons": pool.comparisons(FUSED, seed),
    }


def _fused_by(pipeline: Pipeline, fuser: Fuser) -> Pipeline:
    """The pipeline with another fuser, and the sources it fuses only."""
    return replace(pipeline, sources={name: pipeline.sources[name] for name in fuser.config.sources}, fuser=fuser)
