"""The tuning job: many trials of a pipeline with other values, judged on validation alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from accord import __version__
from accord.core.arrays import Floats, Names
from accord.core.dataset import Dataset
from accord.core.digest import code_digest, digest_of
from accord.core.errors import InputError
from accord.core.run import Run
from accord.data.holdout import Split
from accord.evaluate.significance import mean_and_error, paired_bootstrap
from accord.pipeline.space import Options, Range, part_of
from accord.pipeline.spec import PipelineSpec, check, value_at, with_values
from accord.study.environment import described, machine, versions
from accord.study.splitting import SplitSettings, make_splits
from accord.study.trial_study import Budget, Study, needed, opened
from accord.study.tuning_judge import Judge, Judgement, mixing
from accord.study.tuning_page import render, trials_csv

STUDY = "study.db"


@dataclass
class Tuning:
    """What a tuning found."""

    facts: dict[str, Any]
    """The content of ``tuning.json``."""
    best: PipelineSpec
    """The pipeline with the best values."""


def tune_dataset(
    folder: Path,
    spec: PipelineSpec,
    settings: SplitSettings,
    run: Run,
    out: Path,
    budget: Budget | None = None,
    *,
    alone: str | None = None,
    prune: bool = True,
    fresh: bool = False,
    command: str = "",
) -> Tuning:
    """Search the space of a pipeline on a dataset folder, and write what was found into ``out``.

    ``alone``: tune one source by its own NDCG@10. ``prune``: give up trials whose searched sources alone stay behind
    those of earlier trials. A study that lies in ``out`` goes on, unless ``fresh``. Raises ``InputError`` where it is
    another job's, or there is nothing to search.
    """
    needed()
    space = searched(spec, alone)
    with run.step("load and split"):
        data, cut = make_splits(Dataset.load(folder), settings, run)
    out.mkdir(parents=True, exist_ok=True)
    job = digest_of(code_digest(), data.fingerprint, spec, settings, run.seed, alone, prune, repr(space))
    with opened(out / STUDY, job, run, prune=prune, fresh=fresh) as study:
        search = _Search.begun(Judge(cut[0], run, spec.tune.queries, alone), spec, space, study, run)
        with run.step("trials"):
            search.spend(budget or Budget())
        with run.step("confirm on half B"):
            facts = search.facts()
    facts = _about(data, folder, spec, settings, cut[0], run, command) | facts
    _write(facts, out)
    return Tuning(facts, search.best[0])


def searched(spec: PipelineSpec, alone: str | None = None) -> dict[str, Options]:
    """What is searched: ``[tune.space]``, or the choices of ``[search.values]`` where a file has none.

    Of a source ``alone`` only its own settings and those of encoders. Raises ``InputError`` where nothing is left, or
    a path cannot be tuned.
    """
    if alone is not None and alone not in spec.sources:
        remedy = f"There are: {', '.join(spec.sources)}."
        raise InputError("no such source", place="--source", value=alone, remedy=remedy)
    space = spec.tune.space or {f"sources.{key}": options for key, options in spec.search.values.items()}
    if alone is not None:
        of_it = (("sources", alone), ("encoders",))
        space = {path: options for path, options in space.items() if any(_within(path, place) for place in of_it)}
    if not space:
        remedy = 'As in "sources.ease.reg" = { low = 10.0, high = 1000.0, log = true }.'
        raise InputError("there is nothing to search", place="[tune.space]", value=alone, remedy=remedy)
    stacks = [path for path in space if _within(path, ("fusers",)) and _number(path) not in mixing(spec)]
    if stacks:
        raise InputError("a stack is not tuned: it is learned over the best mix", place="[tune.space]", value=stacks[0])
    return space


@dataclass(frozen=True)
class _Search:
    """A tuning under way."""

    judge: Judge
    start: PipelineSpec
    """The pipeline as it stands, with what its own ``[search]`` chose."""
    first: Judgement
    """What that is worth."""
    space: Mapping[str, Options]
    names: list[str]
    """The sources whose settings are searched."""
    study: Study
    run: Run

    @classmethod
    def begun(cls, judge: Judge, spec: PipelineSpec, space: Mapping[str, Options], study: Study, run: Run) -> _Search:
        """Judge the pipeline as it stands; settings of sources that do not apply to the data are not searched.

        Raises ``InputError`` where no source applies, or none that is searched.
        """
        with run.step("the pipeline as it stands"):
            start = judge.started(spec)
            sources = judge.sources(start)
            if not sources:
                raise InputError("no source applies to this data", value=judge.alone or list(spec.sources))
            absent = start.sources.keys() - sources.keys()
            space = {path: options for path, options in space.items() if not any(_of(path, name) for name in absent)}
            if not space:
                raise InputError("no searched source applies to this data", place="[tune.space]", value=sorted(absent))
            names = [name for name in start.sources if any(_of(path, name) for path in space)]
            first = judge.value(start, first=names)
        run.progress.note(f"untuned: NDCG@10 {first.value:.4f} on half A of validation")
        return cls(judge, start, first, space, names, study, run)

    @cached_property
    def fusers(self) -> list[int]:
        """The fusers that are learned in every trial: the one that was best as it stands, and those searched."""
        return sorted({_number(path) for path in self.space if _within(path, ("fusers",))} | {self.first.fuser or 0})

    def spend(self, budget: Budget) -> None:
        """One trial after the other until the budget is used up."""
        self.study.begin_with({path: value_at(self.start, path, path) for path in self.space}, self.space)
        before = self.study.best(self.space)
        best = max(self.first.value, before[0] if before else 0.0)
        left = range(self.study.done, budget.trials)
        for number in self.run.progress.track(left, f"trials, best at first {best:.4f}", len(left)):
            if self.study.seconds >= budget.seconds:
                break
            value, values = self._tried(number)
            if value is not None and value > best:
                best = value
                self.run.progress.note(f"trial {number}: NDCG@10 {best:.4f}, the best so far, {self._words(values)}")

    def _words(self, values: Mapping[str, Any]) -> str:
        """The values that differ from where the tuning began."""
        changed = (p for p, value in values.items() if _told(value) != _told(value_at(self.start, p, p)))
        return "with " + ", ".join(f"{path} = {_told(values[path])}" for path in changed)

    def _tried(self, number: int) -> tuple[float | None, dict[str, Any]]:
        with self.study.trial(self.space, self.names) as trial:
            spec = with_values(self.start, trial.values)
            check(spec, f"trial {number}")
            report = trial.report if self.judge.alone is None else None
            trial.value = self.judge.value(spec, self.fusers, self.names, report).value
        return trial.value, trial.values

    @cached_property
    def best(self) -> tuple[PipelineSpec, Judgement]:
        """The best trial, or the pipeline as it stands where no trial is above it."""
        found = self.study.best(self.space)
        if found is None or found[0] <= self.first.value:
            return self.start, self.first
        spec = with_values(self.start, found[1])
        return spec, self.judge.value(spec, self.fusers)

    def facts(self) -> dict[str, Any]:
        """What was found, with half B's figures of the best values and of the untuned ones."""
        best, judged = self.best
        unseen = [self.judge.unseen_values(*one) for one in ((self.start, self.first), (best, judged))]
        return {
            "objective": self.judge.alone or "fused",
            "half_a": {"queries": len(self.judge.whole), "untuned": self.first.value, "best": judged.value},
            "half_b": _confirmed(unseen[0], unseen[1], self.judge.unseen.queries.users, self.run.seed),
            "values": [self._change(path, options, best) for path, options in self.space.items()],
            "importance": self.study.importance(),
            "trials": self.study.facts(self.names, self.space),
            "seconds": self.study.seconds,
            "fits": self.judge.fits.made,
            "config_text": best.to_toml(),
        }

    def _change(self, path: str, options: Options, best: PipelineSpec) -> dict[str, Any]:
        tried = options.model_dump(exclude_defaults=True) if isinstance(options, Range) else [str(o) for o in options]
        before, after = (_told(value_at(spec, path, path)) for spec in (self.start, best))
        return {"path": path, "searched": tried, "untuned": before, "best": after}


def _confirmed(untuned: Floats, tuned: Floats, people: Names, seed: int) -> dict[str, Any]:
    """Both figures on queries that no trial has seen, and the paired interval of what lies between them."""
    means = [dict(zip(("value", "se"), mean_and_error(values, people), strict=True)) for values in (untuned, tuned)]
    interval = paired_bootstrap((tuned - untuned)[:, None], seed=seed, people=people)[0]
    return {"queries": len(tuned), "untuned": means[0], "best": means[1], **asdict(interval)}


def _about(
    data: Dataset, folder: Path, spec: PipelineSpec, settings: SplitSettings, split: Split, run: Run, command: str
) -> dict[str, Any]:
    return {
        "accord": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "versions": versions(),
        "machine": machine(),
        "dataset": described(data, folder),
        "preset": spec.name,
        "split": {"kind": settings.kind, "notes": split.notes},
        "seed": run.seed,
        "metric": "ndcg@10",
    }


def _write(facts: dict[str, Any], out: Path) -> None:
    """``best.toml``, ``tuning.json``, ``trials.csv`` and ``report.html``."""
    (out / "best.toml").write_text(facts["config_text"], encoding="utf-8")
    (out / "tuning.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "trials.csv").write_text(trials_csv(facts), encoding="utf-8", newline="")
    (out / "report.html").write_text(render(facts), encoding="utf-8")


def _within(path: str, place: tuple[str, ...]) -> bool:
    return part_of(path)[: len(place)] == place


def _of(path: str, source: str) -> bool:
    return _within(path, ("sources", source))


def _number(path: str) -> int:
    return int(part_of(path)[1])


def _told(value: Any) -> Any:
    """A value as reports write it: JSON has no infinity."""
    if isinstance(value, float):
        return str(value) if np.isinf(value) else float(f"{value:.6g}")
    return value if value is None or isinstance(value, bool | int | str) else str(value)
