"""Training a learned fuser: what came up against the other places of its list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from accord.core.arrays import Bools, Floats, Longs
from accord.core.checkpoint import Checkpoint
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.fuse.net import Batch, Net, tensor_of
from accord.fuse.sheet import Sheet
from accord.learn.loop import Loop
from accord.learn.settings import TrainConfig
from accord.learn.training import Trained

HELD = 0.2
"""The share of lists that the training is stopped by."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """Lists of some places each, which stand for all."""

    sheet: Sheet
    base: Floats
    """``float32[B, P]``: the weighted sum."""
    offset: Floats
    """``float32[B, P]``: log of how many places each stands for; ``-inf`` at empty ones."""
    shares: Floats
    """``float32[B, P]``: 1 at the places of true items, divided by how many the list has."""

    @classmethod
    def drawn(cls, sheet: Sheet, base: Floats, hit: Floats, most: int, rng: np.random.Generator) -> Lessons:
        """At most ``most`` places a list: all true ones, the best others by the weighted sum, and random ones.

        The random ones count for all that were not drawn, so that the sum over the places is right in the mean.
        """
        filled, true = sheet.filled, hit > 0
        most = min(most, filled.shape[1])
        order = np.argsort(np.where(filled & ~true, -base, np.inf), axis=1, kind="stable")
        rank = np.empty(order.shape, np.int64)
        np.put_along_axis(rank, order, np.arange(order.shape[1])[None], axis=1)
        best = filled & ~true & (rank < most // 2)
        lots = np.where(true, 3.0, np.where(best, 2.0, np.where(filled, rng.random(filled.shape), -1.0)))
        places = np.argsort(-lots, axis=1, kind="stable")[:, :most]
        taken = np.take_along_axis(filled & ~true & ~best, places, axis=1)
        others = (filled & ~true & ~best).sum(axis=1, keepdims=True)
        each = np.log(np.maximum(others, 1) / np.maximum(taken.sum(axis=1, keepdims=True), 1))
        there = np.take_along_axis(filled, places, axis=1)
        offset = np.where(there, np.where(taken, each, 0), -np.inf).astype(np.float32)
        own = np.take_along_axis(hit, places, axis=1)
        shares = own / np.maximum(own.sum(axis=1, keepdims=True), 1)
        return cls(sheet.take(places), np.take_along_axis(base, places, axis=1), offset, shares.astype(np.float32))

    def rows(self, rows: Longs) -> Lessons:
        """Some of the lists."""
        return Lessons(self.sheet.rows(rows), self.base[rows], self.offset[rows], self.shares[rows])


class Listwise:
    """The task: a softmax over the places of a list gives the true ones their due (ListNet: Cao et al., ICML 2007)."""

    def __init__(self, net: Net, lessons: Lessons, held: Bools, weights: Floats, heard: Bools, batch: int) -> None:
        """``held``: ``bool[B]``, the lists that judge."""
        self.module, self.weights, self.heard, self.batch = net, weights, heard, batch
        self.lessons, self.taught = lessons, np.flatnonzero(~held)
        self.judging = lessons.rows(np.flatnonzero(held))

    def batches(self, rng: np.random.Generator) -> Sequence[Longs]:
        """The lists of each batch."""
        order = rng.permutation(self.taught)
        return [order[at : at + self.batch] for at in range(0, len(order), self.batch)]

    def loss(self, rows: Longs) -> tuple[Tensor, Tensor]:
        """The sum of the losses of some lists, and their number."""
        return self._loss(self.lessons.rows(rows))

    def judge(self) -> float:
        """The mean log-likelihood of what came up in the lists held back."""
        parts = [self._loss(self.judging.rows(rows)) for rows in np.array_split(np.arange(len(self.judging.base)), 4)]
        return -float(sum(float(loss) for loss, _ in parts)) / max(1, len(self.judging.base))

    def _loss(self, lessons: Lessons) -> tuple[Tensor, Tensor]:
        sheet = lessons.sheet
        out, penalty = self.module(Batch.of(sheet, self.weights, self.heard))
        base, offset, shares, warm = map(tensor_of, (lessons.base, lessons.offset, lessons.shares, sheet.warm))
        logits = self.module.log_sharpness.exp() * (base + warm * out.sum(dim=2)) + offset
        logs = torch.log_softmax(logits, dim=1).masked_fill(offset.isneginf(), 0)
        return -(shares * logs).sum() + penalty * len(logs), torch.tensor(float(len(logs)))


def train(task: Listwise, settings: TrainConfig, run: Run, name: str) -> Trained | None:
    """Train the network; None where no epoch judged better than the weighted sum alone, which it then still is.

    It takes seconds, so nothing of it is kept for a killed job.
    """
    start = {key: values.clone() for key, values in task.module.state_dict().items()}
    task.module.eval()
    with torch.no_grad():
        before = task.judge()
    alone = replace(run, checkpoint=Checkpoint(), track=None, device="cpu")
    try:
        trained = Loop(task, settings, alone, name, ()).train()
    except CannotFit:  # it diverged
        trained = None
    if trained is None or not max(trained.figures) > before:
        task.module.load_state_dict(start)
        return None
    return trained
