"""The part of a sequence model that reads: what is known of each event, the body, and the state after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from accord.core.arrays import Floats, Ints, Longs
from accord.core.history import UNKNOWN
from accord.core.part import State
from accord.learn.packed import Packed
from accord.models.bodies import body_of
from accord.models.told import GAPS, Told

LEAST = 5
"""A kind of event that came up less often at the fit is read as one that is not known."""
FAR = 5.0
"""Values further from the mean, in standard deviations, are read as that far."""


@dataclass(frozen=True)
class Known:
    """What the log told at the fit, and so what is read."""

    kinds: Longs
    """``int64[K]``, ascending: codes of the kinds of events; none: kinds are not read."""
    scale: Floats | None
    """``float32[2]``: mean and spread of the values; None: values are not read."""
    classes: tuple[int, ...] = ()
    """How many classes each circumstance has; see ``Features.sizes``."""

    @classmethod
    def of(cls, kinds: Ints | None, values: Floats | None, classes: tuple[int, ...]) -> Known:
        """From all events; None: not to be read."""
        codes, counts = np.unique(np.empty(0, np.int64) if kinds is None else kinds, return_counts=True)
        codes = codes[(counts >= LEAST) & (codes != UNKNOWN)].astype(np.int64)
        return cls(codes, None if values is None else scale_of(values), classes)

    @classmethod
    def of_state(cls, arrays: State, classes: tuple[int, ...]) -> Known:
        """From the saved arrays of a reader; what earlier versions did not read is not there."""
        return cls(arrays.get("kinds.codes", np.empty(0, np.int64)), arrays.get("values.scale"), classes)

    @property
    def of_events(self) -> bool:
        """Whether kinds or values are read."""
        return bool(len(self.kinds)) or self.scale is not None


def scale_of(values: Floats) -> Floats | None:
    """``float32[2]``: mean and spread of the values there are; None where no two of them differ."""
    some = values[~np.isnan(values)].astype(np.float64)
    return np.array([some.mean(), some.std()], np.float32) if len(some) and np.ptp(some) > 0 else None


class Kinds(nn.Module):
    """A vector a kind; kinds that were rare or absent at the fit, and none, share one."""

    codes: Tensor

    def __init__(self, codes: Longs, dim: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.from_numpy(codes.copy()))
        self.rows = nn.Embedding(len(codes) + 1, dim)
        nn.init.normal_(self.rows.weight, std=0.02)

    def forward(self, kinds: Tensor) -> Tensor:
        """``int64[N]`` to ``float32[N, dim]``."""
        at = torch.searchsorted(self.codes, kinds).clamp(max=len(self.codes) - 1)
        return self.rows(torch.where(self.codes[at] == kinds, at + 1, 0))


class Values(nn.Module):
    """A direction along which standardised values lie, and a vector for none."""

    scale: Tensor

    def __init__(self, scale: Floats, dim: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.from_numpy(scale.copy()))
        self.along, self.none = nn.Parameter(torch.zeros(dim)), nn.Parameter(torch.zeros(dim))

    def forward(self, values: Tensor) -> Tensor:
        """``float32[N]`` to ``float32[N, dim]``."""
        far = ((values - self.scale[0]) / self.scale[1]).clamp(-FAR, FAR)
        missing = far.isnan()
        return far.masked_fill(missing, 0.0)[:, None] * self.along + missing[:, None] * self.none


class Reader(nn.Module):
    """Vectors of the items of a history, and what is told of the events, to one state an event."""

    def __init__(self, config: Any, known: Known) -> None:
        super().__init__()
        dim = config.dim
        self.masked = config.mode == "masked"
        self.gaps = nn.Embedding(GAPS, dim, padding_idx=0) if config.gaps else None
        self.weight = nn.Parameter(torch.zeros(dim))
        self.before, self.after = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)
        self.body = body_of(config, causal=not self.masked)
        self.unknown = nn.Parameter(torch.randn(dim) * dim**-0.5) if self.masked else None
        """What stands where an item is hidden."""
        if self.gaps is not None:
            nn.init.normal_(self.gaps.weight, std=0.02)
        self.kinds = Kinds(known.kinds, dim) if len(known.kinds) else None
        self.values = Values(known.scale, dim) if known.scale is not None else None
        self.context = nn.ModuleList(nn.Embedding(size, 2 * dim) for size in known.classes)
        for table in self.context.parameters():
            nn.init.normal_(table, std=0.02)

    @property
    def reads_told(self) -> bool:
        """Whether kinds or values are read."""
        return self.kinds is not None or self.values is not None

    def forward(self, vectors: Tensor, told: Told, packed: Packed, hidden: Tensor | None = None) -> Tensor:
        """States ``float32[N, dim]``; ``hidden``: ``bool[N]``, events of which nothing is told but that they are."""
        if hidden is not None and self.unknown is not None:
            vectors, told = torch.where(hidden[:, None], self.unknown, vectors), told.blank(hidden)
        counted = told.weights.sign() * told.weights.abs().log1p() - np.log(2)  # 0 for the plain weight of 1
        read = self.before(vectors) + counted[:, None] * self.weight
        if self.gaps is not None:
            read = read + self.gaps(told.gaps)
        if self.kinds is not None:
            read = read + self.kinds(told.kinds)
        if self.values is not None:
            read = read + self.values(told.values)
        return self.after(self.body(self.dropout(read), packed))

    def asking(self, states: Tensor, classes: Tensor) -> Tensor:
        """States ``float32[N, dim]`` in the circumstances of what is asked for, ``int64[N, F]``.

        Each stretches and shifts them (Perez et al., "FiLM", AAAI 2018): a sum alone would say the same of everybody.
        """
        for place, table in enumerate(self.context):
            stretch, shift = table(classes[:, place]).chunk(2, dim=1)
            states = states * (1 + stretch) + shift
        return states

    def last(self, vectors: Tensor, told: Told, packed: Packed) -> Tensor:
        """The state of what comes next: ``float32[B, dim]``."""
        if not self.masked:
            return self(vectors, told, packed)[packed.newest]
        longer = Packed(packed.lengths + 1, packed.longest + 1)
        hidden = torch.zeros(int(longer.lengths.sum()), dtype=torch.bool, device=vectors.device)
        hidden[longer.newest] = True
        wide = vectors.new_zeros((len(hidden), vectors.shape[1]))
        wide[~hidden] = vectors
        return self(wide, told.spread(hidden), longer, hidden)[longer.newest]
