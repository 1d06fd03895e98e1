"""What networks add to a fused list: ``best``, the same without its neural sources, and ``balanced``, paired.

    python benchmarks/networks.py --data FOLDER [--only NAME ...] [--seeds N] [--work FOLDER]

``--data`` holds the sets as published (see README.md beside this file). The three pipelines answer the very same test
queries (``accord compare``), each in a process of its own; a killed run goes on. Tables go to ``benchmarks/results``.
``--seeds``: everything again with other seeds where each person is asked for the newest event; what was compared before
in the work folder is read from there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from accord.core.dataset import Dataset
from accord.core.slate import EMPTY, Slate
from accord.data.holdout import Split
from accord.data.splits import leave_last
from accord.pipeline.spec import preset
from quality import ACCORD, CASES, HERE, SHOWN, Case, Cost, compared, imported, ran_as, timed
from seeded import Figures, Lists, judged

SETS = ("ml-100k", "ml-100k-temporal", "gowalla")
NEURAL = [name for name in preset("best").sources if name not in preset("balanced").sources]
METRICS = ("recall@10", "ndcg@10")
WITHOUT = "best-without"
"""The file of ``best`` without its neural sources."""


def main() -> None:
    """Compare on the sets asked for and write their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the published sets")
    parser.add_argument("--work", type=Path, default=Path("runs/networks"), help="where datasets and reports go")
    parser.add_argument("--only", nargs="*", choices=SETS, help="sets to compare on")
    parser.add_argument("--seeds", type=int, default=1, help="so many seeds; their mean is compared too")
    arguments = parser.parse_args()
    cases = [case for case in CASES if case.name in SETS and (not arguments.only or case.name in arguments.only)]
    if arguments.seeds > 1 and any(case.options for case in cases):
        parser.error("--seeds is for the set where each person is asked for the newest event: --only ml-100k")
    for case in cases:
        told = over_seeds(case, arguments) if arguments.seeds > 1 else []
        write(case, "\n".join([compare(case, arguments, 0), *told]))


def write(case: Case, text: str) -> None:
    """The result of a set."""
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"networks-{case.name}.md").write_text(text, encoding="utf-8")
    print(text, flush=True)


def over_seeds(case: Case, arguments: argparse.Namespace) -> list[str]:
    """Means over seeds of each query, and their differences."""
    figures, seconds = Figures(METRICS), dict[str, list[float]]()
    split = leave_last(Dataset.load(imported(case, arguments)))[0]
    for seed in range(arguments.seeds):
        compare(case, arguments, seed)
        out = compared_at(case, arguments.work, seed)
        for name, own in json.loads((out / "comparison.json").read_text(encoding="utf-8"))["pipelines"].items():
            lists = saved_lists(out / "pipelines" / name / "recommendations.parquet", split)
            figures.add(name, judged(lists, split.tests["test"], split.train.item_counts, METRICS))
            seconds.setdefault(name, []).append(own["cost"]["fit_cpu_seconds"])
    lines = [f"## Means over {arguments.seeds} seeds, and each", ""]
    lines += [f"| pipeline | {' | '.join(METRICS)} | fit CPU s |", "|---|" + "---|" * len(METRICS) + "---:|"]
    lines += [f"| {name} | {' | '.join(figures.cells(name))} | {np.mean(seconds[name]):,.0f} |" for name in seconds]
    lines += ["", "The means of each query over the seeds, `best` less each (paired bootstrap over queries, 95 %):", ""]
    lines += [f"| against | {' | '.join(METRICS)} |", "|---|" + "---|" * len(METRICS)]
    lines += [f"| {name} | {' | '.join(figures.differences('best', name))} |" for name in seconds if name != "best"]
    return [*lines, ""]


def saved_lists(path: Path, split: Split) -> Lists:
    """The lists that a comparison has saved."""
    users, items, ranks = (pq.read_table(path, columns=["user_id", "item_id", "rank"])[n].to_pylist() for n in range(3))
    rows = {user: row for row, user in enumerate(split.tests["test"].queries.users)}
    placed = np.full((len(rows), max(ranks)), EMPTY, np.int32)
    for user, item, rank in zip(users, items, ranks, strict=True):
        placed[rows[user], rank - 1] = split.train.item_numbers[item]
    return lambda _: Slate(placed, {})


def compared_at(case: Case, work: Path, seed: int) -> Path:
    """Where the comparison of a set lies."""
    return work / "compared" / (f"{case.name}-seed{seed}" if seed else case.name)


def compare(case: Case, arguments: argparse.Namespace, seed: int) -> str:
    """Import and compare; the table."""
    work: Path = arguments.work
    dataset, out = imported(case, arguments), compared_at(case, work, seed)
    options = [option.format(data=arguments.data / case.data) for option in case.options]
    pipelines = ["best", "balanced", str(without(work))]
    command = [ACCORD, "compare", str(dataset), *pipelines, *options, "--against", "best", "--shared-cache"]
    command += ["--seed", str(seed), "--out", str(out)]
    if not (out / "table.md").exists() or arguments.seeds == 1:
        cost = timed([*command, "--quiet"], work / "cache")
        found = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
        (out / "table.md").write_text(table(case, found, cost, ran_as(command, arguments)), encoding="utf-8")
    return (out / "table.md").read_text(encoding="utf-8")


def without(work: Path) -> Path:
    """``best`` without its neural sources, as a file."""
    path = work / f"{WITHOUT}.toml"
    left_out = "".join(f"{name} = false\n" for name in NEURAL)
    path.write_text(f'name = "{WITHOUT}"\nextends = "best"\n\n[sources]\n{left_out}', encoding="utf-8")
    return path


def table(case: Case, found: dict[str, Any], cost: Cost, command: str) -> str:
    """The result as Markdown."""
    lines = [f"# What networks add: {case.title}", ""]
    for name, test in found["tests"].items():
        lines += [f"## {name}: {test['n_queries']:,} queries", ""]
        lines += [f"| pipeline | {' | '.join(SHOWN)} | fused by | fit s | fit peak MiB |"]
        lines += ["|---|" + "---:|" * len(SHOWN) + "---|---:|---:|"]
        for system, row in test["systems"].items():
            own = found["pipelines"][system]
            cells = [f"{row[metric]['value']:.4f} ± {row[metric]['se']:.4f}" for metric in SHOWN]
            spent = f"{own['fuser']} | {own['cost']['fit_seconds']:,.0f} | {own['cost']['fit_peak_mib']:,.0f}"
            lines.append(f"| {system} | {' | '.join(cells)} | {spent} |")
        lines += ["", *compared("`best` less each", test["comparisons"])]
    dropped = {name: [entry["source"] for entry in own["dropped"]] for name, own in found["pipelines"].items()}
    lines += [f"- {name} drops: {', '.join(sources) or 'nothing'}" for name, sources in dropped.items()]
    machine = found["machine"]
    lines += [
        f"- `{WITHOUT}`: `best` without {' and '.join(f'`{name}`' for name in NEURAL)}; its fusers are the same.",
        f"- `{command}`, seed {found['seed']}",
        f"- {found['created'][:10]}; {cost.seconds:.0f} s wall, {cost.cpu:.0f} CPU s in all, on {machine['cores']} "
        f"cores ({machine['processor']}); readings of this test on this dataset: "
        + ", ".join(f"{name} {own['readings']}" for name, own in found["pipelines"].items()),
        f"- {', '.join(f'{name} {version}' for name, version in found['versions'].items())}",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
