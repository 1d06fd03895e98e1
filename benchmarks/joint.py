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
from typing import Any

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
from accord.evaluate.case import Case
from accord.evaluate.significance import paired_bootstrap
from accord.models.joint import Joint
from accord.study.environment import machine, versions
from accord.study.readings import record

RESULTS = Path(__file__).with_name("results")
METRICS = ("recall@10", "ndcg@10")
DEPTH = 20
SECONDS = "cpu seconds"
SHARES = tuple(round(0.1 * tenth, 1) for tenth in range(11))
MEAN, READER, FUSED, JOINT, LEARNED = "collaborative alone", "deep alone", "apart, fused", "joint", "joint, learned"
PARTS = {MEAN: {"deep": 0.0}, READER: {"collaborative": 0.0}, JOINT: {}, LEARNED: {"weights": "learned"}}
Lists = Callable[[Queries], Slate]
Values = dict[str, np.ndarray]


@dataclass
class Read:
    """What the systems reached, by name: one row a seed."""

    values: dict[str, list[Values]] = field(default_factory=dict[str, list[Values]])
    """Metrics by query."""
    shares: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """The chosen share of the deep head."""
    seconds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """CPU seconds of each fit."""

    def add(self, name: str, values: Values, share: float | None = None) -> None:
        """One system of one seed."""
        self.values.setdefault(name, []).append(values)
        if share is not None:
            self.shares.setdefault(name, []).append(share)

    def by_query(self, name: str) -> np.ndarray:
        """``[B, metrics]``: means over the seeds."""
        return np.stack([np.mean([values[m] for values in self.values[name]], axis=0) for m in METRICS], axis=1)


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
    read = Read()
    for seed in seeds:
        measure_seed(split, settings, Run(cache=None, seed=seed, checkpoint=kept), read)
    return read


def measure_seed(split: Split, settings: dict[str, Any], run: Run, read: Read) -> None:
    """The same with one seed."""
    test = split.tests["test"]
    fitted = {name: _fit(name, {**settings, **own}, split, run, read) for name, own in PARTS.items()}
    for name in (MEAN, READER):
        read.add(name, judged(alone(fitted[name]), split, test))
    share, lists = chosen(lambda share: summed(fitted[MEAN], fitted[READER], share), split)
    read.add(FUSED, judged(lists, split, test), share)
    for name in (JOINT, LEARNED):
        share, lists = chosen(lambda share, name=name: alone(mixed(fitted[name], share)), split)
        read.add(name, judged(lists, split, test), share)


def _fit(name: str, settings: dict[str, Any], split: Split, run: Run, read: Read) -> Joint:
    source = Joint(**settings)

    def fit() -> dict[str, np.ndarray]:
        began = time.process_time()
        return source.fit(split.train, run).state() | {SECONDS: np.asarray(time.process_time() - began)}

    state = run.keep("fits", (source.config, split.train.digest), fit, lambda made: made, lambda kept: kept)
    read.seconds.setdefault(name, []).append(float(state[SECONDS]))
    return source.load_state({name: array for name, array in state.items() if name != SECONDS})


def chosen(lists: Callable[[float], Lists], split: Split) -> tuple[float, Lists]:
    """The share of the deep head with the best NDCG@10 on validation, and what makes lists with it."""
    reached = {share: judged(lists(share), split, split.valid)["ndcg@10"].mean() for share in SHARES}
    best = max(reached, key=lambda share: reached[share])
    return best, lists(best)


def alone(source: Recommender) -> Lists:
    """Lists by the scores of one source."""
    return lambda queries: source.recommend(queries, DEPTH)


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


def judged(lists: Lists, split: Split, asked: Holdout) -> Values:
    """Metrics by query of what a system answers."""
    slate = lists(asked.queries)
    values = Case({"it": slate}, asked, split.train.item_counts).per_query("it", (10,))
    return {metric: values[metric] for metric in METRICS}


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
    cells = []
    for metric, value in zip(METRICS, read.by_query(system).mean(axis=0), strict=True):
        each = ", ".join(f"{values[metric].mean():.4f}" for values in read.values[system])
        cells.append(f"{value:.4f} ({each})")
    shares = ", ".join(f"{share:g}" for share in read.shares.get(system, []))
    seconds = read.seconds.get(system)
    return f"| {system} | {' | '.join(cells)} | {shares} | {f'{np.mean(seconds):.0f}' if seconds else ''} |"


def _difference(system: str, other: str, read: Read) -> str:
    told = paired_bootstrap(read.by_query(system) - read.by_query(other))
    return (
        f"| {system} | {other} | {' | '.join(f'{i.difference:+.4f} ({i.low:+.4f} to {i.high:+.4f})' for i in told)} |"
    )


if __name__ == "__main__":
    main()
