"""What the attention of a network took in, noted while it reads."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from accord.core.arrays import Bools, Floats
from accord.core.history import History
from accord.models.bodies import Attention


@contextmanager
def noting(network: nn.Module) -> Generator[list[Tensor]]:
    """At each pass within, the shares of the newest event of each row in the last block of attention.

    ``float32[B, L]``, means over heads. Nothing is noted where the network has no attention that weighs by shares.
    """
    noted = list[Tensor]()

    def note(attention: nn.Module, given: tuple[Any, ...], _heard: Tensor) -> None:
        if isinstance(attention, Attention):
            noted.append(attention.newest(*given))

    blocks = [module for module in network.modules() if isinstance(module, Attention)]
    handles = [block.register_forward_hook(note) for block in blocks[-1:]]
    try:
        yield noted
    finally:
        for handle in handles:
            handle.remove()


def by_event(noted: Sequence[Tensor], history: History, read: Bools) -> Floats:
    """``float32[B, H]``: the share of each event (padded to the longest, H); 0 for events that were not read.

    ``noted``: the shares of each pass, together one row a history of which anything was read; ``read``: ``bool[N]``.
    """
    longest = max(shares.shape[1] for shares in noted)
    every = torch.cat([functional.pad(shares, (0, longest - shares.shape[1])) for shares in noted]).numpy()
    out = np.zeros((len(history), int(history.lengths.max(initial=0))), np.float32)
    cells = np.flatnonzero(read)
    rows = history.rows[cells]
    lengths = np.bincount(rows, minlength=len(history))
    place = np.arange(len(cells)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    row = np.repeat(np.arange(np.count_nonzero(lengths)), lengths[lengths > 0])
    out[rows, cells - history.offsets[rows]] = every[row, place]
    return out
