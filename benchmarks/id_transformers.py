"""A transformer of ids alone, beside RecTools' SASRec: what each reaches, and after how long.

    python benchmarks/id_transformers.py --data FOLDER [--minutes 60] [--systems NAME ...] [--work FOLDER]

``--data`` holds the sets as published (see README.md beside this file). RecTools goes into an environment of its own
in the work folder (``peers.txt``, made once). How systems are run: ``stepwise.py``. The table goes to
``benchmarks/results/id_transformers.md``.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from accord.core.dataset import Dataset
from accord.data.splits import leave_last
from accord.study.readings import record
from quality import ACCORD, HERE
from stepwise import Step, System, asked, best_of, made_by, measure, prepared, reached, steps

SET = "amazon-beauty"
PUBLISHED = {"recall@10": 0.0921, "ndcg@10": 0.0531}
"""SASRec with 256 negatives in RecTools' own benchmark of this set."""
NEAR, HALF = 0.97, 0.5
"""The gates: within 3 % of what is published, in at most half the time of RecTools."""
METRICS = ("recall@10", "ndcg@10")
LISTED = 10
NOTES = """\
- All learn from the events before each person's last two, by ids alone, with one thread; a list is made of all items
  but those of the history, which for the test holds the validation event too. Nothing was tuned on the test.
- The clock runs while a system trains, not while it lists. Ours holds some events back, stops by itself and is shown
  once, when it has ended; RecTools is shown after every few epochs, and its row is the step with the best NDCG@10 on
  the validation sample, without the time that it went on after that.
- RecTools runs with its defaults (2 blocks, 4 heads, 256 dimensions, dropout 0.2, batches of 128, learning rate
  0.001) but for what the row names, and histories of at most 50 events, as ours.
"""
OURS = {"kind": "sequential", "item": "id", "epochs": 60, "patience": 4}
SYSTEMS = (
    System("accord", "`sequential`", OURS),
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
    arguments, command = asked(parser, "id_transformers")
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "imported").exists():
        events = str(arguments.data / SET / "events.csv.gz")
        told = [ACCORD, "import", "--events", events, "--quiet", "--out", str(work / "imported")]
        subprocess.run(told, check=True)
    data = Dataset.load(work / "imported")
    held = prepared(leave_last(data)[0], work)
    for system in SYSTEMS:
        if system.asked_for(arguments.systems):
            measure(system, work, arguments.minutes, LISTED, work / "environment")
    found = {system: steps(system, work, held, METRICS) for system in SYSTEMS}
    read = record([work / "imported"], data=data.fingerprint, split="leave-last", by="benchmarks/id_transformers.py")
    text = page(found, work, command, read["number"])
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "id_transformers.md").write_text(text, encoding="utf-8")
    print(text)


def page(found: dict[System, list[Step]], work: Path, command: str, reading: int) -> str:
    """The whole result as Markdown."""
    lines = ["# A transformer of ids alone, beside RecTools", "", *reached(found, work, METRICS), "", *verdict(found)]
    made = made_by(command, [work / system.file for system in found])
    return "\n".join([*lines, "", NOTES, f"- reading {reading} of this test on this dataset", *made])


def verdict(found: dict[System, list[Step]]) -> list[str]:
    """The gates, as far as what was measured can tell; a peer whose best step is its last was ended by the clock."""
    best = {system: best_of(every) for system, every in found.items() if every}
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
                f"after {share:.2f} of its time{', when it was still rising' if other is found[system][-1] else ''})."
            )
    return lines


def _met(reached: bool) -> str:
    return "met" if reached else "NOT MET"


if __name__ == "__main__":
    main()
