"""The training loop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from accord.core.parallel import cores
from accord.core.run import Run
from accord.learn.adversary import Adversary
from accord.learn.average import Average
from accord.learn.group import Group
from accord.learn.schedule import warm_cosine
from accord.learn.settings import TrainConfig
from accord.learn.snapshot import Snapshot
from accord.learn.watch import Watch

B = TypeVar("B")


class Task(Protocol[B]):
    """What is trained: a module, its batches, and what it is to get right."""

    @property
    def module(self) -> nn.Module:
        """What has the weights."""
        ...

    def batches(self, rng: np.random.Generator) -> Sequence[B]:
        """One epoch's batches in a new order; made cheaply, filled when asked for."""
        ...

    def loss(self, batch: B, /) -> tuple[Tensor, Tensor]:
        """The sum of the losses of a batch, and the sum of their weights."""
        ...

    def judge(self) -> float:
        """The validation figure of the module as it is; the higher the better. NaN where nothing is held back."""
        ...


@dataclass
class Trained:
    """What came of a training."""

    losses: list[float] = field(default_factory=list[float])
    """Mean loss of each epoch."""
    figures: list[float] = field(default_factory=list[float])
    """Validation figure after each epoch, of the averaged weights where they are averaged."""
    best: int = 0
    """The epoch (from 1) whose weights were kept."""


@contextlib.contextmanager
def first_weights(run: Run) -> Iterator[None]:
    """What torch draws inside is the run's, and nothing outside notices: for the weights a module begins with."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(run.rng("first weights").integers(1 << 62)))
        yield


class Loop:
    """Trains one task from its settings, its data and a seed; what it does depends on nothing else.

    AdamW with warm-up and cosine, clipped gradients, moving average of the weights, early stop at the best epoch. After
    each epoch the whole state is kept where the run keeps steps, so that a killed training goes on. Under ``torchrun``
    each process takes its share of every step's batches, and the gradients are those of one process with all of them.
    """

    def __init__(self, task: Task[Any], config: TrainConfig, run: Run, name: str, parts: tuple[Any, ...]) -> None:
        """``parts``: what the outcome depends on beside configuration and seed, for continuing."""
        self.task, self.config, self.run, self.name = task, config, run, name
        self.group = Group.joined()
        self.rng = run.rng(name)
        self.trained = Trained()
        self.snapshot = Snapshot(run.checkpoint, name, (run.seed, config, *parts))
        self.watch = Watch(run, name)
        trained = [weights for weights in task.module.parameters() if weights.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, lr=config.lr, weight_decay=config.weight_decay)
        self.average = Average(task.module, config.average)
        self.adversary = Adversary(task.module, config.adversarial)
        self.best: dict[str, Tensor] = {}
        self.steps = 0

    def train(self) -> Trained:
        """Train until the end or until nothing gets better; the module then holds the best weights."""
        torch.set_num_threads(cores())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self.rng.integers(1 << 62)))
            self.group.same_weights(self.task.module)
            self.snapshot.restore(self)
            with contextlib.closing(self.watch):
                for epoch in range(len(self.trained.losses), self.config.epochs):
                    if self._patience_is_over():
                        break
                    self._epoch(epoch)
                    self.snapshot.take(self)
        self.task.module.load_state_dict(self.best or self.average.whole())
        self.task.module.eval()
        self.snapshot.drop()
        return self.trained

    def _patience_is_over(self) -> bool:
        done, patience = len(self.trained.losses), self.config.patience
        return patience > 0 and self.trained.best > 0 and done - self.trained.best >= patience

    def _epoch(self, epoch: int) -> None:
        batches = self.task.batches(self.rng)
        steps = list(_grouped(batches, self.config.accumulate * self.group.size))
        factor = warm_cosine(self.config, len(steps) * self.config.epochs)
        self.task.module.train()
        total = weight = 0.0
        text = f"{self.name}: epoch {epoch + 1} of {self.config.epochs}{self.watch.told(self.trained)}"
        for batch in self.run.progress.track(steps, text, len(steps)):
            for group in self.optimiser.param_groups:
                group["lr"] = self.config.lr * factor(self.steps)
            loss, of = self._step(batch)
            total, weight, self.steps = total + loss, weight + of, self.steps + 1
        self.trained.losses.append(total / max(weight, 1e-12))
        self._judge()
        self.watch.note(self.trained)

    def _step(self, batches: Sequence[Any]) -> tuple[float, float]:
        """One step over some batches, of which this process takes its share; the summed loss and weight of all."""
        self.optimiser.zero_grad(set_to_none=True)
        total = weight = 0.0
        for batch in batches[self.group.rank :: self.group.size]:
            with self._half():
                loss, of = self.task.loss(batch)
            loss.backward()
            with self._half():
                self.adversary.add_gradient(lambda batch=batch: self.task.loss(batch)[0])
            total, weight = total + float(loss.detach()), weight + float(of)
        total, weight = self.group.summed(self.task.module, total, weight)
        for weights in self.task.module.parameters():
            if weights.grad is not None:
                weights.grad /= max(weight, 1e-12) * self.adversary.share
        nn.utils.clip_grad_norm_(self.task.module.parameters(), self.config.clip)
        self.optimiser.step()
        self.average.update()
        return total, weight

    def _half(self) -> contextlib.AbstractContextManager[Any]:
        device = next(self.task.module.parameters()).device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.config.precision == "bfloat16")

    def _judge(self) -> None:
        """The validation figure of what would be kept; the best is put aside."""
        own = {name: values.clone() for name, values in self.task.module.state_dict().items()}
        kept = {name: values.clone() for name, values in self.average.whole().items()}
        self.task.module.load_state_dict(kept)
        self.task.module.eval()
        with torch.no_grad():
            figure = self.task.judge()
        self.trained.figures.append(figure)
        if figure > max(self.trained.figures[:-1], default=-np.inf):
            self.trained.best = len(self.trained.figures)
            self.best = kept
        self.task.module.load_state_dict(own)


def _grouped(batches: Sequence[B], size: int) -> Iterator[Sequence[B]]:
    for start in range(0, len(batches), size):
        yield batches[start : start + size]
