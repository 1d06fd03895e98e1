"""The comparison job: several pipelines on the very same test queries, each measured in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accord.core.dataset import Dataset
from accord.core.errors import DataError, InputError
from accord.core.run import Run
from accord.data.holdout import Holdout
from accord.evaluate.case import Case
from accord.evaluate.evaluation import Pool
from accord.pipeline.spec import PipelineSpec, preset, read_spec
from accord.study import measured
from accord.study.apart import measured_apart
from accord.study.comparison_page import render
from accord.study.measured import Measured, digests
from accord.study.measuring import Job
from accord.study.splitting import SplitSettings, make_splits

FOLDER = "pipelines"
"""Where the files of each pipeline's own evaluation lie, by its name."""
SHARED = ("accord", "versions", "machine", "dataset", "split")
"""What all pipelines have in common."""
OWN = ("preset", "config_digest", "sources", "skipped", "readings", "resumed", "cost")
"""What is told of each."""

Tests = dict[str, list[Holdout]]
"""The questions of every test, one entry a cut."""


def named_specs(presets: Sequence[str], configs: Sequence[Path]) -> dict[str, PipelineSpec]:
    """Pipelines by name: that of the preset, or of the file without its ending. Two names must not be the same."""
    entries = [(name, preset(name)) for name in presets] + [(path.stem, read_spec(path)) for path in configs]
    names = [name for name, _ in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError("two pipelines have the same name", value=twice[0], remedy="Rename the file of one of them.")
    if len(entries) < 2:
        raise InputError("at least two pipelines are compared", value=names, remedy="Name presets or TOML files.")
    return dict(entries)


def compare_dataset(
    folder: Path,
    specs: Mapping[str, PipelineSpec],
    settings: SplitSettings,
    run: Run,
    out: Path,
    *,
    against: str | None = None,
    refit: bool = True,
    shared_cache: bool = False,
    fresh: bool = False,
    ks: Sequence[int] = (10, 20),
    command: str = "",
) -> dict[str, Any]:
    """Compare pipelines by name on a dataset folder; the results are written to ``out``, the content returned.

    ``against``: the pipeline that the others are compared with; the first by default. ``shared_cache``: encoded content
    comes from ``run.cache``, and whoever encodes it first pays; else each pipeline encodes all that it reads. With a
    checkpoint in the run, a killed comparison goes on with what is missing; ``fresh`` lets no pipeline go on.
    """
    reference = _known(against, specs)
    with run.step("load and split"):
        tests, fingerprint = _tests(folder, settings, run)
    asked, found = digests(tests), dict[str, Measured]()
    for name, spec in specs.items():
        job = Job(
            folder=str(folder),
            name=name,
            spec=spec.to_toml(),
            settings=settings,
            out=str(out / FOLDER / name),
            result=str(out / FOLDER / name / ".measured.safetensors"),
            refit=refit,
            seed=run.seed,
            device=run.device,
            track=run.track,
            cache=str(run.cache) if shared_cache and run.cache is not None else None,
            fresh=fresh,
            command=command,
        )
        found[name] = _kept(job, asked, fingerprint, run)
    with run.step("judge"):
        reports = {test: _report(found, test, holdouts, ks, reference, run.seed) for test, holdouts in tests.items()}
    comparison = _comparison(found, reports, run.seed, reference, command)
    _write(comparison, out)
    return comparison


def frontier(points: Mapping[str, Sequence[float]]) -> list[str]:
    """The names of which no other is at least as good everywhere and better somewhere; larger numbers are better."""
    return [
        name
        for name, own in points.items()
        if not any(
            all(theirs >= mine for theirs, mine in zip(other, own, strict=True)) and list(other) != list(own)
            for other in points.values()
        )
    ]


def _known(against: str | None, specs: Mapping[str, PipelineSpec]) -> str:
    if against is not None and against not in specs:
        raise InputError("not compared", place="--against", value=against, remedy=f"One of: {', '.join(specs)}.")
    return against or next(iter(specs))


def _tests(folder: Path, settings: SplitSettings, run: Run) -> tuple[Tests, str]:
    """The questions, and the fingerprint of the data; the data itself is let go, for others need the memory."""
    data, cut = make_splits(Dataset.load(folder), settings, run)
    tests: Tests = {}
    for split in cut:
        for test, holdout in split.tests.items():
            tests.setdefault(test, []).append(holdout)
    return tests, data.fingerprint


def _kept(job: Job, asked: Mapping[str, list[str]], fingerprint: str, run: Run) -> Measured:
    """What was measured before the comparison was killed, or is measured now."""
    run.progress.note(f"{job.name}: in a process of its own")
    same = job.model_copy(update={"command": "", "fresh": False, "out": "", "result": ""})
    parts = (same, fingerprint, asked)
    return run.keep("pipelines", parts, lambda: _measured(job, asked, run), measured.write, measured.read)


def _measured(job: Job, asked: Mapping[str, list[str]], run: Run) -> Measured:
    found = measured_apart(job, run.progress)
    if found.facts["asked"] != asked:
        remedy = "Run it again when nobody writes to the dataset."
        problem = "its test queries are not those of the others: the data has changed"
        raise DataError(problem, place=job.name, remedy=remedy)
    return found


def _report(
    found: Mapping[str, Measured], test: str, holdouts: Sequence[Holdout], ks: Sequence[int], reference: str, seed: int
) -> dict[str, Any]:
    """Figures of the fused lists of all pipelines in one test; see ``Pool.report``."""
    counts = next(iter(found.values())).answers[test]
    cases = [
        Case({name: one.answers[test][cut].slate for name, one in found.items()}, holdout, counts[cut].counts)
        for cut, holdout in enumerate(holdouts)
    ]
    return Pool(cases, ks).report(reference, seed)


def _comparison(
    found: Mapping[str, Measured], reports: dict[str, Any], seed: int, reference: str, command: str
) -> dict[str, Any]:
    shared = next(iter(found.values())).facts
    return {
        **{key: shared[key] for key in SHARED},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "seed": seed,
        "against": reference,
        "pipelines": {name: _told(one) for name, one in found.items()},
        "pareto": _pareto(found, next(iter(reports.values()))),
        "tests": reports,
    }


def _told(one: Measured) -> dict[str, Any]:
    facts, fusion = one.facts, one.facts["fusion"]
    return {key: facts[key] for key in OWN} | {"fuser": fusion["kind"], "dropped": fusion["dropped"]}


def _pareto(found: Mapping[str, Measured], report: Mapping[str, Any]) -> list[str]:
    """The pipelines that no other beats in NDCG, fit time and memory at once."""
    metric = f"ndcg@{report['ks'][0]}"
    points = {}
    for name, one in found.items():
        cost, value = one.facts["cost"], report["systems"][name][metric]["value"]
        points[name] = (value or 0.0, -cost["fit_seconds"], -cost["fit_peak_mib"])
    return frontier(points)


def _write(comparison: Mapping[str, Any], out: Path) -> None:
    """``comparison.json`` and ``report.html``."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(comparison, indent=2, ensure_ascii=False)
    (out / "comparison.json").write_text(text + "\n", encoding="utf-8")
    (out / "report.html").write_text(render(comparison), encoding="utf-8")
