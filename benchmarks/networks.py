"""What networks add to a fused list: ``best``, the same without its neural sources, and ``balanced``, paired.

    python benchmarks/networks.py --data FOLDER [--only NAME ...] [--work FOLDER]

``--data`` holds the sets as published (see README.md beside this file). The three pipelines answer the very same test
queries (``accord compare``), each in a process of its own; a killed run goes on. Tables go to ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from accord.pipeline.spec import preset
from quality import ACCORD, CASES, HERE, SHOWN, Case, Cost, compared, imported, ran_as, timed

SETS = ("ml-100k", "ml-100k-temporal", "gowalla")
NEURAL = [name for name in preset("best").sources if name not in preset("balanced").sources]
WITHOUT = "best-without"
"""The file of ``best`` without its neural sources."""


def main() -> None:
    """Compare on the sets asked for and write their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the published sets")
    parser.add_argument("--work", type=Path, default=Path("runs/networks"), help="where datasets and reports go")
    parser.add_argument("--only", nargs="*", choices=SETS, help="sets to compare on")
    arguments = parser.parse_args()
    for case in CASES:
        if case.name in SETS and (not arguments.only or case.name in arguments.only):
            compare(case, arguments)


def compare(case: Case, arguments: argparse.Namespace) -> None:
    """Import, compare, write the table."""
    work: Path = arguments.work
    dataset, out = imported(case, arguments), work / "compared" / case.name
    options = [option.format(data=arguments.data / case.data) for option in case.options]
    pipelines = ["best", "balanced", str(without(work))]
    command = [ACCORD, "compare", str(dataset), *pipelines, *options, "--against", "best", "--shared-cache"]
    command += ["--out", str(out)]
    cost = timed([*command, "--quiet"], work / "cache")
    found = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    text = table(case, found, cost, ran_as(command, arguments))
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"networks-{case.name}.md").write_text(text, encoding="utf-8")
    print(text, flush=True)


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
