"""What a sequence model is told of an event beside its item: time, weight, kind and value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from accord.core.arrays import Longs
from accord.core.history import UNKNOWN, History

GAPS = 24
"""Classes of gaps: 0 is no clock or the first event, then doubling from one second."""


def gap_classes(history: History) -> Longs:
    """``int64[N]``: class of the time since the event before in the same row, by its logarithm."""
    gaps = np.diff(history.times, prepend=np.nan)
    gaps[history.offsets[:-1][history.lengths > 0]] = np.nan
    classes = 1 + np.log2(np.maximum(np.nan_to_num(gaps, nan=0.0), 0.0) + 1)
    return np.where(np.isnan(gaps), 0, np.minimum(classes, GAPS - 1)).astype(np.int64)


@dataclass(frozen=True)
class Told:
    """N events, as tensors."""

    gaps: Tensor
    """``int64[N]``: class of the time since the event before; see ``gap_classes``."""
    weights: Tensor
    """``float32[N]``: how much each event counts."""
    kinds: Tensor
    """``int64[N]``: codes of what was done, 0 where it is not known."""
    values: Tensor
    """``float32[N]``, NaN where there is none."""

    @classmethod
    def of(cls, read: History, device: torch.device) -> Told:
        """What histories say of their events."""
        n = len(read.items)
        kinds = np.full(n, UNKNOWN) if read.kinds is None else read.kinds
        values = np.full(n, np.nan, np.float32) if read.values is None else read.values
        arrays = (gap_classes(read), read.weights, kinds.astype(np.int64), values)
        return cls(*(tensor(values, device) for values in arrays))

    def without(self, hidden: Tensor) -> Told:
        """The same, kind and value not told where ``hidden`` (``bool[N]``) is true."""
        kinds = self.kinds.masked_fill(hidden, UNKNOWN)
        return replace(self, kinds=kinds, values=self.values.masked_fill(hidden, torch.nan))

    def blank(self, hidden: Tensor) -> Told:
        """The same, nothing told where ``hidden`` (``bool[N]``) is true, as of an event that is still to come.

        A weight may be made of the kind or the value, so it says as much as they do.
        """
        parts = zip(self._parts, BLANK, strict=True)
        return Told(*(part.masked_fill(hidden, value) for part, value in parts))

    def spread(self, hidden: Tensor) -> Told:
        """With blank events where ``hidden`` is true, these events at the other places."""
        wide = Told(*(part.new_zeros(len(hidden)).masked_scatter(~hidden, part) for part in self._parts))
        return wide.blank(hidden)

    @property
    def _parts(self) -> tuple[Tensor, ...]:
        return self.gaps, self.weights, self.kinds, self.values


BLANK = (0, 1.0, UNKNOWN, torch.nan)
"""Gap, weight, kind and value of an event of which nothing is known."""


def tensor(values: NDArray[Any], device: torch.device) -> Tensor:
    """An array as a tensor on a device."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)
