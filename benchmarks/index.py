"""Looking at all item vectors beside an index, on clustered random vectors.

    python benchmarks/index.py [--items 10000 100000 1000000] [--queries 500]

Each size in a process of its own: CPU milliseconds a query (the best 20, one query at a time and in batches of 32),
the share of the true best 20 that is found, CPU seconds to build, and the peak memory of the process before and after.
``numpy``: the product with all vectors and a partial sort; ``index``: what ``two_tower`` uses above 300,000 items.
Writes ``results/index.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from accord.core.run import peak_mib
from accord.models.index import Index, exact_best

RESULTS = Path(__file__).with_name("results") / "index.md"
DIM, BEST, BATCH, SPREAD = 64, 20, 32, 0.7
Search = Callable[[np.ndarray], np.ndarray]


def vectors(n: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """``float32[n, 64]`` around ``n ** 0.5`` centres, their lengths unequal, and queries from the same centres."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((int(n**0.5), DIM)).astype(np.float32)

    def some(m: int) -> np.ndarray:
        noise = rng.standard_normal((m, DIM), dtype=np.float32)
        return centres[rng.integers(len(centres), size=m)] + np.float32(SPREAD) * noise

    return some(n), some(queries)


def measure(n: int, queries: int) -> dict[str, Any]:
    """Both ways for one size."""
    items, asked = vectors(n, 2 * queries)
    held, asked = asked[:queries], asked[queries:]
    before, started = peak_mib(), time.process_time()
    index = Index.of(items, np.arange(n, dtype=np.int32), held)
    built, after = time.process_time() - started, peak_mib()
    ways: dict[str, Search] = {
        "numpy": lambda some: np.concatenate(list(exact_best(items, some, BEST))),
        "index": lambda some: index.search(some, BEST),
    }
    truth = ways["numpy"](asked)
    found = index.search(asked, BEST)
    return {
        "nprobe": f"{index.nprobe} of {index.lists.nlist}",
        "recall": float(np.mean([np.isin(true, some).mean() for true, some in zip(truth, found, strict=True)])),
        "built": built,
        "mib": [before, after],
        "ms": {name: [milliseconds(way, asked, size) for size in (1, BATCH)] for name, way in ways.items()},
    }


def milliseconds(search: Search, asked: np.ndarray, size: int) -> float:
    """CPU milliseconds a query in batches of one size."""
    starts = range(0, len(asked) - size + 1, size)
    started = time.process_time()
    for start in starts:
        search(asked[start : start + size])
    return 1e3 * (time.process_time() - started) / (len(starts) * size)


def alone(n: int, queries: int) -> dict[str, Any]:
    """One size in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--one", str(n), "--queries", str(queries)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def table(rows: dict[int, dict[str, Any]], command: str) -> str:
    """All sizes as Markdown."""
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    load = f"threads {threads}, load of the machine at the end {os.getloadavg()[0]:.1f}"
    lines = [
        "# Looking at all items, and an index",
        "",
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {machine}, {load}.",
        "",
        f"The best {BEST} by the product of {DIM} numbers: CPU ms a query, CPU seconds to build. Vectors around",
        "centres, of unequal length; the index is tuned to find .95 of the best 100 of other queries.",
        "",
        f"| items | all, one | all, {BATCH} at once | index, one | index, {BATCH} at once | lists looked at "
        f"| recall@{BEST} | build, s | peak MiB before and after |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for n, found in rows.items():
        times = " | ".join(f"{value:.3f}" for name in ("numpy", "index") for value in found["ms"][name])
        memory = " / ".join(f"{value:.0f}" for value in found["mib"])
        facts = f"{found['nprobe']} | {found['recall']:.3f} | {found['built']:.1f} | {memory}"
        lines.append(f"| {n:,} | {times} | {facts} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure all sizes and write the table, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.queries)))
        return
    rows = {n: alone(n, arguments.queries) for n in arguments.items}
    sizes = " ".join(map(str, arguments.items))
    text = table(rows, f"python benchmarks/index.py --items {sizes} --queries {arguments.queries}")
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
