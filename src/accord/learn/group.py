"""Several processes that train one model together, started by ``torchrun``."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import distributed as dist
from torch import nn

from accord.core.errors import InputError


@dataclass(frozen=True)
class Group:
    """This process among those that train together; alone where nobody started others.

    Gradients are added up over the processes after each step's share of batches, so that the step is that of one
    process with all of them. Random numbers for batches are drawn alike everywhere.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> Group:
        """The group that ``torchrun`` has set up, joined at the first call; else a group of one."""
        if int(os.environ.get("WORLD_SIZE", "1")) < 2 or not dist.is_available():
            return cls()
        if not dist.is_initialized():
            dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    def same_weights(self, module: nn.Module) -> None:
        """Everybody begins with the weights of the first process."""
        if self.size > 1:
            for values in module.state_dict().values():
                dist.broadcast(values, 0)

    def summed(self, module: nn.Module, *totals: float) -> tuple[float, ...]:
        """Add up the gradients of all processes in place, and some totals."""
        if self.size == 1:
            return totals
        learned = [weights for weights in module.parameters() if weights.requires_grad]
        gradients = [torch.zeros_like(weights) if weights.grad is None else weights.grad for weights in learned]
        told = torch.tensor(totals, dtype=torch.float64, device=learned[0].device)
        for values in (*gradients, told):
            dist.all_reduce(values)
        for weights, gradient in zip(learned, gradients, strict=True):
            weights.grad = gradient
        return tuple(told.tolist())

    def first_says(self, value: float) -> float:
        """What the first process found, so that all decide alike where their figures differ in the last digit."""
        if self.size == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(told, 0)
        return float(told)


def leave() -> None:
    """Wait for the others and part, so that nobody talks to one who has gone; does nothing for one alone."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def device_of(wanted: str) -> torch.device:
    """The device a run asks for; ``auto``: a GPU where there is one, else the CPU.

    ``cuda`` is the process's own GPU where ``torchrun`` started several. Raises ``InputError`` where there is no such
    device.
    """
    remedy = "Use auto, cpu, or cuda where there is a GPU and torch was built for it."
    try:
        device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted)
    except RuntimeError:
        raise InputError("no such device", place="device", value=wanted, remedy=remedy) from None
    if device.type != "cuda":
        return device
    if not torch.cuda.is_available():
        raise InputError("there is no GPU that torch can use", place="device", value=wanted, remedy=remedy)
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index)
    torch.cuda.set_device(device)
    return device
