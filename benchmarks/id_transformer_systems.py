"""A transformer of ids on one set, in a process of its own: how good it is after how long.

Started by ``id_transformers.py``:

    python id_transformer_systems.py TASK.json

Runs in whichever environment holds the library, and imports nothing else. TASK names the library, its settings, the
folder of the events, how long it may train and where to write. The clock runs while it trains, not while it lists.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from peer_systems import LISTED, peak_mib

Lists = dict[str, np.ndarray]
"""By holdout (``valid``, ``test``): ``int32[B, 10]`` item numbers, -1 where a list is short."""


class Accord:
    """Our ``sequential``, which stops by itself and goes back to its best epoch."""

    packages = ("accord", "torch", "numpy")

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        from accord.core.dataset import Dataset
        from accord.models.sequential import Sequential

        self.past = {"valid": Dataset.load(folder / "train"), "test": Dataset.load(folder / "refit")}
        self.users = {name: np.load(folder / f"{name}.npy") for name in self.past}
        self.model = Sequential(**settings)

    def train(self) -> Iterator[int]:
        """Train to the end, once."""
        from accord.core.run import Run

        self.model.fit(self.past["valid"], Run(cache=None))
        yield len(self.model.trained.losses)

    def lists(self) -> Lists:
        """The best items of everybody."""
        return {
            name: self.model.offer(past.queries(self.users[name]), LISTED).items for name, past in self.past.items()
        }


class RecTools:
    """RecTools' SASRec, some epochs at a time."""

    packages = ("rectools", "torch", "pytorch-lightning", "numpy")

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        import pandas as pd
        from rectools.dataset import Dataset
        from rectools.models import SASRecModel

        self.past = {}
        for name, file in (("valid", "train"), ("test", "refit")):
            with np.load(folder / f"{file}.npz") as events:
                moments = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(len(events["user"])), unit="s")
                frame = {"user_id": events["user"], "item_id": events["item"], "weight": 1.0, "datetime": moments}
            self.past[name] = Dataset.construct(pd.DataFrame(frame))
        self.users = {name: np.load(folder / f"{name}.npy") for name in self.past}
        self.every = settings.pop("every")
        self.model = SASRecModel(**settings, deterministic=True)

    def train(self) -> Iterator[int]:
        """Train ``every`` epochs at a time, as long as more are asked for."""
        from pytorch_lightning import seed_everything

        seed_everything(0)
        epochs = 0
        while True:
            self.model.fit_partial(self.past["valid"], min_epochs=self.every, max_epochs=self.every)
            epochs += self.every
            yield epochs

    def lists(self) -> Lists:
        """The best items of everybody who has a history."""
        return {name: self._lists(name) for name in self.past}

    def _lists(self, name: str) -> np.ndarray:
        users = self.users[name]
        items = np.full((len(users), LISTED), -1, np.int32)
        found = self.model.recommend(
            users, self.past[name], k=LISTED, filter_viewed=True, on_unsupported_targets="ignore"
        )
        rows = np.argsort(users)[np.searchsorted(np.sort(users), found["user_id"].to_numpy())]
        items[rows, found["rank"].to_numpy() - 1] = found["item_id"].to_numpy()
        return items


SYSTEMS = {"accord": Accord, "rectools": RecTools}


def main() -> None:
    """Do what the task says; figures go to ``OUT.json`` and lists to ``OUT.npz`` after every step."""
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    out = Path(task["out"])
    kind = SYSTEMS[task["library"]]
    system = kind(Path(task["folder"]), task["settings"])
    steps: list[dict[str, float]] = []
    arrays: Lists = {}
    training = system.train()
    wall, cpu = 0.0, 0.0
    while wall < 60 * task["minutes"]:
        began, used = time.perf_counter(), time.process_time()
        epochs = next(training, None)
        if epochs is None:
            break
        wall, cpu = wall + time.perf_counter() - began, cpu + time.process_time() - used
        arrays |= {f"{name}.{len(steps)}": items for name, items in system.lists().items()}
        steps.append({"epochs": epochs, "seconds": wall, "cpu": cpu})
        versions = {name: version(name) for name in kind.packages}
        figures = {"steps": steps, "peak_mib": peak_mib(), "versions": versions}
        out.with_suffix(".json").write_text(json.dumps(figures), encoding="utf-8")
        np.savez(out.with_suffix(".npz"), **arrays)


if __name__ == "__main__":
    main()
