"""What benchmarks of training share: systems of several libraries that train on, and are judged on the way.

Every system runs in a process of its own (``stepwise_systems.py``), one at a time, with one thread, and is measured
once: delete its files in the work folder to have it measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from accord.core.slate import Slate
from accord.data.holdout import Holdout, Split
from accord.evaluate.case import Case
from accord.study.environment import machine
from peers import THREADS, environment
from quality import HERE

SAMPLE = 5_000
"""Validation queries that the progress is judged by."""


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

    def asked_for(self, words: Sequence[str] | None) -> bool:
        """Whether its name holds one of these words; always where there are none."""
        return words is None or any(word.lower() in f"{self.library} {self.name}".lower() for word in words)


@dataclass(frozen=True)
class Step:
    """What a system reached after some training."""

    epochs: int
    cpu: float
    seconds: float
    valid: dict[str, np.ndarray]
    """Metrics by query."""
    test: dict[str, np.ndarray]


def asked(parser: argparse.ArgumentParser, name: str) -> tuple[argparse.Namespace, str]:
    """The options that all have, and the command as the table shows it."""
    parser.add_argument("--data", type=Path, required=True, help="folder with the published sets")
    parser.add_argument("--work", type=Path, default=Path("runs") / name, help="where everything goes")
    parser.add_argument("--minutes", type=float, default=60, help="how long each may train")
    parser.add_argument("--systems", nargs="*", help="those whose name holds one of these words")
    found = parser.parse_args()
    told = " ".join(sys.argv[1:]).replace(str(found.data), "DATA").replace(str(found.work), "WORK")
    return found, f"python benchmarks/{name}.py {told}"


def prepared(split: Split, work: Path) -> dict[str, Holdout]:
    """Write the events for all libraries. Both holdouts come in random order, ``valid`` as a sample."""
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


def measure(system: System, work: Path, minutes: float, listed: int, peers: Path) -> None:
    """Run one system in a process of its own, with one thread, unless it was measured before.

    ``listed``: the length of its lists; ``peers``: the environment of the other libraries.
    """
    out = work / system.file
    if out.with_suffix(".json").exists():
        return
    python = sys.executable if system.library == "accord" else str(environment(peers))
    task = {"library": system.library, "settings": system.settings, "minutes": minutes, "listed": listed}
    path = out.with_suffix(".task")
    path.write_text(json.dumps({**task, "folder": str(work), "out": str(out)}), encoding="utf-8")
    single = dict.fromkeys(THREADS, "1") | {"PYTHONWARNINGS": "ignore"}
    print(f"{system.library} {system.name}", file=sys.stderr, flush=True)
    command = [python, str(HERE / "stepwise_systems.py"), str(path)]
    subprocess.run(command, check=True, env={**os.environ, **single})


def steps(system: System, work: Path, held: dict[str, Holdout], metrics: Sequence[str]) -> list[Step]:
    """All that one system reached, by our evaluator; nothing where it was not measured."""
    out = work / system.file
    if not out.with_suffix(".json").exists():
        return []
    with np.load(out.with_suffix(".npz"), allow_pickle=False) as lists:
        return [
            Step(
                cost["epochs"],
                cost["cpu"],
                cost["seconds"],
                *(judged(lists[f"{name}.{at}"], held[name], metrics) for name in ("valid", "test")),
            )
            for at, cost in enumerate(_figures(out)["steps"])
        ]


def judged(items: np.ndarray, holdout: Holdout, metrics: Sequence[str]) -> dict[str, np.ndarray]:
    """Metrics of lists by query."""
    case = Case({"it": Slate(items, {})}, holdout, np.ones(1 + int(items.max()), int))
    values = case.per_query("it", [items.shape[1]])
    return {metric: values[metric] for metric in metrics}


def best_of(every: list[Step]) -> Step:
    """The step with the best last metric on validation."""
    return max(every, key=lambda step: list(step.valid.values())[-1].mean())


def reached(found: dict[System, list[Step]], work: Path, metrics: Sequence[str]) -> list[str]:
    """A table of the best step of each system, and one of all steps."""
    short = [metric.replace("recall@", "R").replace("ndcg@", "N") for metric in metrics]
    heads = [f"{part} {name}" for part in ("valid", "test") for name in short]
    lines = [f"| library | system | epochs | CPU s (wall) | {' | '.join(heads)} | peak |"]
    lines += ["|---|---|" + "---:|" * (3 + len(heads))]
    for system, every in found.items():
        if every:
            step, peak = best_of(every), _figures(work / system.file)["peak_mib"]
            values = " | ".join([*map(_mean, step.valid.values()), *map(_cell, step.test.values())])
            row = f"{system.library} | {system.name} | {step.epochs} | {step.cpu:,.0f} ({step.seconds:,.0f}) | {values}"
            lines.append(f"| {row} | {peak:,.0f} MiB |")
    lines += ["", f"| system | after epochs: CPU s, {metrics[-1]} on the validation sample |", "|---|---|"]
    for system, every in found.items():
        way = "; ".join(f"{s.epochs}: {s.cpu:,.0f} s, {_mean(s.valid[metrics[-1]])}" for s in every)
        lines += [f"| {system.library} {system.name} | {way} |"] if every else []
    return lines


def made_by(command: str, files: Sequence[Path]) -> list[str]:
    """The last lines of a result: versions of the libraries that wrote ``files``, command, date, machine."""
    versions = {
        ", ".join(f"{name} {number}" for name, number in _figures(file)["versions"].items())
        for file in files
        if file.with_suffix(".json").exists()
    }
    used = machine()
    return [
        *(f"- {text}" for text in sorted(versions)),
        f"- `{command}`",
        f"- {datetime.now(UTC):%Y-%m-%d}, {used['cores']} cores ({used['processor']}), {used['memory_gib']} GiB",
        "",
    ]


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.4f}"


def _cell(values: np.ndarray) -> str:
    return f"{values.mean():.4f} ± {values.std() / np.sqrt(len(values)):.4f}"


def _figures(out: Path) -> dict[str, Any]:
    return json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
