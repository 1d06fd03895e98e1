"""One system on one set, in a process of its own: fit, list, and what that cost. Started by ``peers.py``.

    python peer_systems.py TASK.json

Runs in whichever environment holds the system, and imports nothing else. TASK names the system, its settings, the
folder of the events and where to write. The fit and the lists are repeated while they are quick, and the least time
counts; every repeat starts from the events, so nothing that an earlier one worked out is read again.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
LISTED = 10
REPEATS, ENOUGH = 3, 40.0
"""A step is repeated so often at most, and not again once it has taken so many seconds in all."""

Lists = tuple[np.ndarray, np.ndarray]
"""``int32[B, 10]`` item numbers, -1 where a list is short, and their scores."""


class Accord:
    """Our own sources by name."""

    packages = ("accord", "numpy", "scipy")

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        from accord.core import catalog
        from accord.core.dataset import Dataset

        self.data = Dataset.load(folder / "dataset")
        kind = catalog.find("sources", settings.pop("kind"))
        self.make = lambda: kind(**settings)

    def fit(self) -> None:
        from dataclasses import replace

        from accord.core.run import Run

        self.data = replace(self.data)  # a copy that has cached nothing
        self.model = None  # sources share what another of the same data holds
        self.model = self.make().fit(self.data, Run())

    def lists(self, users: np.ndarray) -> Lists:
        slate = self.model.offer(self.data.queries(users), LISTED)
        return slate.items, slate.column("score")


class Implicit:
    """The library ``implicit``; ``fold_in`` solves every user's factor from the history, as ours does."""

    packages = ("implicit", "numpy", "scipy")

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        import implicit.nearest_neighbours as neighbours
        from implicit.cpu.als import AlternatingLeastSquares

        self.matrix = _matrix(folder)
        kinds = {"ials": AlternatingLeastSquares}
        kinds |= {"cosine": neighbours.CosineRecommender, "bm25": neighbours.BM25Recommender}
        kind = kinds[settings.pop("kind")]
        self.options = {"recalculate_user": True} if settings.pop("fold_in", False) else {}
        self.matrix.data *= 1 + settings.pop("alpha", 0)
        self.make = lambda: kind(**settings, num_threads=1)

    def fit(self) -> None:
        self.model = self.make()
        self.model.fit(self.matrix, show_progress=False)

    def lists(self, users: np.ndarray) -> Lists:
        return self.model.recommend(users, self.matrix[users], N=LISTED, **self.options)


class RecTools:
    """RecTools' EASE, and its item-kNN, which wraps a fork of ``implicit``.

    ``turned`` transposes EASE's weights after the fit: the ranker multiplies by their transpose.
    """

    packages = ("rectools", "pm-implicit", "numpy", "scipy")

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        import pandas as pd
        from implicit.nearest_neighbours import CosineRecommender
        from rectools import models
        from rectools.dataset import Dataset

        cells = _matrix(folder).tocoo()
        frame = pd.DataFrame({"user_id": cells.row, "item_id": cells.col, "weight": 1.0})
        self.data = Dataset.construct(frame.assign(datetime=pd.Timestamp("2020-01-01")))
        self.turned = settings.pop("turned", False)
        if settings.pop("kind") == "ease":
            self.make = lambda: models.EASEModel(**settings, recommend_n_threads=1)
        else:
            self.make = lambda: models.ImplicitItemKNNWrapperModel(CosineRecommender(**settings, num_threads=1))

    def fit(self) -> None:
        self.model = self.make()
        self.model.fit(self.data)
        if self.turned:
            self.model.weight = np.ascontiguousarray(self.model.weight.T)

    def lists(self, users: np.ndarray) -> Lists:
        found = self.model.recommend(users, self.data, k=LISTED, filter_viewed=True)
        places = np.searchsorted(np.sort(users), found["user_id"].to_numpy())
        rows = np.argsort(users)[places]
        items, scores = _empty(len(users))
        items[rows, found["rank"].to_numpy() - 1] = found["item_id"].to_numpy()
        scores[rows, found["rank"].to_numpy() - 1] = found["score"].to_numpy()
        return items, scores


class LensKit:
    """LensKit's scorers in its standard pipeline of top lists."""

    packages = ("lenskit", "numpy", "scipy", "torch")

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        import pandas as pd
        from lenskit import als
        from lenskit.data import from_interactions_df
        from lenskit.knn import EASEScorer, ItemKNNScorer

        cells = _matrix(folder).tocoo()
        self.data = from_interactions_df(pd.DataFrame({"user_id": cells.row, "item_id": cells.col}))
        kinds = {"ials": als.ImplicitMFScorer, "ease": EASEScorer, "cosine": ItemKNNScorer}
        kind = kinds[settings.pop("kind")]
        self.make = lambda: kind(**settings)

    def fit(self) -> None:
        from lenskit.pipeline import topn_pipeline
        from lenskit.training import TrainingOptions

        self.model = topn_pipeline(self.make(), n=LISTED)
        self.model.train(self.data, TrainingOptions(rng=0))

    def lists(self, users: np.ndarray) -> Lists:
        from lenskit.batch import recommend

        found = recommend(self.model, users.tolist(), LISTED, n_jobs=1)
        items, scores = _empty(len(users))
        for row, user in enumerate(users.tolist()):
            best = found.lookup(user_id=user)
            items[row, : len(best)], scores[row, : len(best)] = best.ids(), best.scores()
        return items, scores


SYSTEMS = {"accord": Accord, "implicit": Implicit, "rectools": RecTools, "lenskit": LensKit}


def main() -> None:
    """Do what the task says; lists go to ``OUT.npz``, figures to ``OUT.json``."""
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder, out = Path(task["folder"]), Path(task["out"])
    users = np.load(folder / "users.npy")[: task["most"]]
    system = SYSTEMS[task["library"]](folder, task["settings"])
    before = peak_mib()
    fit, _ = best_of(system.fit)
    scoring, (items, scores) = best_of(lambda: system.lists(users))
    np.savez(out.with_suffix(".npz"), items=items.astype(np.int32), scores=scores.astype(np.float32))
    figures = {"fit": fit, "scoring": scoring, "users": len(users), "before_mib": before, "peak_mib": peak_mib()}
    figures["versions"] = {name: version(name) for name in system.packages}
    out.with_suffix(".json").write_text(json.dumps(figures), encoding="utf-8")


def best_of(action: Callable[[], T]) -> tuple[dict[str, float], T]:
    """Least wall and least CPU seconds of a few repeats, and what the last one returned."""
    wall: list[float] = []
    cpu: list[float] = []
    while True:
        began, used = time.perf_counter(), time.process_time()
        result = action()
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
        if len(wall) == REPEATS or sum(wall) + wall[-1] > ENOUGH:
            return {"seconds": min(wall), "cpu": min(cpu), "repeats": len(wall)}, result


def peak_mib() -> float:
    """Peak memory of this program; not ``ru_maxrss``, which begins at that of the process that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _matrix(folder: Path) -> Any:
    """``float32[users, items]``, sparse: 1 for each pair."""
    from scipy.sparse import csr_matrix, load_npz

    return csr_matrix(load_npz(folder / "matrix.npz"))


def _empty(n: int) -> Lists:
    return np.full((n, LISTED), -1, np.int32), np.full((n, LISTED), np.nan, np.float32)


if __name__ == "__main__":
    main()
