"""LightGCN beside the one of PyTorch Geometric: what each reaches, and after how long.

    python benchmarks/graphs.py --data FOLDER [--minutes 60] [--sets NAME ...] [--systems NAME ...] [--work FOLDER]

``--data`` holds the sets as published (see README.md beside this file). PyTorch Geometric goes into an environment of
its own in the work folder (``peers.txt``, made once). How systems are run: ``stepwise.py``. The table goes to
``benchmarks/results/graphs.md``.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from typing import Any

from accord.core.dataset import Dataset
from accord.core.run import Run
from accord.data.holdout import Split
from accord.study.readings import record
from accord.study.splitting import SplitSettings, make_splits
from quality import ACCORD, HERE
from stepwise import System, asked, made_by, measure, prepared, reached, steps

METRICS = ("recall@20", "ndcg@20")
LISTED = 20
PAPER = {"dim": 64, "layers": 3, "lr": 1e-3, "decay": 1e-4, "batch": 2048}
"""He et al., "LightGCN", SIGIR 2020: the settings of its own code."""
OURS = {"kind": "lightgcn", "item": "id"}
SETS: dict[str, tuple[str, dict[str, Any], tuple[System, ...]]] = {
    "lastfm-hetrec": (
        "a tenth of the plays at random, another tenth validates",
        {"split": "random"},
        (
            System("accord", "`lightgcn`", OURS),
            System("accord", "`lightgcn`, 4 layers", OURS | {"layers": 4}),
            System("pyg", "LightGCN", PAPER | {"every": 10}),
            System("pyg", "LightGCN, learning rate 0.01", PAPER | {"lr": 1e-2, "every": 5}),
        ),
    ),
    "gowalla": (
        "official split, a tenth of the training part validates",
        {"train": "{data}/train.csv.gz", "test": "{data}/test.csv.gz"},
        (
            System("accord", "`lightgcn`", OURS | {"batch": 8192, "loss": "sampled", "negatives": 2048}),
            System("pyg", "LightGCN, learning rate 0.01", PAPER | {"lr": 1e-2, "every": 1}),
        ),
    ),
}
PUBLISHED = "The paper's own code publishes .1830 / .1554 on gowalla after 1,000 epochs (3 layers)."
NOTES = """\
- All learn from the training part by ids alone, with one thread; validation lists leave out the training events, test
  lists those and the validation events, which the graph then holds too. Nothing was tuned on the test.
- PyTorch Geometric's `LightGCN` is trained as the paper says: BPR with one negative a pair, Adam with learning rate
  0.001, decay 0.0001, batches of 2,048, 64 dimensions, 3 layers, first vectors of standard deviation 0.1. The row
  that names another learning rate comes further in the same time.
- The clock runs while a system trains, not while it lists. Ours holds some events back, stops by itself and is shown
  once; the row of the other is its step with the best NDCG@20 on a sample of the validation queries.
"""


def main() -> None:
    """Measure what was asked for and write the table of all that was ever measured in the work folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", choices=list(SETS), help="those to measure on")
    arguments, command = asked(parser, "graphs")
    lines = ["# LightGCN, beside PyTorch Geometric", ""]
    files = list[Path]()
    for name, (title, options, systems) in SETS.items():
        work = arguments.work / name
        if arguments.sets and name not in arguments.sets and not work.exists():
            continue
        split, reading = cut(arguments.data / name, options, work)
        held = prepared(split, work)
        for system in systems:
            if system.asked_for(arguments.systems) and name in (arguments.sets or SETS):
                measure(system, work, arguments.minutes, LISTED, arguments.work / "environment")
        found = {system: steps(system, work, held, METRICS) for system in systems}
        lines += [f"## {name}: {title} ({len(held['test']):,} queries, reading {reading})", ""]
        lines += [*reached(found, work, METRICS), ""]
        files += [work / system.file for system in systems]
    text = "\n".join([*lines, PUBLISHED, "", NOTES, *made_by(command, files)])
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "graphs.md").write_text(text, encoding="utf-8")
    print(text)


def cut(source: Path, options: dict[str, Any], work: Path) -> tuple[Split, int]:
    """The split of a set, and how often its test has been read."""
    folder = work / "imported"
    if not folder.exists():
        events = options.get("train", "{data}/events.csv.gz").format(data=source)
        told = [ACCORD, "import", "--events", events, "--order", "none", "--quiet", "--out", str(folder)]
        subprocess.run(told, check=True)
    settings = SplitSettings(**{key: value.format(data=source) for key, value in options.items()})
    data, splits = make_splits(Dataset.load(folder), settings, Run())
    reading = record([folder], data=data.fingerprint, split=splits[0].name, by="benchmarks/graphs.py")["number"]
    return splits[0], reading


if __name__ == "__main__":
    main()
