"""The whole state of a training after an epoch, kept so that a killed one goes on from there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from accord.core.checkpoint import Checkpoint, facts_of, facts_state
from accord.core.part import State, under

if TYPE_CHECKING:
    from accord.learn.loop import Loop


class Snapshot:
    """Writes and reads what a loop needs to go on exactly as if it had never stopped. Arrays and JSON, no pickles."""

    def __init__(self, checkpoint: Checkpoint, name: str, parts: tuple[Any, ...]) -> None:
        self.progress = checkpoint.progress(f"training of {name}", parts)

    def take(self, loop: Loop) -> None:
        """Keep the state after an epoch in place of the one before."""
        if loop.group.rank == 0 and self.progress.wanted:
            self.progress.write(_state(loop))

    def restore(self, loop: Loop) -> None:
        """Go back to the last kept state, where there is one."""
        arrays = self.progress.read()
        if arrays is not None:
            _restore(loop, arrays)

    def drop(self) -> None:
        """The training is over."""
        self.progress.drop()


def _state(loop: Loop) -> State:
    """Everything that changes while a loop runs."""
    facts = {
        "losses": loop.trained.losses,
        "figures": loop.trained.figures,
        "best": loop.trained.best,
        "steps": loop.steps,
        "rng": loop.rng.bit_generator.state,
    }
    tensors = {f"module/{name}": values for name, values in loop.task.module.state_dict().items()}
    tensors |= {f"best/{name}": values for name, values in loop.best.items()}
    tensors |= {f"average/{name}": values for name, values in loop.average.values.items()}
    for place, values in loop.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{place}/{name}": part for name, part in values.items()}
    tensors["random"] = torch.get_rng_state()
    arrays = {name: np.ascontiguousarray(values.detach().cpu().numpy()) for name, values in tensors.items()}
    return {"facts": facts_state(_plain(facts))["json"], **arrays}


def _restore(loop: Loop, arrays: State) -> None:
    facts = facts_of({"json": arrays["facts"]})
    loop.trained.losses, loop.trained.figures = facts["losses"], facts["figures"]
    loop.trained.best, loop.steps = facts["best"], facts["steps"]
    loop.rng.bit_generator.state = facts["rng"]
    loop.task.module.load_state_dict(_tensors(arrays, "module/"))
    loop.best = _tensors(arrays, "best/")
    loop.average.steps = loop.steps
    for name, values in _tensors(arrays, "average/").items():
        loop.average.values[name].copy_(values)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, values in _tensors(arrays, "optimiser/").items():
        place, part = name.split("/")
        state.setdefault(int(place), {})[part] = values
    groups = loop.optimiser.state_dict()["param_groups"]
    loop.optimiser.load_state_dict({"state": state, "param_groups": groups})
    torch.set_rng_state(torch.from_numpy(arrays["random"].copy()))


def _tensors(arrays: State, prefix: str) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(values.copy()) for name, values in under(arrays, prefix).items()}


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(facts))
