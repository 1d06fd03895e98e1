"""Write a tiny trained pipeline and what it recommends: ``python tools/golden_artefact.py tests/golden/format-1.1``.

One such folder is kept for every format of artefacts there ever was, and the tests ask each of them for the lists that
its own version of Accord gave. Run it where ``FORMAT`` of ``accord.pipeline.artefact`` goes up, never over an old one.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from accord.core.run import Run
from accord.data import splits
from accord.fuse.weighted import Weighted
from accord.pipeline.artefact import save
from accord.pipeline.learning import learn
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import spec_of
from accord.testing.planted import checkerboard

SPEC = """
name = "golden"
depth = 20

[encoders.tfidf]
kind = "tfidf"

[encoders.attributes]
kind = "attributes"

[sources.popular]
kind = "popular"

[sources.knn]
kind = "item_knn"
k = 5

[sources.ease]
kind = "ease"
reg = 10.0
side = { attributes = 2.0, tfidf = 1.0 }

[sources.content]
kind = "content"
column = "tfidf"
k = 5

[search.values]
"knn.tau" = [4.0, inf]
"""
PLACES = 6


def main(folder: Path) -> None:
    """Write ``run/``, the artefact, and ``lists.json``, what it recommends."""
    if folder.exists():
        sys.exit(f"{folder} is there already; a golden artefact is never written anew")
    planted = checkerboard(10, 8, 2, 5)
    genres = pa.array([[f"genre{group}", "all"] for group in planted.item_groups])
    items = planted.data.items.append_column("genres", genres)
    data = replace(planted.data, items=items, vectors={})
    run = Run(cache=None)
    learned = learn(spec_of(SPEC, "golden"), splits.validation_only(data, run.rng("validation")), run, keep_all=True)
    sources = {**learned.pipeline.sources, **learned.alone}
    pipeline = replace(learned.pipeline, sources=sources, fuser=fused(tuple(sources)))
    save(pipeline, folder / "run", {"target": "items", "note": "made by tools/golden_artefact.py"})
    text = json.dumps(lists(pipeline), indent=1) + "\n"
    (folder / "lists.json").write_text(text, encoding="utf-8")


def fused(names: tuple[str, ...]) -> Weighted:
    """Every source counts, and differently for items without events: so few users would leave one source."""
    fuser = Weighted(sources=names)
    rising = np.arange(1, len(names) + 1, dtype=np.float32)
    fuser.weights = np.stack([rising, rising[::-1]]) / rising.sum()
    fuser.shift = np.array([0.5], np.float32)
    return fuser


def lists(pipeline: Pipeline) -> dict[str, list[list[object]]]:
    """Items and scores by user, for every third user and a stranger, and by item for what is similar to it."""
    users = [*pipeline.data.user_ids[::3].tolist(), "nobody"]
    found = {f"for {user}": pipeline.recommend(pipeline.queries([user]), PLACES) for user in users}
    found |= {f"like {number}": pipeline.similar(np.array([number], np.int32), PLACES) for number in (0, 7)}
    ids = pipeline.data.item_ids
    return {
        name: [
            [ids[item], float(score)]
            for item, score in zip(slate.items[0], slate.column("score")[0], strict=True)
            if item >= 0
        ]
        for name, slate in found.items()
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
