"""Quality on the open sets: import, evaluate, and one result table a case.

    python benchmarks/quality.py --data FOLDER [--only NAME ...] [--work FOLDER]

``--data`` holds the sets as published (see README.md beside this file). Every case runs the public commands in a
process of its own, so that time and peak memory are those a user sees. Tables go to ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
ACCORD = str(Path(sys.executable).with_name("accord"))
ITEMS = "items.jsonl.gz"
"""The catalogue of a set that has one."""


@dataclass(frozen=True)
class Case:
    """One table: which set, how it is imported and evaluated."""

    name: str
    title: str
    data: str
    events: str = "events.csv.gz"
    options: tuple[str, ...] = ()
    """Options of ``accord evaluate``; ``{data}`` stands for the set's folder."""
    order: str = "auto"
    gates: dict[str, float] = field(default_factory=dict[str, float])
    """What the fused list of ``balanced`` must reach, by ``test: metric``."""
    best: dict[str, float] = field(default_factory=dict[str, float])
    """What that of ``best`` must reach."""
    gib: float | None = None
    """The most memory it may take."""
    hide: float | None = None
    """In place of the preset's share of items that are hidden to learn the mix for cold ones; 0: no such mix."""


TAKEN = (
    "MiB: the peak of the whole process up to the end of the first time. A step may hold fits of sources, which have "
    "rows of their own."
)


@dataclass(frozen=True)
class Cost:
    """What a command took, all its processes together."""

    seconds: float
    cpu: float
    gib: float
    """The peak of its largest process."""


CASES = (
    Case(
        "beauty-papers",
        "amazon-beauty, leave-last-out, fitted without the validation events",
        "amazon-beauty",
        options=("--no-refit",),
        gates={"test: recall@10": 0.124, "test: ndcg@10": 0.076},
        best={"test: recall@10": 0.135, "test: ndcg@10": 0.081},
    ),
    Case(
        "beauty",
        "amazon-beauty, leave-last-out, refitted with the validation events",
        "amazon-beauty",
        gates={"test: recall@10": 0.131, "test: ndcg@10": 0.081},
        best={"test: recall@10": 0.141, "test: ndcg@10": 0.086},
    ),
    Case(
        "beauty-cold",
        "amazon-beauty, a tenth of the items cold",
        "amazon-beauty",
        options=("--cold-items", "{data}/cold_items.txt.gz"),
        gates={"cold among cold: recall@20": 0.325},
    ),
    Case(
        "beauty-cold-off",
        "amazon-beauty, a tenth of the items cold, no mix learned for them: what the warm test is worth without",
        "amazon-beauty",
        options=("--cold-items", "{data}/cold_items.txt.gz"),
        hide=0.0,
    ),
    Case("ml-100k", "ml-100k, leave-last-out", "ml-100k"),
    Case(
        "ml-100k-temporal",
        "ml-100k, temporal, five rolling cuts",
        "ml-100k",
        options=("--split", "temporal", "--cuts", "5"),
    ),
    Case(
        "ml-1m-cold",
        "ml-1m-cold, official split, test items never met in training",
        "ml-1m-cold",
        events="train.csv.gz",
        order="none",
        options=(
            "--no-refit",
            "--train",
            "{data}/train.csv.gz",
            "--valid",
            "{data}/cold_vali.csv.gz",
            "--test",
            "{data}/cold_test.csv.gz",
        ),
        gates={"cold among cold: ndcg@20": 0.262},
    ),
    Case(
        "gowalla",
        "gowalla, official split",
        "gowalla",
        events="train.csv.gz",
        order="none",
        options=("--train", "{data}/train.csv.gz", "--test", "{data}/test.csv.gz"),
        gates={"test: recall@20": 0.180, "test: ndcg@20": 0.150},
        best={"test: recall@20": 0.187, "test: ndcg@20": 0.155},
        gib=8.0,
    ),
)
SHOWN = ("recall@10", "ndcg@10", "recall@20", "ndcg@20")


def main() -> None:
    """Run the cases asked for and write their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the published sets")
    parser.add_argument("--work", type=Path, default=Path("runs/benchmarks"), help="where datasets and reports go")
    parser.add_argument("--only", nargs="*", choices=[case.name for case in CASES], help="cases to run")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--ablation", action="store_true", help="also the list without each source")
    parser.add_argument("--cold-cache", action="store_true", help="encode everything anew, as on a fresh machine")
    arguments = parser.parse_args()
    for case in CASES:
        if not arguments.only or case.name in arguments.only:
            run_case(case, arguments)


def run_case(case: Case, arguments: argparse.Namespace) -> None:
    """Import, evaluate in a process of its own, write the table."""
    source, work = arguments.data / case.data, arguments.work
    name = named(case, arguments)
    dataset, out = imported(case, arguments), work / name
    options = [option.format(data=source) for option in case.options]
    cache = work / "cache"
    if arguments.cold_cache:
        shutil.rmtree(cache, ignore_errors=True)
    chosen = ["--preset", arguments.preset] if case.hide is None else ["--config", str(without_mix(case, arguments))]
    command = [ACCORD, "evaluate", str(dataset), *chosen, *options, "--out", str(out)]
    command += ["--ablation"] * arguments.ablation
    cost = timed([*command, "--quiet"], cache)
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    gates = case.best if arguments.preset == "best" else case.gates
    text = table(replace(case, gates=gates), metrics, cost, ran_as(command, arguments))
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.md").write_text(text, encoding="utf-8")
    print(text, flush=True)


def imported(case: Case, arguments: argparse.Namespace) -> Path:
    """The case's dataset folder, made where it is not there yet."""
    source, dataset = arguments.data / case.data, arguments.work / "data" / f"{case.data}-{case.order}"
    if not dataset.exists():
        command = [ACCORD, "import", "--events", str(source / case.events)]
        if (source / ITEMS).exists():
            command += ["--items", str(source / ITEMS)]
        subprocess.run([*command, "--order", case.order, "--out", str(dataset), "--quiet"], check=True)
    return dataset


def ran_as(command: list[str], arguments: argparse.Namespace) -> str:
    """The command for the table, with names in place of this machine's folders."""
    shown = " ".join(["accord", *command[1:]])
    return shown.replace(str(arguments.data), "DATA").replace(str(arguments.work), "WORK")


def named(case: Case, arguments: argparse.Namespace) -> str:
    """What the table is called: by the case, and by the preset where that is not ``balanced``."""
    return case.name if arguments.preset == "balanced" else f"{arguments.preset}-{case.name}"


def without_mix(case: Case, arguments: argparse.Namespace) -> Path:
    """The preset as a file, with the case's share of hidden items."""
    from accord.pipeline.spec import preset

    path = arguments.work / f"{named(case, arguments)}.toml"
    spec = preset(arguments.preset).model_copy(update={"hide": case.hide})
    path.write_text(spec.to_toml(), encoding="utf-8")
    return path


def timed(command: list[str], cache: Path) -> Cost:
    """Run a command. Raises ``CalledProcessError`` where it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "ACCORD_CACHE": str(cache.resolve())})
    _, status, usage = os.wait4(process.pid, 0)  # of this command alone, not of those run before it
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024**2)


def table(case: Case, metrics: dict, cost: Cost, command: str) -> str:
    """The result as Markdown."""
    lines = [f"# {case.title}", ""]
    for name, test in metrics["tests"].items():
        lines += _test(name, test)
    lines += _ablation(metrics.get("ablation"))
    lines += _gates(case, metrics, cost)
    lines += ["", *took(metrics["timings"]), "## How", "", *_how(metrics)]
    versions = ", ".join(f"{name} {number}" for name, number in metrics["versions"].items())
    machine = metrics["machine"]
    lines += [
        f"- `{command}`, seed {metrics['seed']}, configuration {metrics['config_digest']}",
        f"- {datetime.now(UTC):%Y-%m-%d}; {cost.seconds:.0f} s wall, {cost.cpu:.0f} CPU s, peak {cost.gib:.2f} GiB, "
        f"on {machine['cores']} cores ({machine['processor']}); reading {metrics['readings']} of this test on this "
        "dataset",
        f"- {versions}",
        "",
    ]
    return "\n".join(lines)


def _test(name: str, test: dict) -> list[str]:
    """One test's systems, and the fused list beside each of them."""
    lines = [f"## {name}: {test['n_queries']:,} queries", ""]
    lines += [f"| system | {' | '.join(SHOWN)} |", "|---|" + "---:|" * len(SHOWN)]
    for system, row in test["systems"].items():
        cells = [f"{row[m]['value']:.4f} ± {row[m]['se']:.4f}" for m in SHOWN]
        label = f"**{system}**" if system == "fused" else system
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return [*lines, "", *compared("Fused less each system", test["comparisons"])]


def compared(what: str, comparisons: list) -> list[str]:
    """Paired differences as a table."""
    lines = [f"{what} (paired bootstrap over queries, 95 %, Holm over the table):", ""]
    lines += ["| against | metric | difference | interval | Holm p |", "|---|---|---:|---|---:|"]
    lines += [
        f"| {row['b']} | {row['metric']} | {row['difference']:+.4f} | {row['low']:+.4f} to {row['high']:+.4f} "
        f"| {row['p_holm']:.4f} |"
        for row in comparisons
    ]
    return [*lines, ""]


def _ablation(found: dict | None) -> list[str]:
    """The fused list less the list without each source, the other weights in proportion."""
    if not found:
        return []
    lines = [f"## The fused list without each source: {found['n_queries']:,} queries", ""]
    lines += [f"| system | {' | '.join(SHOWN[:2])} | fused less this, NDCG@10 | interval |", "|---|---:|---:|---:|---|"]
    apart = {row["b"]: row for row in found["comparisons"] if row["metric"] == SHOWN[1]}
    for system, row in found["systems"].items():
        cells = " | ".join(f"{row[metric]['value']:.4f}" for metric in SHOWN[:2])
        less = apart.get(system)
        told = f"{less['difference']:+.4f} | {less['low']:+.4f} to {less['high']:+.4f}" if less else " | "
        lines.append(f"| {system} | {cells} | {told} |")
    return [*lines, ""]


def _gates(case: Case, metrics: dict, cost: Cost) -> list[str]:
    lines = []
    for place, gate in case.gates.items():
        reached = _reached(metrics, place)
        lines.append(f"Gate: {place} >= {gate}: {_met(reached >= gate)} ({reached:.4f}).")
    if case.gib is not None:
        lines.append(f"Gate: memory <= {case.gib:g} GiB: {_met(cost.gib <= case.gib)} ({cost.gib:.2f}).")
    return lines


def took(timings: list[dict]) -> list[str]:
    """What every source and every step of a second or more took, all fits of a source in one row."""
    parts: dict[str, list[dict]] = {}
    for step in timings:
        parts.setdefault(step["step"].partition(" (")[0], []).append(step)
    lines = ["## What each part takes", "", "| part | CPU s, the first time | times | CPU s, all times | MiB then |"]
    lines.append("|---|---:|---:|---:|---:|")
    for part, steps in parts.items():
        first, seconds = steps[0], sum(step["cpu_seconds"] for step in steps)
        if part.startswith("fit ") or seconds >= 1:
            cells = f"{first['cpu_seconds']:.1f} | {len(steps)} | {seconds:.1f} | {first['peak_mib']:.0f}"
            lines.append(f"| {part} | {cells} |")
    return [*lines, "", TAKEN, ""]


def _met(reached: bool) -> str:
    return "met" if reached else "NOT MET"


def _how(metrics: dict) -> list[str]:
    """The fusion, and what was left out."""
    fusion = metrics["fusion"]
    lines = [
        f"- weights, {kind} items: " + ", ".join(f"{n} {w:.2f}" for n, w in row.items())
        for kind, row in fusion.get("weights", {}).items()
    ]
    lines += [f"- dropped {entry['source']}: {entry['reason']}" for entry in fusion["dropped"]]
    lines += [f"- skipped {entry['part']}: {entry['reason']}" for entry in metrics["skipped"]]
    if metrics["resumed"]:
        told = ", ".join(f"{count} {kind}" for kind, count in metrics["resumed"].items())
        lines.append(f"- taken over from a job that was broken off, so not in the time below: {told}")
    return lines + [f"- {note}" for note in metrics["split"]["notes"]]


def _reached(metrics: dict, place: str) -> float:
    test, _, metric = place.rpartition(": ")
    return metrics["tests"][test]["systems"]["fused"][metric]["value"]


if __name__ == "__main__":
    main()
