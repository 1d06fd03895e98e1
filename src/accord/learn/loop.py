"""The training loop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from accord.core.errors import CannotFit
from accord.core.parallel import cores
from accord.core.run import Run
from accord.learn.adversary import Adversary
from accord.learn.average import Average
from accord.learn.group import Group
from accord.learn.schedule import warm_cosine
from accord.learn.settings import TrainConfig
from accord.learn.training import Trained, Training
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


@contextlib.contextmanager
def first_weights(run: Run) -> Iterator[None]:
    """What torch draws inside is the run's, and nothing outside notices: for the weights a module begins with."""
    with _seeded(run.rng("first weights")):
        yield


@contextlib.contextmanager
def _seeded(rng: np.random.Generator) -> Iterator[None]:
    """torch's own generators, that of the GPU in use among them, begin anew inside and are as before afterwards."""
    gpus = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(int(rng.integers(1 << 62)))
        yield


class Loop:
    """Trains one task from its settings, its data and a seed; what it does depends on nothing else.

    AdamW with warm-up and cosine, clipped gradients, moving average of the weights, early stop at the best epoch. A
    step whose gradient is not finite is left out. After each epoch the whole state is kept where the run keeps steps,
    so that a killed training goes on. Under ``torchrun`` each process takes its share of every step's batches, and the
    gradients are those of one process with all of them.
    """

    def __init__(self, task: Task[Any], config: TrainConfig, run: Run, name: str, parts: tuple[Any, ...]) -> None:
        """``parts``: what the outcome depends on beside configuration and seed, for continuing."""
        self.task, self.config, self.run, self.name = task, config, run, name
        self.group = Group.joined()
        self.watch = Watch(run, name)
        self.kept = run.checkpoint.progress(f"training of {name}", (run.seed, config, *parts))
        trained = [weights for weights in task.module.parameters() if weights.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=config.lr, weight_decay=config.weight_decay)
        self.training = Training(task.module, optimiser, Average(task.module, config.average), run.rng(name))
        self.adversary = Adversary(task.module, config.adversarial)

    def train(self) -> Trained:
        """Train until the end or until nothing gets better; the module then holds the best weights.

        Raises ``CannotFit`` after an epoch without a finite gradient.
        """
        torch.set_num_threads(cores())
        training = self.training
        with _seeded(training.rng):
            self.group.same_weights(training.module)
            self._go_on()
            with contextlib.closing(self.watch):
                for epoch in range(len(training.outcome.losses), self.config.epochs):
                    if self._patience_is_over():
                        break
                    self._epoch(epoch)
                    self._keep()
        training.module.load_state_dict(training.best or training.average.whole())
        training.module.eval()
        self.kept.drop()
        return training.outcome

    def _go_on(self) -> None:
        """Go back to the last state that was kept, where there is one."""
        arrays = self.kept.read()
        if arrays is not None:
            self.training.load_state(arrays)

    def _keep(self) -> None:
        """Keep the state after an epoch in place of the one before."""
        if self.group.rank == 0 and self.kept.wanted:
            self.kept.write(self.training.state())

    def _patience_is_over(self) -> bool:
        outcome, patience = self.training.outcome, self.config.patience
        return patience > 0 and outcome.best > 0 and len(outcome.losses) - outcome.best >= patience

    def _epoch(self, epoch: int) -> None:
        training = self.training
        batches = self.task.batches(training.rng)
        steps = list(_grouped(batches, self.config.accumulate * self.group.size))
        factor = warm_cosine(self.config, len(steps) * self.config.epochs)
        training.module.train()
        total = weight = taken = 0.0
        text = f"{self.name}: epoch {epoch + 1} of {self.config.epochs}{self.watch.told(training.outcome)}"
        for batch in self.run.progress.track(steps, text, len(steps)):
            for group in training.optimiser.param_groups:
                group["lr"] = self.config.lr * factor(training.average.steps)
            step = self._step(batch)
            if step is not None:
                total, weight, taken = total + step[0], weight + step[1], taken + 1
        if steps and not taken:
            remedy = "Lower lr or clip, or train in float32."
            raise CannotFit("the training diverged: no gradient is finite", value=f"epoch {epoch + 1}", remedy=remedy)
        self._judge(total / max(weight, 1e-12))
        self.watch.note(training.outcome)

    def _step(self, batches: Sequence[Any]) -> tuple[float, float] | None:
        """One step over some batches, of which this process takes its share; the summed loss and weight of all.

        None where the gradient is not finite; then nothing has changed.
        """
        training, module = self.training, self.training.module
        training.optimiser.zero_grad(set_to_none=True)
        total = weight = 0.0
        for batch in batches[self.group.rank :: self.group.size]:
            with self._half():
                loss, of = self.task.loss(batch)
            before = self.adversary.gradients()
            loss.backward()
            with self._half():
                self.adversary.add_gradient(lambda batch=batch: self.task.loss(batch)[0], before)
            total, weight = total + float(loss.detach()), weight + float(of)
        total, weight = self.group.summed(module, total, weight)
        for weights in module.parameters():
            if weights.grad is not None:
                weights.grad /= max(weight, 1e-12) * self.adversary.share
        if not torch.isfinite(nn.utils.clip_grad_norm_(module.parameters(), self.config.clip)):
            return None
        training.optimiser.step()
        training.average.update()
        return total, weight

    def _half(self) -> contextlib.AbstractContextManager[Any]:
        device = next(self.training.module.parameters()).device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.config.precision == "bfloat16")

    def _judge(self, loss: float) -> None:
        """Note the loss of an epoch, and the validation figure of what would be kept."""
        training, module = self.training, self.training.module
        own = {name: values.clone() for name, values in module.state_dict().items()}
        averaged = {name: values.clone() for name, values in training.average.whole().items()}
        module.load_state_dict(averaged)
        module.eval()
        with torch.no_grad():
            figure = self.group.first_says(self.task.judge())
        training.note(loss, figure, averaged)
        module.load_state_dict(own)


def _grouped(batches: Sequence[B], size: int) -> Iterator[Sequence[B]]:
    for start in range(0, len(batches), size):
        yield batches[start : start + size]
