"""Rating and click heads on the open sets: import, evaluate, and one result table.

    python benchmarks/heads.py --data FOLDER [--only NAME ...] [--work FOLDER]

``--data`` holds the sets as published (see README.md beside this file). Every case runs the public commands. The table
goes to ``benchmarks/results/heads.md``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from accord.pipeline.spec import preset_text

HERE = Path(__file__).parent
ACCORD = str(Path(sys.executable).with_name("accord"))
HEADS = """
[heads.rating]
kind = "rating"

[heads.click]
kind = "click"
"""
LIKED = 3
"""On coat, an item shown counts as chosen from this rating on."""


@dataclass(frozen=True)
class Case:
    """One protocol on one set."""

    name: str
    title: str
    data: str
    events: str
    options: tuple[str, ...]
    heads: tuple[str, ...]
    clicks: bool = False
    """Whether ratings are turned into 1 (chosen) and 0 (shown only) first."""


CASES = (
    Case("random", "ml-100k, random 80/10/10", "ml-100k", "events.csv.gz", ("--split", "random"), ("rating", "click")),
    Case(
        "random-80",
        "ml-100k, the same test, fitted on the 80 % alone, as peers are",
        "ml-100k",
        "events.csv.gz",
        ("--split", "random", "--no-refit"),
        ("rating",),
    ),
    Case("leave-last", "ml-100k, leave-last-out", "ml-100k", "events.csv.gz", (), ("rating", "click")),
    Case(
        "coat",
        "coat, official split: test items drawn uniformly at random",
        "coat",
        "train.csv.gz",
        ("--train", "{data}/train.csv.gz", "--test", "{data}/test.csv.gz"),
        ("rating",),
    ),
    Case(
        "coat-clicks",
        f"coat, the same as impressions: chosen where rated {LIKED} or more",
        "coat",
        "train.csv.gz",
        ("--train", "{data}/train.csv.gz", "--test", "{data}/test.csv.gz"),
        ("click",),
        clicks=True,
    ),
)


def main() -> None:
    """Run the cases asked for and write the table of all that were ever run in the work folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the published sets")
    parser.add_argument("--work", type=Path, default=Path("runs/heads"), help="where datasets and reports go")
    parser.add_argument("--only", nargs="*", choices=[case.name for case in CASES], help="cases to run")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    (arguments.work / "heads.toml").write_text(preset_text("fast") + HEADS, encoding="utf-8")
    for case in CASES:
        if not arguments.only or case.name in arguments.only:
            run_case(case, arguments.data, arguments.work)
    text = table(arguments.work)
    (HERE / "results" / "heads.md").write_text(text, encoding="utf-8")
    print(text)


def run_case(case: Case, data: Path, work: Path) -> None:
    """Import and evaluate."""
    source, dataset = data / case.data, work / "data" / case.name
    if case.clicks:
        source = as_clicks(source, work / "clicks")
    order = [] if case.data == "ml-100k" else ["--order", "none"]
    items = source / "items.jsonl.gz"
    facts = ["--items", str(items)] if items.exists() else []
    command = [ACCORD, "import", "--events", str(source / case.events), *facts, *order]
    subprocess.run([*command, "--out", str(dataset), "--quiet"], check=True)
    options = [option.format(data=source) for option in case.options]
    command = [ACCORD, "evaluate", str(dataset), "--config", str(work / "heads.toml"), *options]
    subprocess.run([*command, "--out", str(work / case.name), "--quiet"], check=True)


def as_clicks(source: Path, folder: Path) -> Path:
    """The ratings of a set as impressions with a value of 1 or 0."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        name = f"{part}.csv.gz"
        with gzip.open(source / name, "rt") as old, gzip.open(folder / name, "wt", newline="") as new:
            rows = csv.writer(new)
            rows.writerow(["user_id", "item_id", "value"])
            rows.writerows(
                [row["user_id"], row["item_id"], int(float(row["rating"]) >= LIKED)] for row in csv.DictReader(old)
            )
    return folder


def table(work: Path) -> str:
    """The result as Markdown."""
    lines = ["# Rating and click heads (preset `fast` with heads)", ""]
    for case in CASES:
        path = work / case.name / "metrics.json"
        if path.exists():
            metrics = json.loads(path.read_text(encoding="utf-8"))
            lines += [f"## {case.title}", ""]
            for head in case.heads:
                lines += section(head, metrics["heads"][head])
            seconds = {t["step"]: t["seconds"] for t in metrics["timings"] if t["step"].startswith("learn the head")}
            lines += [
                *(f"- {step}: {value:.1f} s" for step, value in seconds.items()),
                f"- configuration {metrics['config_digest']}, seed {metrics['seed']}, "
                f"{metrics['created'][:10]}, reading {metrics['readings']} of this test on this dataset",
                "",
            ]
    lines += [
        "Intervals are paired bootstraps over users, the head less each floor; negative is better. Without impressions",
        "(ml-100k) click figures are over all cells not met before: what was not chosen is a weighted uniform sample.",
        "On ml-100k, peers fitted on 80 % (five random folds) lie at RMSE .94-.95 (biases) and .93-.94 (SVD).",
        "On coat, test pairs that training holds too are not asked for (366 of 4,640). Users chose what to rate in its",
        "training part, its test items were drawn at random: base rates differ, and probabilities learned on one part",
        "are too high on the other.",
        "",
        f"`python benchmarks/heads.py --data DATA`, {datetime.now(UTC):%Y-%m-%d}",
        "",
    ]
    return "\n".join(lines)


def section(head: str, told: dict) -> list[str]:
    """One head: every system's figures, and the intervals."""
    shown = list(next(iter(told["systems"].values())))
    lines = [
        f"Head `{head}`: {told['n']:,} outcomes of {told['n_queries']:,} users, their mean {told['base']:.5g}.",
        "",
        f"| system | {' | '.join(shown)} | head less this, {told['comparisons'][0]['metric']} (95 %) |",
        "|---|" + "---:|" * len(shown) + "---|",
    ]
    gaps = {row["b"]: row for row in told["comparisons"]}
    for system, figures in told["systems"].items():
        cells = [f"{figures[metric]['value']:.4g}" for metric in shown]
        gap = gaps.get(system)
        interval = f"{gap['difference']:+.5f} ({gap['low']:+.5f} to {gap['high']:+.5f})" if gap else ""
        lines.append(f"| {f'**{system}**' if system == head else system} | {' | '.join(cells)} | {interval} |")
    lines.append("")
    if "reliability" in told:
        bins = ", ".join(f"{row['said']:.3g} / {row['came']:.3g}" for row in told["reliability"])
        lines += [f"Reliability, mean probability / share chosen by tenths: {bins}.", ""]
    return lines


if __name__ == "__main__":
    main()
