"""What one step of a training leaves to the next, and what came of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from accord.core.checkpoint import facts_of, facts_state
from accord.core.part import State, prefixed, under
from accord.learn.average import Average


@dataclass
class Trained:
    """What came of a training."""

    losses: list[float] = field(default_factory=list[float])
    """Mean loss of each epoch."""
    figures: list[float] = field(default_factory=list[float])
    """Validation figure after each epoch, of the averaged weights where they are averaged."""
    best: int = 0
    """The epoch (from 1) whose weights were kept."""


@dataclass
class Training:
    """A module on its way: all that one step leaves to the next."""

    module: nn.Module
    optimiser: torch.optim.Optimizer
    average: Average
    rng: np.random.Generator
    outcome: Trained = field(default_factory=Trained)
    best: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    """The weights of the best epoch; none before the first figure."""

    def note(self, loss: float, figure: float, weights: dict[str, Tensor]) -> None:
        """An epoch is over that left these weights; they are put aside where they are the best."""
        self.outcome.losses.append(loss)
        if figure > max(self.outcome.figures, default=-np.inf):
            self.outcome.best, self.best = len(self.outcome.losses), weights
        self.outcome.figures.append(figure)

    def state(self) -> State:
        """Arrays that ``load_state`` goes on from exactly as if nothing had been. Arrays and JSON, no pickles."""
        facts = {**vars(self.outcome), "steps": self.average.steps, "rng": self.rng.bit_generator.state}
        arrays = prefixed("module/", _arrays(self.module.state_dict()))
        arrays |= prefixed("best/", _arrays(self.best)) | prefixed("average/", _arrays(self.average.values))
        for place, values in self.optimiser.state_dict()["state"].items():
            arrays |= prefixed(f"optimiser/{place}/", _arrays(values))
        return arrays | self._random() | {"facts": facts_state(facts)["json"]}

    def load_state(self, arrays: State) -> None:
        """Put back what ``state`` gave, torch's own generator included."""
        facts = facts_of({"json": arrays["facts"]})
        self.outcome = Trained(facts["losses"], facts["figures"], facts["best"])
        self.rng.bit_generator.state = facts["rng"]
        self.module.load_state_dict(_tensors(arrays, "module/"))
        self.best = _tensors(arrays, "best/")
        self.average.steps = facts["steps"]
        for name, values in _tensors(arrays, "average/").items():
            self.average.values[name].copy_(values)
        state: dict[int, dict[str, Tensor]] = {}
        for name, values in _tensors(arrays, "optimiser/").items():
            place, part = name.split("/")
            state.setdefault(int(place), {})[part] = values
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        torch.set_rng_state(torch.from_numpy(arrays["random"].copy()))
        if self._gpu is not None and "random.gpu" in arrays:
            torch.cuda.set_rng_state(torch.from_numpy(arrays["random.gpu"].copy()), self._gpu)

    def _random(self) -> State:
        """Where torch's generators stand: what is dropped and hidden is drawn on the device of the module."""
        states = {"random": torch.get_rng_state().numpy()}
        return states if self._gpu is None else states | {"random.gpu": torch.cuda.get_rng_state(self._gpu).numpy()}

    @property
    def _gpu(self) -> torch.device | None:
        device = next(self.module.parameters()).device
        return device if device.type == "cuda" else None


def _arrays(tensors: dict[str, Any]) -> State:
    return {name: np.ascontiguousarray(values.detach().cpu().numpy()) for name, values in tensors.items()}


def _tensors(arrays: State, prefix: str) -> dict[str, Tensor]:
    return {name: torch.from_numpy(values.copy()) for name, values in under(arrays, prefix).items()}
