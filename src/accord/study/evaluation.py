"""The evaluation job: split, learn, rank everything, judge, write it all down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from accord import __version__
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.core.run import Run, Silent, Timing
from accord.core.slate import Slate
from accord.data.holdout import Split
from accord.evaluate.case import Case
from accord.evaluate.evaluation import Pool
from accord.evaluate.floors import PopularityFloor, RandomFloor
from accord.fuse.softmax import Softmax
from accord.fuse.stack import Stack
from accord.fuse.weighted import Weighted
from accord.pipeline.artefact import resolved
from accord.pipeline.learning import Learned, learn
from accord.pipeline.pipeline import TOLD, Pipeline
from accord.pipeline.resume import identity, kept_lists
from accord.pipeline.spec import PipelineSpec
from accord.study.ablation import ablation_case, ablation_report
from accord.study.deciders import deciders
from accord.study.environment import described, machine, versions
from accord.study.evaluation_page import render
from accord.study.examples import examples
from accord.study.inside import Inside, check_inside, look_inside
from accord.study.lists import as_table
from accord.study.predicting import judge_heads
from accord.study.readings import record
from accord.study.splitting import SplitSettings, make_splits

DEPTH = 100
"""How deep the judged lists go."""


@dataclass
class Evaluation:
    """What an evaluation found."""

    metrics: dict[str, Any]
    """The content of ``metrics.json``."""
    pools: dict[str, Pool]
    """Values by query of every test, for further paired comparisons."""
    recommendations: pa.Table
    """The fused lists of the main test's queries."""
    learned: list[Learned] = field(default_factory=list[Learned])
    """The pipeline of each split."""
    fits: list[Timing] = field(default_factory=list[Timing])
    """What learning the pipeline of each split cost, its choices and its refit together."""
    places: dict[str, Any] = field(default_factory=dict[str, Any])
    """Where items and people lie on the maps of the page; see ``look_inside``."""


def evaluate_dataset(
    folder: Path,
    spec: PipelineSpec,
    settings: SplitSettings,
    run: Run,
    *,
    refit: bool = True,
    ablation: bool = False,
    inside: Inside = "pca",
    ks: Sequence[int] = (10, 20),
    out: Path | None = None,
    command: str = "",
) -> Evaluation:
    """Evaluate a pipeline on a dataset folder; with ``out`` the results are written there.

    With ``ablation`` the main test is also answered without each source. ``inside``: how maps of vectors are made, or
    ``off`` for no look at them.
    """
    check_inside(inside)
    with run.step("load and split"):
        data, cut = make_splits(Dataset.load(folder), settings, run)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)  # now, for it is a pity to learn after the work that it cannot be
    cases: dict[str, list[Case]] = {}
    learned: list[Learned] = []
    lists: list[pa.Table] = []
    without: list[Case | None] = []
    clock = replace(run, progress=Silent(), timings=[])
    for split in cut:
        with clock.step(f"learn ({split.name})"):
            result = learn(spec, split, run, refit=refit, keep_all=True)
        learned.append(result)
        with run.step(f"rank and judge ({split.name})"):
            found, told = _cases(result, split, run, max(ks))
        for test, case in found.items():
            cases.setdefault(test, []).append(case)
        lists.append(_lists(result, split, told))
        if ablation:
            with run.step(f"without each source ({split.name})"):
                without.append(ablation_case(result.pipeline, split.tests[_main_test(split)], run, n=max(ks)))
    decide = _deciders(learned[-1], cut[-1], run)
    views, places = _inside(learned[-1], cut[-1], run, inside)
    with run.step("judge"):
        pools = {test: Pool(_comparable(parts), ks) for test, parts in cases.items()}
        tests = {test: pool.report(seed=run.seed) for test, pool in pools.items()}
    metrics = _metrics(data, folder, spec, settings, cut, learned, run, refit=refit, command=command)
    metrics |= {"tests": tests, "popularity_curve": _curve(cases, cut)}
    if spec.heads:
        metrics["heads"] = judge_heads(learned, cut, data, run)
    if views:
        metrics["inside"] = views
    metrics["fusion"]["deciders"] = decide
    if ablation:
        metrics["ablation"] = ablation_report(without, ks, run.seed)
    recommendations = pa.concat_tables(lists, promote_options="default")  # cuts may differ in their sources
    evaluation = Evaluation(metrics, pools, recommendations, learned, clock.timings, places)
    if out is not None:
        _write(evaluation, folder, out, run)
    return evaluation


def _cases(result: Learned, split: Split, run: Run, n: int) -> tuple[dict[str, Case], Slate]:
    """Every system's lists for every test of a split: floors, sources alone (the dropped ones too), the fused list.

    And the first ``n`` places of the main test's fused lists, with the scores of all sources.
    """
    pipeline = result.pipeline
    n_items, counts = split.refit.n_items, pipeline.events
    floors = {"random": RandomFloor(n_items, run.seed), "popularity": PopularityFloor(counts, run.seed)}
    columns = pipeline.data.vectors
    vectors = columns.get("attributes", next(iter(columns.values()), None))  # how unlike the items of a list are
    cases: dict[str, Case] = {}
    told: dict[str, Slate] = {}
    for test, holdout in split.tests.items():

        def rank(queries: Queries = holdout.queries) -> dict[str, Slate]:
            slates = {name: floor.recommend(queries, DEPTH) for name, floor in floors.items()}
            return slates | pipeline.compare(queries, DEPTH, beside=result.alone, told=n)

        alone = [(name, identity(source)) for name, source in result.alone.items()]
        parts = (*_answering(pipeline), alone, holdout.queries, DEPTH, n)
        slates = kept_lists(run, parts, rank)
        told[test] = slates.pop(TOLD)
        cases[test] = Case(slates, holdout, counts, vectors)
    return cases, told[_main_test(split)]


def _answering(pipeline: Pipeline) -> tuple[Any, ...]:
    """All that the lists of a pipeline depend on; its fits follow from its data."""
    parts = (*pipeline.sources.values(), pipeline.fallback, pipeline.fuser)
    named = (list(pipeline.sources), [identity(part) for part in parts])
    return pipeline.spec, pipeline.data, named, pipeline.fuser.state()


def _inside(result: Learned, split: Split, run: Run, inside: Inside) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and places of the last split's pipeline; empty where they are off or nothing has vectors."""
    if inside == "off":
        return {}, {}
    with run.step("look inside"):
        alone = [(name, identity(source)) for name, source in result.alone.items()]
        queries = [holdout.queries for holdout in split.tests.values()]
        parts = (inside, *_answering(result.pipeline), alone, *queries)
        return run.keep_facts("views", parts, lambda: look_inside(result, split, run, inside))


def _deciders(result: Learned, split: Split, run: Run) -> list[dict[str, Any]]:
    """Which sources decide the lists of the main test of the last split."""
    queries = split.tests[_main_test(split)].queries
    with run.step("who decides"):
        parts = (*_answering(result.pipeline), queries)
        return run.keep_facts("deciders", parts, lambda: deciders(result.pipeline, queries, run))


def _comparable(cases: list[Case]) -> list[Case]:
    """The systems that all cuts have, in one order: a source may be dropped, or not apply, in some."""
    common = [name for name in cases[0].slates if all(name in case.slates for case in cases)]
    common.sort(key="fused".__eq__)
    return [replace(case, slates={name: case.slates[name] for name in common}) for case in cases]


def _main_test(split: Split) -> str:
    return "test" if "test" in split.tests else next(iter(split.tests))


def _lists(result: Learned, split: Split, told: Slate) -> pa.Table:
    """The main test's recommendations as a table."""
    table = as_table(result.pipeline, split.tests[_main_test(split)].queries, told)
    return table.append_column("split", pa.array([split.name] * table.num_rows))


def _metrics(
    data: Dataset,
    folder: Path,
    spec: PipelineSpec,
    settings: SplitSettings,
    cut: list[Split],
    learned: list[Learned],
    run: Run,
    *,
    refit: bool,
    command: str,
) -> dict[str, Any]:
    last = learned[-1]
    kind = settings.kind
    return {
        "accord": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "versions": versions(),
        "machine": machine(),
        "dataset": described(data, folder),
        "preset": spec.name,
        "config_digest": spec.digest,
        "config_text": resolved(last.pipeline).to_toml(),
        "split": {
            "kind": kind,
            "cuts": len(cut),
            "refit": refit,
            "notes": [note for split in cut for note in split.notes],
        },
        "seed": run.seed,
        "fusion": fusion_of(last),
        "tuned": last.tuned,
        "skipped": [{"part": name, "reason": reason} for name, reason in last.skipped.items()],
        "examples": examples(last.pipeline, cut[-1]),
        "timings": [asdict(timing) for timing in run.timings],
        "resumed": dict(run.checkpoint.taken),
    }


def fusion_of(result: Learned) -> dict[str, Any]:
    """How the sources are mixed, and how that was chosen, as ``metrics.json`` tells it."""
    fuser: Any = result.pipeline.fuser
    shape: dict[str, Any] = {"kind": type(fuser).__name__.lower(), "tried": result.tried, "stack": result.stack}
    shape["asked"] = result.asked
    fuser = fuser.base if isinstance(fuser, Stack) else fuser
    names = fuser.config.sources
    shape["dropped"] = [{"source": name, "reason": reason} for name, reason in result.dropped.items()]
    inner = getattr(fuser, "base", fuser)
    if inner is not fuser:  # a learned fuser: a network corrects the weighted sum
        shape["correction"] = {"kind": type(fuser).__name__.lower(), "gains": fuser.gains.tolist()}
    if isinstance(fuser := inner, Weighted):
        rows = dict(zip(("warm", "cold"), fuser.weights.tolist(), strict=True))
        shape["weights"] = {kind: dict(zip(names, row, strict=True)) for kind, row in rows.items()}
        shape["cold_shift"] = float(fuser.shift[0])
        shape["cold_blend"] = float(fuser.blend[0])
        shape["normalise"] = fuser.config.normalise
    if isinstance(fuser, Softmax) and np.isfinite(fuser.held_back).all():
        names = ("log_loss", "even_log_loss", "calibration_error")
        shape["calibration"] = dict(zip(names, fuser.held_back.tolist(), strict=True))
    return shape


def _curve(cases: dict[str, list[Case]], cut: list[Split], points: int = 50) -> dict[str, list[float]]:
    """Share of events, and of recommended places, that the most popular share of items takes."""
    case = next(iter(cases.values()))[-1]
    counts = cut[-1].refit.item_counts
    shown = case.slates["fused"].items[:, :10]
    recommended = np.bincount(shown[shown >= 0], minlength=len(counts))
    order = np.argsort(-counts, kind="stable")
    places = np.unique(np.linspace(0, len(counts), points + 1).round().astype(int))

    def shares(values: Any) -> list[float]:
        total = np.concatenate([[0], np.cumsum(values[order])])
        return (total[places] / max(1, total[-1])).tolist()

    return {
        "items": (places / max(1, len(counts))).tolist(),
        "events": shares(counts),
        "recommended": shares(recommended),
    }


def _write(evaluation: Evaluation, folder: Path, out: Path, run: Run) -> None:
    """``metrics.json``, ``recommendations.parquet``, ``report.html``, and the reading in the logs."""
    metrics = evaluation.metrics
    reading = {
        "data": metrics["dataset"]["fingerprint"],
        "split": metrics["split"]["kind"],
        "preset": metrics["preset"],
        "config": metrics["config_digest"],
        "seed": metrics["seed"],
        "refit": metrics["split"]["refit"],
        "command": metrics["command"],
    }
    # Kept, so that a job that was killed after this and goes on is one reading.
    metrics["readings"] = run.keep_facts("readings", (reading,), lambda: record([folder, out], **reading)["number"])
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    pq.write_table(evaluation.recommendations, out / "recommendations.parquet")
    (out / "pipeline.toml").write_text(metrics["config_text"], encoding="utf-8")
    (out / "report.html").write_text(render(metrics, evaluation.places), encoding="utf-8")
