"""Side by side with ``implicit``, RecTools and LensKit: same events, same settings, same metrics, cost of each.

    python benchmarks/peers.py --data FOLDER [--only SET ...] [--systems NAME ...] [--work FOLDER]

``--data`` holds the sets as published (see README.md beside this file). RecTools and LensKit go into an environment of
their own in the work folder (``peers.txt``, made once); ``implicit`` is the one that our ``ials`` learns with. Every
system runs in a process of its own, one at a time, with one thread. The table goes to ``benchmarks/results/peers.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, save_npz

from accord.core.dataset import Dataset
from accord.core.slate import Slate
from accord.data.holdout import Holdout
from accord.data.splits import leave_last
from accord.evaluate.case import Case
from accord.evaluate.significance import paired_bootstrap
from accord.study.environment import machine
from accord.study.readings import record
from quality import ACCORD, HERE

SETS = ("amazon-beauty", "ml-100k")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS")
THREADS += ("LK_NUM_THREADS", "LK_NUM_BACKEND_THREADS", "LK_NUM_PROCS")
RESAMPLES = 2000
METRICS = ("recall@10", "ndcg@10")
ALL = 1 << 20
"""More events, or neighbours, than there are."""
SAMPLE = 1000
"""The users asked for where a library is slow to answer."""
IALS = {"alpha": 1.0, "reg": 10.0, "dim": 64, "epochs": 15}
NOTES = """\
## How to read it

- All learn from the same events (all before each user's last one, each of weight 1), read the whole history, and are
  judged by our evaluator over all items but those of the history. Settings were fixed beforehand, none was tuned
  here: EASE with reg 100; iALS with 64 dimensions, alpha 1, reg 10, 15 epochs; cosine without shrinkage where not
  said otherwise.
- "Ours less it": the first row of the table less this one on the same users, paired bootstrap, 95 %; `=` marks
  intervals that hold zero: the two cannot be told apart. "Shared": places of our lists whose item the other list
  holds too, or where it ends with another item of the same score: at 100 % the lists differ in the choice among equals
  alone, which each library settles its own way, and so does any difference of the metrics.
- CPU s: one thread, least of up to three repeats where a step is quick. The wall time in brackets shared the machine
  with other jobs. Users are those listed (top 10) with the lookup of their histories. LensKit answers one user at a
  time, and RecTools' EASE takes minutes there, so on amazon-beauty they were asked for a random 1,000. MiB added: peak
  above libraries and events, which differ; peak in brackets.

## What differs, and why

- EASE: LensKit's and ours give the same lists. RecTools 0.19 hands its weights to a ranker that multiplies by their
  transpose, so each weight is divided by the diagonal of the item of the history, not of the one recommended;
  turned back, its lists are the same as ours. It inverts by LU with several dense copies; ours factors (Cholesky) and
  inverts one array in place.
- iALS: `implicit` reads the confidence itself (here 2), LensKit what is added to 1, ours alpha: one problem. Ours is
  learned by `implicit`, which solves each row by three conjugate-gradient steps; LensKit solves exactly and starts from
  other random numbers. The intervals are over users and know nothing of seeds, which can matter more. "Stored users"
  are the factors of the last epoch, which lack the last step and any later event; ours folds every history in.
- Item-kNN with all neighbours is one model in all four libraries. Cut to 100, ours keeps the best neighbours of each
  item that is recommended, the others those of each item of the history; `implicit`'s K counts the item itself.
  LensKit has no shrinkage and by default uses the 20 nearest events of the history; BM25 lets users count more who did
  little else.
"""
HEADS = (
    *("library", "system", "R10", "N10", "ours less it, R10", "ours less it, N10", "shared"),
    *("fit: CPU s (wall)", "users / CPU s (wall)", "MiB added (peak)"),
)


@dataclass(frozen=True)
class System:
    """One model of one library; those of the same ``model`` compute the same thing."""

    library: str
    name: str
    model: str
    settings: dict[str, Any]
    most: int | None = None
    """The most users that are listed for, where all would take too long."""

    @property
    def file(self) -> str:
        """A name for its files."""
        return "-".join(re.findall(r"[a-z0-9_]+", f"{self.library} {self.name} {self.model}".lower()))


def systems(neighbours: int) -> list[System]:
    """All systems; ``neighbours`` is the most that any item has, itself included."""
    everything = {"last": ALL}  # the whole history is read, as peers do
    ease, ials, whole, cut = "EASE", "iALS", "item-kNN, cosine, all neighbours", "item-kNN, 100 neighbours"
    peers_ease = {"kind": "ease", "regularization": 100.0}
    factors = {"factors": IALS["dim"], "regularization": IALS["reg"], "iterations": IALS["epochs"]}
    implicit_ials = {"kind": "ials", "alpha": IALS["alpha"], **factors, "random_state": 0}
    lenskit_ials = {"embedding_size": IALS["dim"], "regularization": IALS["reg"], "epochs": IALS["epochs"]}
    lenskit_knn = {"kind": "cosine", "feedback": "implicit", "max_nbrs": ALL}
    cosine = {"kind": "item_knn", "shrink": 0.0, **everything}
    return [
        System("accord", "`ease`", ease, {"kind": "ease", "reg": 100.0, **everything}),
        System("rectools", "EASE", ease, peers_ease, SAMPLE),
        System("rectools", "EASE, weights turned back", ease, {**peers_ease, "turned": True}, SAMPLE),
        System("lenskit", "EASE", ease, peers_ease, SAMPLE),
        System("accord", "`ials`", ials, {"kind": "ials", **IALS, **everything}),
        System("implicit", "iALS, folded in", ials, {**implicit_ials, "fold_in": True}),
        System("implicit", "iALS, another seed", ials, {**implicit_ials, "fold_in": True, "random_state": 1}),
        System("implicit", "iALS, stored users", ials, implicit_ials),
        System("lenskit", "iALS", ials, {"kind": "ials", "weight": IALS["alpha"], **lenskit_ials}, SAMPLE),
        System("accord", "`item_knn`", whole, {**cosine, "k": neighbours}),
        System("implicit", "cosine", whole, {"kind": "cosine", "K": neighbours}),
        System("rectools", "cosine", whole, {"kind": "cosine", "K": neighbours}),
        System("lenskit", "item-kNN", whole, lenskit_knn, SAMPLE),
        System("accord", "`item_knn`, shrink 0", cut, {**cosine, "k": 100}),
        System("accord", "`item_knn`, shrink 5 (default)", cut, {**cosine, "k": 100, "shrink": 5.0}),
        System("implicit", "cosine, K 101", cut, {"kind": "cosine", "K": 101}),
        System("implicit", "BM25, K 101", cut, {"kind": "bm25", "K": 101}),
        System("rectools", "cosine, K 101", cut, {"kind": "cosine", "K": 101}),
        System("lenskit", "100 saved", cut, {**lenskit_knn, "save_nbrs": 100}, SAMPLE),
        System("lenskit", "100 saved, 20 used", cut, {**lenskit_knn, "max_nbrs": 20, "save_nbrs": 100}, SAMPLE),
    ]


def main() -> None:
    """Measure what was asked for; the table shows all that was ever measured in the work folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the published sets")
    parser.add_argument("--work", type=Path, default=Path("runs/peers"), help="environment, datasets and lists")
    parser.add_argument("--only", nargs="*", choices=SETS, default=SETS, help="sets")
    parser.add_argument("--systems", nargs="*", help="only systems whose library, name or model holds one of these")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    peers = environment(work / "environment")
    sections: list[str] = []
    for name in SETS:
        folder = work / name
        if name in arguments.only or (folder / "measured").exists():
            test, neighbours, reading = prepared(arguments.data / name, folder)
            every = systems(neighbours)
            for system in every if name in arguments.only else ():
                if _wanted(system, arguments.systems):
                    measure(system, folder, peers)
            sections.append(
                section(f"{name}, leave-last-out: {len(test):,} users, reading {reading}", test, every, folder)
            )
    text = page(sections, work)
    (HERE / "results" / "peers.md").write_text(text, encoding="utf-8")
    print(text)


def _wanted(system: System, words: list[str] | None) -> bool:
    label = f"{system.library} {system.name} {system.model}".lower()
    return words is None or any(word.lower() in label for word in words)


def environment(folder: Path) -> Path:
    """The interpreter of the peers' own environment, made where it is not there yet."""
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(HERE / "peers.txt")], check=True)
        (folder / "complete").touch()
    return python


def prepared(source: Path, folder: Path) -> tuple[Holdout, int, int]:
    """Import and split; writes the events for everybody.

    Returns the test, the most neighbours of any item, and how often the test has been read from this folder.

    The test is in random order, so that its first users are a fair sample of all.
    """
    if not (folder / "imported").exists():
        command = [ACCORD, "import", "--events", str(source / "events.csv.gz"), "--quiet"]
        subprocess.run([*command, "--out", str(folder / "imported")], check=True)
    data = Dataset.load(folder / "imported")
    split = leave_last(data)[0]
    past, test = split.refit, split.tests["test"]
    test = test.take(np.random.default_rng(0).permutation(len(test)))
    past.save(folder / "dataset")
    matrix = csr_matrix(past.matrix)
    save_npz(folder / "matrix.npz", matrix)
    np.save(folder / "users.npy", np.array([past.user_numbers[user] for user in test.queries.users]))
    read = record([folder / "imported"], data=data.fingerprint, split="leave-last", by="benchmarks/peers.py")
    return test, int(np.diff((matrix.T @ matrix).tocsr().indptr).max()), read["number"]


def measure(system: System, folder: Path, peers: Path) -> None:
    """Run one system in a process of its own, with one thread and low priority."""
    python = str(peers) if system.library in ("rectools", "lenskit") else sys.executable
    out = folder / "measured" / system.file
    out.parent.mkdir(exist_ok=True)
    task = {"library": system.library, "settings": system.settings, "most": system.most}
    path = out.with_suffix(".task")
    path.write_text(json.dumps({**task, "folder": str(folder), "out": str(out)}), encoding="utf-8")
    single = dict.fromkeys(THREADS, "1") | {"PYTHONWARNINGS": "ignore"}
    command = ["nice", python, str(HERE / "peer_systems.py"), str(path)]
    print(f"{folder.name}: {system.library} {system.name}, {system.model}", file=sys.stderr, flush=True)
    subprocess.run(command, check=True, env={**os.environ, **single})


def section(title: str, test: Holdout, every: list[System], folder: Path) -> str:
    """The table of one set."""
    lines = [f"## {title}", ""]
    for model in dict.fromkeys(system.model for system in every):
        rows = [(folder / "measured" / system.file, system) for system in every if system.model == model]
        rows = [(path, system) for path, system in rows if path.with_suffix(".json").exists()]
        if not rows or rows[0][1].library != "accord":
            continue
        lines += [f"### {model}", "", f"| {' | '.join(HEADS)} |", "|---|---|" + "---:|" * (len(HEADS) - 2)]
        ours = rows[0][0]
        lines += [_row(system, path, ours, test) for path, system in rows]
        lines.append("")
    return "\n".join(lines)


def _row(system: System, path: Path, ours: Path, test: Holdout) -> str:
    figures = _figures(path)
    n, peak = figures["users"], figures["peak_mib"]
    values = judged(path, test, n)
    cells = [f"{values[metric].mean():.4f}" for metric in METRICS]
    cells += ["", "", ""]
    if path != ours:
        cells[2:] = [*differences(judged(ours, test, n), values), f"{shared(path, ours):.1%}"]
    cells.append("{cpu:.2f} ({seconds:.2f})".format(**figures["fit"]))
    cells.append("{:,.0f} ({:,.0f})".format(*(n / figures["scoring"][clock] for clock in ("cpu", "seconds"))))
    cells.append(f"{peak - figures['before_mib']:,.0f} ({peak:,.0f})")
    partly = "" if n == len(test) else f" ({n:,} users)"
    return f"| {system.library} | {system.name}{partly} | {' | '.join(cells)} |"


def _figures(path: Path) -> dict[str, Any]:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def judged(path: Path, test: Holdout, n: int) -> dict[str, np.ndarray]:
    """Metrics by user of the lists that one system gave, for the first ``n`` users."""
    slate = lists(path).rows(np.arange(n))
    values = Case({"it": slate}, test.take(np.arange(n)), np.ones(1 + int(slate.items.max()), int)).per_query(
        "it", [10]
    )
    return {metric: values[metric] for metric in METRICS}


def lists(path: Path) -> Slate:
    """The lists that one system gave."""
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as found:
        return Slate(found["items"], {"score": found["scores"]})


def differences(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> list[str]:
    """Ours less theirs with a 95 % paired interval; ``=`` marks those that cannot be told apart."""
    found = paired_bootstrap(np.stack([ours[metric] - theirs[metric] for metric in METRICS], axis=1), RESAMPLES)
    return [
        f"{'= ' if one.low <= 0 <= one.high else ''}{one.difference:+.4f} ({one.low:+.4f} to {one.high:+.4f})"
        for one in found
    ]


def shared(path: Path, ours: Path) -> float:
    """Mean share of the places of our lists that the other list agrees with.

    It holds the item too, or ends with another of the very same score: which of equals came in is no difference.
    """
    other = lists(path)
    mine = lists(ours).rows(np.arange(len(other)))
    found = (mine.items[:, :, None] == other.items[:, None, :]).any(axis=2)
    last = np.where(other.filled, other.column("score"), np.inf).min(axis=1, keepdims=True)
    found |= np.isclose(mine.column("score"), last, rtol=1e-5)
    return float((found & mine.filled).sum() / mine.filled.sum())


def page(sections: list[str], work: Path) -> str:
    """The whole result as Markdown."""
    found = [_figures(path)["versions"] for path in sorted(work.glob("*/measured/*.json"))]
    environments = {", ".join(f"{name} {number}" for name, number in versions.items()) for versions in found}
    used = machine()
    lines = ["# Side by side with implicit, RecTools and LensKit", "", *sections, NOTES]
    lines += [f"- {versions}" for versions in sorted(environments)]
    lines += [
        "- `python benchmarks/peers.py --data DATA`",
        f"- {datetime.now(UTC):%Y-%m-%d}, {used['cores']} cores ({used['processor']}), {used['memory_gib']} GiB",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
