"""People to people on the friends of Last.fm: import, evaluate, and one result table.

    python benchmarks/people.py --data FOLDER [--work FOLDER]

``--data`` holds the folder ``lastfm-hetrec`` of HetRec 2011 (see README.md beside this file): ``events.csv.gz`` with
``value`` as play counts, ``items.jsonl.gz`` and ``friends.csv.gz``. The commands are the public ones, run in processes
of their own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

from quality import ACCORD, HERE, Case, table, timed

CASE = Case("lastfm-friends", "Last.fm friends (HetRec 2011), a fifth of the links held out", "lastfm-hetrec")
BASELINE = "adamic_adar"


def main() -> None:
    """Run the case and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the published sets")
    parser.add_argument("--work", type=Path, default=Path("runs/benchmarks"), help="where datasets and reports go")
    arguments = parser.parse_args()
    dataset, out = imported(arguments), arguments.work / CASE.name
    command = [ACCORD, "evaluate", str(dataset), "--target", "users", "--preset", "people", "--out", str(out)]
    cost = timed([*command, "--quiet"], arguments.work / "cache")
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    shown = " ".join(["accord", *command[1:]]).replace(str(arguments.work), "WORK")
    text = table(CASE, metrics, cost, shown).replace("\n## How\n", f"\n{verdict(metrics)}\n\n## How\n")
    (HERE / "results" / f"{CASE.name}.md").write_text(text, encoding="utf-8")
    print(text, flush=True)


def imported(arguments: argparse.Namespace) -> Path:
    """The dataset folder, made where it is not there yet."""
    source, dataset = arguments.data / CASE.data, arguments.work / "data" / CASE.name
    if not dataset.exists():
        tables = ["--events", str(source / "events.csv.gz"), "--items", str(source / "items.jsonl.gz")]
        links = ["--links", f"friends={source / 'friends.csv.gz'}", "--order", "none"]
        subprocess.run([ACCORD, "import", *tables, *links, "--out", str(dataset), "--quiet"], check=True)
    return dataset


def verdict(metrics: dict) -> str:
    """The gate: the interval of the fused list less Adamic-Adar lies above zero."""
    rows = [row for row in metrics["tests"]["test"]["comparisons"] if row["b"] == BASELINE]
    return "\n".join(
        f"Gate: {row['metric']} above {BASELINE} by an interval that excludes zero: "
        f"{'met' if row['low'] > 0 else 'NOT MET'} ({row['low']:+.4f} to {row['high']:+.4f})."
        for row in rows
    )


if __name__ == "__main__":
    main()
