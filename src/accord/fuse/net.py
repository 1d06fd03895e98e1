"""What the networks of learned fusers share: lists as tensors, and standard inputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from accord.core.arrays import Bools, Floats
from accord.fuse.sheet import OF_QUERIES, Sheet, width_of

TINY = 1e-6
"""Inputs that vary less than this are constant."""


@dataclass(frozen=True, slots=True)
class Text:
    """One fixed space of a batch: every item once."""

    users: Tensor
    """``float32[B, d]``."""
    table: Tensor
    """``float32[m, d]``: the items of the batch."""
    index: Tensor
    """``int64[B, P]``: the row of each place in the table."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A sheet as tensors, and the weights that the fusion starts from."""

    scores: Tensor
    places: Tensor
    queries: Tensor
    tops: Tensor
    weights: Tensor
    """``float32[S]``."""
    heard: Tensor
    """``bool[S]``: the sources that the network knows."""
    texts: dict[str, Text]

    @classmethod
    def of(cls, sheet: Sheet, weights: Floats, heard: Bools) -> Batch:
        """The whole sheet."""
        numbers, index = np.unique(np.maximum(sheet.items, 0), return_inverse=True)
        texts = {
            name: Text(*map(tensor_of, (space.users, space.items[numbers], index.reshape(sheet.items.shape))))
            for name, space in sheet.spaces.items()
        }
        scores, places, queries, tops = map(tensor_of, (sheet.scores, sheet.places, sheet.queries, sheet.tops))
        return cls(scores, places, queries, tops, tensor_of(weights), tensor_of(heard), texts)


def tensor_of(values: np.ndarray[Any, Any]) -> Tensor:
    """The array as a tensor, in its own memory where that may be written to."""
    return torch.from_numpy(np.require(values, requirements=["C", "W"]))


class Net(nn.Module, ABC):
    """A correction of the weighted sum, zero until it is trained.

    ``forward`` gives ``float32[B, P, S]`` (what is added to each source's part) or ``float32[B, P, 1]`` (what belongs
    to no source), in the unit of the weighted sum, and a penalty.
    """

    by_source: ClassVar[tuple[str, ...]] = ()
    """Parameters whose first axis is the sources."""

    def __init__(self, config: Any, dims: dict[str, int], circumstances: int = 0) -> None:
        """``dims``: the width of each fixed space that is read; ``circumstances``: how many numbers tell those."""
        super().__init__()
        self.asked = len(OF_QUERIES) + circumstances
        """How many numbers ``queries`` has."""
        self.config, self.dims = config, dims
        n, places = len(config.sources), width_of(config.vectors)
        self.log_sharpness = nn.Parameter(torch.zeros(()))
        """Log of what makes log odds of scores; used in training alone."""
        for name, size in (("place", places), ("query", self.asked), ("top", n)):
            self.register_buffer(f"{name}_centre", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))

    @abstractmethod
    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The correction, and what is added to the loss of each list."""

    def look_at(self, sheet: Sheet) -> None:
        """Remember mean and spread of the inputs; one that is always the same says nothing."""
        seen = {"place": sheet.places[sheet.warm], "query": sheet.queries, "top": np.arcsinh(sheet.tops)}
        for name, values in seen.items():
            spread = values.std(axis=0)
            self.get_buffer(f"{name}_centre").copy_(tensor_of(values.mean(axis=0)))
            self.get_buffer(f"{name}_scale").copy_(tensor_of(np.where(spread > TINY, spread, np.float32(np.inf))))

    def context(self, batch: Batch) -> Tensor:
        """``float32[B, P, C]``: standard inputs of places and queries."""
        places = (batch.places - self.get_buffer("place_centre")) / self.get_buffer("place_scale")
        queries = self.queries(batch)[:, None].expand(*places.shape[:2], -1)
        return torch.cat([places, queries], dim=2)

    def queries(self, batch: Batch) -> Tensor:
        """``float32[B, Q]``: standard inputs of queries."""
        return (batch.queries - self.get_buffer("query_centre")) / self.get_buffer("query_scale")

    def tops(self, batch: Batch) -> Tensor:
        """``float32[B, S]``: standard inputs of sources."""
        return (torch.asinh(batch.tops) - self.get_buffer("top_centre")) / self.get_buffer("top_scale") * batch.heard

    @property
    def width(self) -> int:
        """How many numbers ``context`` has."""
        return width_of(self.config.vectors) + self.asked


def random(*shape: int, std: float) -> nn.Parameter:
    """A parameter to begin with."""
    return nn.Parameter(std * torch.randn(*shape))


def zeros(*shape: int) -> nn.Parameter:
    """A parameter that says nothing yet."""
    return nn.Parameter(torch.zeros(*shape))
