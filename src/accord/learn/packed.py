"""Rows of unequal length without padding: parallel flat tensors with one offsets tensor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from accord.core.arrays import Longs


@dataclass(frozen=True)
class Packed:
    """Where the tokens of ``B`` rows lie in flat tensors ``[N, ...]``, oldest first.

    Everything that works token by token costs no time on padding; what needs whole rows (attention, recurrence) is
    given ``[B, L, ...]`` by ``padded`` and brought back by ``flat``, so no gradient ever comes from padding.
    """

    lengths: Tensor
    """``int64[B]``: at least one token each."""
    longest: int
    """L: the length of the longest row."""

    @classmethod
    def of(cls, lengths: Longs, device: torch.device | str = "cpu") -> Packed:
        """From the lengths of the rows."""
        return cls(torch.from_numpy(lengths).to(device), int(lengths.max(initial=0)))

    @property
    def rows(self) -> Tensor:
        """``int64[N]``: the row of each token."""
        return torch.repeat_interleave(torch.arange(len(self.lengths), device=self.lengths.device), self.lengths)

    @property
    def starts(self) -> Tensor:
        """``int64[B]``: the first token of each row."""
        return self.lengths.cumsum(0) - self.lengths

    @property
    def places(self) -> Tensor:
        """``int64[N]``: the place of each token in its row, 0 the oldest."""
        total = torch.arange(int(self.lengths.sum()), device=self.lengths.device)
        return total - torch.repeat_interleave(self.starts, self.lengths)

    @property
    def newest(self) -> Tensor:
        """``int64[B]``: the last token of each row."""
        return self.lengths.cumsum(0) - 1

    def padded(self, flat: Tensor) -> Tensor:
        """``[N, ...]`` as ``[B, L, ...]``, zero after the end of each row."""
        out = flat.new_zeros((len(self.lengths) * self.longest, *flat.shape[1:]))
        return out.index_copy(0, self._cells, flat).view(len(self.lengths), self.longest, *flat.shape[1:])

    def flat(self, padded: Tensor) -> Tensor:
        """``[B, L, ...]`` as ``[N, ...]``."""
        return padded.reshape(-1, *padded.shape[2:])[self._cells]

    @property
    def _cells(self) -> Tensor:
        return self.rows * self.longest + self.places
