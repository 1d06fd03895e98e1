"""What rules cost: lists of held-back queries under all terms of a placement, without each one, and under none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from accord.core.arrays import Doubles
from accord.core.dataset import Dataset
from accord.core.run import Run
from accord.core.slate import Slate
from accord.data.holdout import Holdout, Split
from accord.evaluate.metrics import ndcg
from accord.evaluate.significance import holm, mean_and_error, paired_bootstrap
from accord.pipeline.compiled import CompiledCatalogue
from accord.pipeline.learning import learn
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.placements import Placement, Terms, check_terms
from accord.pipeline.ruled import recommend_under
from accord.pipeline.rules import Rules
from accord.pipeline.spec import PipelineSpec
from accord.study.splitting import SplitSettings, make_splits

ALL, NONE, WITHOUT = "all terms", "no terms", "without {}"
RULES = ("available", "age", "region", "stock", "blocked", "only")
"""Rules that are left out as a whole; filters, caps and boosts are left out one by one."""
WHOLE = ("pins", "more_like", "less_like", "mute")
K = 10
MOST = 10_000
"""The most held-back queries that are asked, once for each variant."""


@dataclass(frozen=True)
class Variant:
    """The lists of one variant, judged."""

    ndcg: Doubles
    """``float64[B]``: NDCG@10 of each query."""
    short: int
    """How many lists have fewer items than the placement asks for."""


def rule_costs(
    folder: Path, placements: Mapping[str, Placement], spec: PipelineSpec, settings: SplitSettings, run: Run
) -> dict[str, Any]:
    """Learn a pipeline without the test events of a dataset folder, then ask for each placement's lists.

    Returns ``{"split", "seed", "preset", "placements": {name: {"n", "n_queries", "variants": [...]}}}``, ready for
    JSON; see ``placement_costs``. Placements are checked against the items before anything is learned.
    """
    with run.step("load and split"):
        data, cut = make_splits(Dataset.load(folder), settings, run)
    catalogue = CompiledCatalogue(data.items, data.item_numbers)
    for placement in placements.values():
        check_terms(placement, catalogue)
    split = cut[-1]  # the newest
    pipeline = learn(spec, split, run).pipeline
    holdout = asked(split, run)
    found: dict[str, Any] = {}
    for name, placement in placements.items():
        with run.step(f"placement {name}"):
            found[name] = placement_costs(pipeline, placement, holdout, run)
    return {"split": settings.kind, "seed": run.seed, "preset": spec.name, "placements": found}


def asked(split: Split, run: Run) -> Holdout:
    """The main test, cut to ``MOST`` random queries."""
    holdout = split.tests.get("test") or next(iter(split.tests.values()))
    return holdout.take(np.sort(run.rng("rule costs").permutation(len(holdout))[:MOST]))


def placement_costs(pipeline: Pipeline, placement: Placement, holdout: Holdout, run: Run) -> dict[str, Any]:
    """``{"n", "n_queries", "variants"}``; each variant has ``ndcg@10``, ``short`` and, but for the first, ``gain``.

    ``gain``: NDCG@10 of the variant less that under all terms, by paired bootstrap over the queries, with Holm's
    correction: what the left-out term costs. Held-back items that a rule hides count as missed.
    """
    judged = {
        name: _judged(recommend_under(pipeline, holdout.queries, variant), holdout, variant.n)
        for name, variant in run.progress.track(variants(placement).items(), "variants")
    }
    gains = _gains(judged, run.seed)
    rows = [
        {"variant": name, "ndcg@10": _figure(one.ndcg), "short": one.short} | gains.get(name, {})
        for name, one in judged.items()
    ]
    return {"n": placement.n, "n_queries": len(holdout), "variants": rows}


def variants(placement: Placement) -> dict[str, Placement]:
    """The placement, without each of its terms in turn, and without all of them."""
    found = {ALL: placement}
    given = [name for name in RULES if getattr(placement.rules, name)]
    for place in [*(f"rules.{name}" for name in given), *(name for name in WHOLE if getattr(placement, name))]:
        found[WITHOUT.format(place)] = _with(placement, place, _default(place))
    for place, table in (("rules.filters", placement.rules.filters), ("caps", placement.caps)):
        for name in table:
            rest = {field: value for field, value in table.items() if field != name}
            found[WITHOUT.format(f"{place}.{name}")] = _with(placement, place, rest)
    for at in range(len(placement.boosts)):
        rest = (*placement.boosts[:at], *placement.boosts[at + 1 :])
        found[WITHOUT.format(f"boosts.{at}")] = _with(placement, "boosts", rest)
    bare = Rules(include_seen=placement.rules.include_seen)
    found[NONE] = Placement(name=placement.name, n=placement.n, rules=bare)
    return found


def _default(place: str) -> Any:
    """What a term is where it is not given."""
    holder, _, name = place.rpartition(".")
    return (Rules if holder else Terms).model_fields[name].get_default(call_default_factory=True)


def _with(placement: Placement, place: str, value: Any) -> Placement:
    """A copy with one term replaced, which may be one of the rules."""
    if place.startswith("rules."):
        rules = placement.rules.model_copy(update={place.removeprefix("rules."): value})
        return placement.model_copy(update={"rules": rules})
    return placement.model_copy(update={place: value})


def _judged(slate: Slate, holdout: Holdout, n: int) -> Variant:
    values = ndcg(slate, holdout.truth, K).astype(np.float64)
    return Variant(values, int((slate.filled.sum(axis=1) < n).sum()))


def _gains(judged: Mapping[str, Variant], seed: int) -> dict[str, dict[str, Any]]:
    """Every variant less the list under all terms."""
    others = [name for name in judged if name != ALL]
    differences = np.stack([judged[name].ndcg - judged[ALL].ndcg for name in others], axis=1)
    intervals = paired_bootstrap(differences, seed=seed)
    corrected = holm(np.array([interval.p for interval in intervals]))
    return {
        name: {
            "gain": {
                "difference": interval.difference,
                "low": interval.low,
                "high": interval.high,
                "p": interval.p,
                "p_holm": float(p),
            }
        }
        for name, interval, p in zip(others, intervals, corrected, strict=True)
    }


def _figure(values: Doubles) -> dict[str, float | None]:
    mean, error = mean_and_error(values)
    return {"value": None if np.isnan(mean) else mean, "se": None if np.isnan(error) else error}
