"""A transformer of ids alone, beside RecTools' SASRec: what each reaches, and after how long.

    python benchmarks/id_transformers.py --data FOLDER [--minutes 60] [--systems NAME ...] [--work FOLDER]

``--data`` holds the sets as published (see README.md beside this file). RecTools goes into an environment of its own
in the work folder (``peers.txt``, made once). Every system runs in a process of its own, one at a time, with one
thread, and is measured once: delete its files in the work folder to have it measured again. The table goes to
``benchmarks/results/id_transformers.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from accord.core.dataset import Dataset
from accord.core.slate import Slate
from accord.data.holdout import Holdout
from accord.data.splits import leave_last
from accord.evaluate.case import Case
from accord.study.environment import machine
from peers import THREADS, environment
from quality import ACCORD, HERE

SET = "amazon-beauty"
SAMPLE = 5_000
"""Validation queries that the progress is judged by."""
PUBLISHED = {"recall@10": 0.0921, "ndcg@10": 0.0531}
"""SASRec with 256 negatives in RecTools' own benchmark of this set."""
NEAR, HALF = 0.97, 0.5
"""The gates: within 3 % of what is published, in at most half the time of RecTools."""
METRICS = ("recall@10", "ndcg@10")
NOTES = """\
- All learn from the events before each person's last two, by ids alone, with one thread; a list is made of all items
  but those of the history, which for the test holds the validation event too. Nothing was tuned on the test.
- The clock runs while a system trains, not while it lists. Ours holds some events back, stops by itself and is shown
  once, when it has ended; RecTools is shown after every few epochs, and its row is the step with the best NDCG@10 on
  the validation sample, without the time that it went on after that.
- RecTools runs with its defaults (2 blocks, 4 heads, 256 dimensions, dropout 0.2, batches of 128, learning rate
  0.001) but for what the row names, and histories of at most 50 events, as ours.
"""


@dataclass(frozen=True, eq=False)
class System:
    """One model of one library."""

    library: str
    name: str
    settings: dict[str, Any]

    @property
    def file(self) -> str:
        """A name for its files."""
        return "-".join(re.findall(r"[a-z0-9_]+", f"{self.library} {self.name}".lower()))


@dataclass(frozen=True)
class Step:
    """What a system reached after some training."""

    epochs: int
    cpu: float
    seconds: float
    valid: dict[str, np.ndarray]
    """Metrics by query."""
    test: dict[str, np.ndarray]


SYSTEMS = (
    System("accord", "`sequential`", {"item": "id", "epochs": 60, "dropout": 0.5, "lr": 1.5e-3}),
    System("rectools", "SASRec, softmax", {"every": 1, "session_max_len": 50}),
    System(
        "rectools",
        "SASRec, 256 negatives",
        {"every": 2, "session_max_len": 50, "loss": "sampled_softmax", "n_negatives": 256},
    ),
)


def main() -> None:
    """Measure what was asked for and write the table of all that was ever measured in the work folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the published sets")
    parser.add_argument("--work", type=Path, default=Path("runs/id_transformers"), help="where everything goes")
    parser.add_argument("--minutes", type=float, default=60, help="how long each may train")
    parser.add_argument("--systems", nargs="*", help="those whose name holds one of these words")
    arguments = parser.parse_args()
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    held = prepared(arguments.data / SET, work)
    for system in SYSTEMS:
        words = arguments.systems
        wanted = words is None or any(word.lower() in f"{system.library} {system.name}".lower() for word in words)
        if wanted and not (work / system.file).with_suffix(".json").exists():
            measure(system, work, arguments.minutes)
    text = page({system: steps(work / system.file, held) for system in SYSTEMS}, work, arguments.minutes)
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "id_transformers.md").write_text(text, encoding="utf-8")
    print(text)


def prepared(source: Path, work: Path) -> dict[str, Holdout]:
    """Import and split; write the events for both libraries. Both holdouts come in random order."""
    if not (work / "imported").exists():
        command = [ACCORD, "import", "--events", str(source / "events.csv.gz"), "--quiet"]
        subprocess.run([*command, "--out", str(work / "imported")], check=True)
    split = leave_last(Dataset.load(work / "imported"))[0]
    order = np.random.default_rng(0)
    valid, test = split.valid, split.tests["test"]
    held = {
        "valid": valid.take(order.permutation(len(valid))[:SAMPLE]),
        "test": test.take(order.permutation(len(test))),
    }
    for name, data in (("train", split.train), ("refit", split.refit)):
        data.save(work / name)
        np.savez(work / f"{name}.npz", user=data.event_users, item=data.event_items)
    for name, data in (("valid", split.train), ("test", split.refit)):
        np.save(work / f"{name}.npy", np.array([data.user_numbers[user] for user in held[name].queries.users]))
    return held


def measure(system: System, work: Path, minutes: float) -> None:
    """Run one system in a process of its own, with one thread."""
    python = str(environment(work / "environment")) if system.library == "rectools" else sys.executable
    out = work / system.file
    task = {"library": system.library, "settings": system.settings, "minutes": minutes}
    path = out.with_suffix(".task")
    path.write_text(json.dumps({**task, "folder": str(work), "out": str(out)}), encoding="utf-8")
    single = dict.fromkeys(THREADS, "1") | {"PYTHONWARNINGS": "ignore"}
    print(f"{system.library} {system.name}", file=sys.stderr, flush=True)
    command = [python, str(HERE / "id_transformer_systems.py"), str(path)]
    subprocess.run(command, check=True, env={**os.environ, **single})


def steps(out: Path, held: dict[str, Holdout]) -> list[Step]:
    """All that one system reached, by our evaluator; nothing where it was not measured."""
    if not out.with_suffix(".json").exists():
        return []
    with np.load(out.with_suffix(".npz"), allow_pickle=False) as lists:
        return [
            Step(
                cost["epochs"],
                cost["cpu"],
                cost["seconds"],
                *(judged(lists[f"{name}.{at}"], held[name]) for name in ("valid", "test")),
            )
            for at, cost in enumerate(_figures(out)["steps"])
        ]


def judged(items: np.ndarray, holdout: Holdout) -> dict[str, np.ndarray]:
    """Metrics of lists by query."""
    values = Case({"it": Slate(items, {})}, holdout, np.ones(1 + int(items.max()), int)).per_query("it", [10])
    return {metric: values[metric] for metric in METRICS}


def best_of(every: list[Step]) -> Step:
    """The step with the best NDCG on validation."""
    return max(every, key=lambda step: step.valid["ndcg@10"].mean())


def page(found: dict[System, list[Step]], work: Path, minutes: float) -> str:
    """The whole result as Markdown."""
    lines = ["# A transformer of ids alone, beside RecTools", "", "## What each reaches", ""]
    lines += ["| library | system | epochs | CPU s (wall) | valid R10 | valid N10 | test R10 | test N10 | peak |"]
    lines += ["|---|---|" + "---:|" * 7]
    best = {system: best_of(every) for system, every in found.items() if every}
    for system, step in best.items():
        peak = _figures(work / system.file)["peak_mib"]
        values = " | ".join([*map(_mean, step.valid.values()), *map(_cell, step.test.values())])
        row = f"{system.library} | {system.name} | {step.epochs} | {step.cpu:,.0f} ({step.seconds:,.0f}) | {values}"
        lines.append(f"| {row} | {peak:,.0f} MiB |")
    lines += ["", *verdict(best), "", "## On the way", ""]
    lines += ["| system | after epochs: CPU s, NDCG@10 on the validation sample |", "|---|---|"]
    for system, every in found.items():
        way = "; ".join(f"{s.epochs}: {s.cpu:,.0f} s, {_mean(s.valid['ndcg@10'])}" for s in every)
        lines += [f"| {system.library} {system.name} | {way} |"] if every else []
    versions = {
        ", ".join(f"{name} {number}" for name, number in _figures(work / system.file)["versions"].items())
        for system in best
    }
    used = machine()
    lines += ["", NOTES, *(f"- {text}" for text in sorted(versions))]
    lines += [
        f"- `python benchmarks/id_transformers.py --data DATA --minutes {minutes:g}`",
        f"- {datetime.now(UTC):%Y-%m-%d}, {used['cores']} cores ({used['processor']}), {used['memory_gib']} GiB",
        "",
    ]
    return "\n".join(lines)


def verdict(best: dict[System, Step]) -> list[str]:
    """The gates, as far as what was measured can tell."""
    ours = [step for system, step in best.items() if system.library == "accord"]
    if not ours:
        return []
    step, lines = ours[0], list[str]()
    for metric, published in PUBLISHED.items():
        value = step.test[metric].mean()
        lines.append(f"Gate: {metric} >= {NEAR:.0%} of {published}: {_met(value >= NEAR * published)} ({value:.4f}).")
    for system, other in best.items():
        if system.library == "rectools":
            above = step.valid["ndcg@10"].mean() >= other.valid["ndcg@10"].mean()
            share = step.cpu / other.cpu
            lines.append(
                f"Gate: the best of RecTools' {system.name} in at most half its CPU time: "
                f"{_met(bool(above) and share <= HALF)} (ours is {'' if above else 'not '}above it, "
                f"after {share:.2f} of its time)."
            )
    return lines


def _met(reached: bool) -> str:
    return "met" if reached else "NOT MET"


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.4f}"


def _cell(values: np.ndarray) -> str:
    return f"{values.mean():.4f} ± {values.std() / np.sqrt(len(values)):.4f}"


def _figures(out: Path) -> dict[str, Any]:
    return json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
