"""One system on one set, in a process of its own: how good it is after how long. Started by ``stepwise.py``.

    python stepwise_systems.py TASK.json

Runs in whichever environment holds the library, and imports nothing else. TASK names the library, its settings, the
folder of the events, how long it may train, the length of lists and where to write. The clock runs while it trains,
not while it lists.
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

from peer_systems import peak_mib

Lists = dict[str, np.ndarray]
"""By holdout (``valid``, ``test``): ``int32[B, listed]`` item numbers, -1 where a list is short."""


class Accord:
    """One of our sources, which stops by itself and goes back to its best epoch."""

    packages = ("accord", "torch", "numpy")

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        from accord.core import catalog
        from accord.core.dataset import Dataset

        self.past = {"valid": Dataset.load(folder / "train"), "test": Dataset.load(folder / "refit")}
        self.users = {name: np.load(folder / f"{name}.npy") for name in self.past}
        self.model = catalog.find("sources", settings.pop("kind"))(**settings)

    def train(self) -> Iterator[int]:
        """Train to the end, once."""
        from accord.core.run import Run

        self.model.fit(self.past["valid"], Run(cache=None))
        yield len(self.model.trained.losses)

    def lists(self, length: int) -> Lists:
        """The best items of everybody."""
        return {
            name: self.model.offer(past.queries(self.users[name]), length).items for name, past in self.past.items()
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

    def lists(self, length: int) -> Lists:
        """The best items of everybody who has a history."""
        return {name: self._lists(name, length) for name in self.past}

    def _lists(self, name: str, length: int) -> np.ndarray:
        users = self.users[name]
        items = np.full((len(users), length), -1, np.int32)
        found = self.model.recommend(
            users, self.past[name], k=length, filter_viewed=True, on_unsupported_targets="ignore"
        )
        rows = np.argsort(users)[np.searchsorted(np.sort(users), found["user_id"].to_numpy())]
        items[rows, found["rank"].to_numpy() - 1] = found["item_id"].to_numpy()
        return items


class PyG:
    """LightGCN of PyTorch Geometric, trained as its paper says: BPR with one uniform negative a pair, Adam."""

    packages = ("torch_geometric", "torch", "numpy")

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        import torch
        from torch_geometric.nn import LightGCN

        self.events = {}
        for name, file in (("valid", "train"), ("test", "refit")):
            with np.load(folder / f"{file}.npz") as found:
                self.events[name] = (found["user"].astype(np.int64), found["item"].astype(np.int64))
        self.users = {name: np.load(folder / f"{name}.npy") for name in self.events}
        self.n_users, self.n_items = (1 + int(part.max()) for part in self.events["test"])
        self.every, self.batch, self.decay = settings["every"], settings["batch"], settings["decay"]
        torch.manual_seed(0)
        self.draw = np.random.default_rng(0)
        self.model = LightGCN(self.n_users + self.n_items, settings["dim"], settings["layers"])
        torch.nn.init.normal_(self.model.embedding.weight, std=0.1)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=settings["lr"])

    def _edges(self, name: str) -> Any:
        """``int64[2, 2E]``: every event in both directions; items are numbered after the users."""
        import torch

        users, items = self.events[name]
        there = np.stack([users, items + self.n_users])
        return torch.from_numpy(np.concatenate([there, there[::-1]], axis=1))

    def train(self) -> Iterator[int]:
        """Train ``every`` epochs at a time, as long as more are asked for."""
        edges = self._edges("valid")
        users, items = self.events["valid"]
        met = np.sort(users * self.n_items + items)
        epochs = 0
        while True:
            order = self.draw.permutation(len(users))
            for at in range(0, len(order), self.batch):
                chosen = order[at : at + self.batch]
                self._step(edges, users[chosen], items[chosen], self._strange(users[chosen], met))
            epochs += 1
            if epochs % self.every == 0:
                yield epochs

    def _strange(self, users: np.ndarray, met: np.ndarray) -> np.ndarray:
        """One item for each user that the user has not met."""
        drawn = self.draw.integers(self.n_items, size=len(users))
        while True:
            pairs = users * self.n_items + drawn
            known = np.flatnonzero(met[np.minimum(np.searchsorted(met, pairs), len(met) - 1)] == pairs)
            if not len(known):
                return drawn
            drawn[known] = self.draw.integers(self.n_items, size=len(known))

    def _step(self, edges: Any, users: np.ndarray, liked: np.ndarray, other: np.ndarray) -> None:
        import torch

        ends = np.concatenate([liked, other]) + self.n_users
        asked = torch.from_numpy(np.stack([np.tile(users, 2), ends]))
        good, bad = self.model(edges, asked).chunk(2)
        nodes = torch.cat([asked[0, : len(users)], asked[1]])
        loss = self.model.recommendation_loss(good, bad, node_id=nodes, lambda_reg=self.decay / 2)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def lists(self, length: int) -> Lists:
        """The best items of everybody, by propagation over all that is known by then."""
        return {name: self._lists(name, length) for name in self.events}

    def _lists(self, name: str, length: int) -> np.ndarray:
        import torch

        with torch.no_grad():
            vectors = self.model.get_embedding(self._edges(name)).numpy()
        users, items = self.events[name]
        order = np.argsort(users, kind="stable")
        ends = np.cumsum(np.bincount(users, minlength=self.n_users))
        met, asked = items[order], self.users[name]
        found = np.empty((len(asked), length), np.int32)
        for row, user in enumerate(asked):
            scores = vectors[self.n_users :] @ vectors[user]
            scores[met[ends[user - 1] if user else 0 : ends[user]]] = -np.inf
            best = np.argpartition(-scores, length)[:length]
            found[row] = best[np.argsort(-scores[best], kind="stable")]
        return found


SYSTEMS = {"accord": Accord, "rectools": RecTools, "pyg": PyG}


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
        arrays |= {f"{name}.{len(steps)}": items for name, items in system.lists(task["listed"]).items()}
        steps.append({"epochs": epochs, "seconds": wall, "cpu": cpu})
        versions = {name: version(name) for name in kind.packages}
        figures = {"steps": steps, "peak_mib": peak_mib(), "versions": versions}
        out.with_suffix(".json").write_text(json.dumps(figures), encoding="utf-8")
        np.savez(out.with_suffix(".npz"), **arrays)


if __name__ == "__main__":
    main()
