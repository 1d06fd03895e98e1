"""One joint model beside the same two parts trained apart, alone and fused, leave-last-out.

    python benchmarks/joint.py --dataset FOLDER [--seeds 5] [--set KEY=VALUE ...] [--work FOLDER]

``--dataset`` is what ``accord import`` wrote. With every seed four models are fitted without the validation events: the
collaborative part alone, the deep part alone, both with given and with learned weights of their losses. The share of
the deep head in each sum of two is chosen on validation: in the score of the joint model, and in the sum of the
standardised scores of the parts trained apart. Finished fits are kept in ``--work``, so that a killed run goes on.
The table goes to ``benchmarks/results/joint-NAME.md``; the reading of the test is logged in the dataset's folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np

from accord.core.checkpoint import Checkpoint
from accord.core.columns import SCORE
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.core.roles import Recommender
from accord.core.run import Run, peak_mib
from accord.core.slate import Slate
from accord.core.topk import top_k
from accord.data.holdout import Holdout, Split
from accord.data.splits import leave_last
from accord.models.joint import Joint
from accord.study.environment import machine, versions
from accord.study.readings import record
from seeded import DEPTH, Figures, Lists, Values, alone, fitted, judged

RESULTS = Path(__file__).with_name("results")
METRICS = ("recall@10", "ndcg@10")
SHARES = tuple(round(0.1 * tenth, 1) for tenth in range(11))
MEAN, READER, FUSED, JOINT, LEARNED = "collaborative alone", "deep alone", "apart, fused", "joint", "joint, learned"
PARTS = {MEAN: {"deep": 0.0}, READER: {"collaborative": 0.0}, JOINT: {}, LEARNED: {"weights": "learned"}}


@dataclass
class Read(Figures):
    """What the systems reached, what was chosen, and what it cost."""

    shares: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """The chosen share of the deep head."""
    seconds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """CPU seconds of each fit."""


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="what accord import wrote")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of both parts, JSON values")
    parser.add_argument("--work", type=Path, default=Path("runs/joint"), help="where finished fits are kept")
    arguments = parser.parse_args()
    settings = {name: _value(text) for name, _, text in (pair.partition("=") for pair in arguments.set)}
    data = Dataset.load(arguments.dataset)
    started = time.perf_counter()
    read = measure(leave_last(data)[0], settings, range(arguments.seeds), Checkpoint(arguments.work))
    config = Joint(**settings).config
    reading = record([arguments.dataset], data=data.fingerprint, split="leave-last", by="benchmarks/joint.py")
    text = table(arguments.dataset.name, read, config.digest, reading["number"], time.perf_counter() - started)
    (RESULTS / f"joint-{arguments.dataset.name}.md").write_text(text, encoding="utf-8")
    print(text)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def measure(split: Split, settings: dict[str, Any], seeds: Sequence[int], kept: Checkpoint) -> Read:
    """Fit, choose on validation and ask the test, with every seed."""
    read = Read(METRICS)
    for seed in seeds:
        measure_seed(split, settings, Run(cache=None, seed=seed, checkpoint=kept), read)
    return read


def measure_seed(split: Split, settings: dict[str, Any], run: Run, read: Read) -> None:
    """The same with one seed."""
    test = split.tests["test"]
    models = {name: _fit(name, {**settings, **own}, split, run, read) for name, own in PARTS.items()}
    for name in (MEAN, READER):
        read.add(name, judged_in(alone(models[name]), split, test))
    share, lists = chosen(lambda share: summed(models[MEAN], models[READER], share), split)
    _add(read, FUSED, lists, share, split)
    for name in (JOINT, LEARNED):
        share, lists = chosen(lambda share, name=name: alone(mixed(models[name], share)), split)
        _add(read, name, lists, share, split)


def _add(read: Read, name: str, lists: Lists, share: float, split: Split) -> None:
    read.add(name, judged_in(lists, split, split.tests["test"]))
    read.shares.setdefault(name, []).append(share)


def _fit(name: str, settings: dict[str, Any], split: Split, run: Run, read: Read) -> Joint:
    source, seconds = fitted(Joint(**settings), split.train, run)
    read.seconds.setdefault(name, []).append(seconds)
    return cast("Joint", source)


def chosen(lists: Callable[[float], Lists], split: Split) -> tuple[float, Lists]:
    """The share of the deep head with the best NDCG@10 on validation, and what makes lists with it."""
    reached = {share: judged_in(lists(share), split, split.valid)["ndcg@10"].mean() for share in SHARES}
    best = max(reached, key=lambda share: reached[share])
    return best, lists(best)


def mixed(source: Joint, share: float) -> Recommender:
    """A fitted joint model with another share of the deep head in its score."""
    return Joint(**{**source.config.model_dump(), "mix": share}).load_state(source.state())


def summed(mean: Recommender, deep: Recommender, share: float) -> Lists:
    """Lists by the sum of the standardised scores of two sources."""

    def lists(queries: Queries) -> Slate:
        return Slate.stacked([_best(mean, deep, share, chunk) for chunk in queries.chunks(mean.n_items)])

    return lists


def _best(mean: Recommender, deep: Recommender, share: float, queries: Queries) -> Slate:
    total = np.zeros((len(queries), mean.n_items), np.float32)
    for source, weight in ((mean, 1 - share), (deep, share)):
        scored = source.scored(queries)
        middle, spread = (scored.facts[fact][:, None].astype(np.float32) for fact in ("mean", "spread"))
        hidden = np.isneginf(scored.scores)
        total += np.float32(weight) * (np.where(hidden, 0, scored.scores) - middle) / np.maximum(spread, 1e-9)
        total[hidden] = -np.inf
    items, scores = top_k(total, DEPTH, queries.tie_keys())
    return Slate(items, {SCORE: scores}, {})


def judged_in(lists: Lists, split: Split, asked: Holdout) -> Values:
    """Metrics by query of what a system answers."""
    return judged(lists, asked, split.train.item_counts, METRICS)


def table(name: str, read: Read, digest: str, reading: int, wall: float) -> str:
    """The result as Markdown."""
    n = len(read.by_query(JOINT))
    lines = [
        f"# Joint training beside training apart: {name}, leave-last-out, fitted without the validation events",
        "",
    ]
    lines += [f"{n:,} queries; means of {len(read.values[JOINT])} seeds (and of each seed).", ""]
    lines += [f"| system | {' | '.join(METRICS)} | share of the deep head | CPU s a fit |", "|---|---:|---:|---|---:|"]
    lines += [_row(system, read) for system in (MEAN, READER, FUSED, JOINT, LEARNED)]
    lines += ["", "Paired bootstrap over queries of the means over seeds, 95 %:", ""]
    lines += [f"| | against | {' | '.join(METRICS)} |", "|---|---|---|---|"]
    for system in (JOINT, LEARNED):
        lines += [_difference(system, other, read) for other in (MEAN, READER, FUSED)]
    told, made = machine(), ", ".join(f"{package} {number}" for package, number in versions().items())
    lines += [
        "",
        f"- `python {' '.join(['benchmarks/joint.py', *sys.argv[1:]])}`, configuration {digest}",
        f"- {datetime.now(UTC):%Y-%m-%d}; {wall:.0f} s wall, peak {peak_mib() / 1024:.2f} GiB, "
        f"on {told['cores']} cores ({told['processor']}); reading {reading} of this test on this dataset",
        f"- {made}",
        "",
    ]
    return "\n".join(lines)


def _row(system: str, read: Read) -> str:
    shares = ", ".join(f"{share:g}" for share in read.shares.get(system, []))
    seconds = read.seconds.get(system)
    cells = [*read.cells(system), shares, f"{np.mean(seconds):.0f}" if seconds else ""]
    return f"| {system} | {' | '.join(cells)} |"


def _difference(system: str, other: str, read: Read) -> str:
    return f"| {system} | {other} | {' | '.join(read.differences(system, other))} |"


if __name__ == "__main__":
    main()
