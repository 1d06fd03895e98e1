"""The last layers of a sentence model, made to learn: by corrections of low rank, or in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from accord.core.arrays import Longs, offsets_of
from accord.core.part import State
from accord.core.run import Run
from accord.encode.neural import SentenceModel, pooled
from accord.encode.pretrained import batches, of_like_length

CORRECTED = ("query", "value")
"""The maps of each attention that are corrected, as in the paper."""
BUDGET = 4096
"""Tokens computed at a time, padding included."""


class LowRank(nn.Module):
    """``x W + b + x A B``: a frozen map and a learned correction (Hu et al., "LoRA", ICLR 2022), at first zero."""

    def __init__(self, frozen: nn.Linear, rank: int) -> None:
        super().__init__()
        self.frozen = frozen
        self.into = nn.Parameter(torch.randn(frozen.in_features, rank) * frozen.in_features**-0.5)
        self.back = nn.Parameter(torch.zeros(rank, frozen.out_features))

    def forward(self, x: Tensor) -> Tensor:
        """``float32[..., in]`` to ``float32[..., out]``."""
        return self.frozen(x) + x @ self.into @ self.back


class LastLayers(nn.Module):
    """What the last layers make of the token vectors below them; everything else of the model stays as it is.

    The layers are those of the model itself, so that the model, when asked, answers as they have learned.
    """

    def __init__(self, model: SentenceModel, layers: int, rank: int) -> None:
        """``rank``: of the corrections; 0: all weights of the layers learn."""
        super().__init__()
        model.requires_grad_(False)
        self.blocks = nn.ModuleList(model.body.encoder.layer[-layers:])
        self.blocks.requires_grad_(not rank)
        for block in self.blocks if rank else ():
            attention = block.get_submodule("attention.self")
            for name in CORRECTED:
                attention.add_module(name, LowRank(cast("nn.Linear", attention.get_submodule(name)), rank))

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """``float32[B, T, dim]`` and ``bool[B, T]`` to unit vectors ``float32[B, dim]``: the mean over the mask."""
        hidden_from = torch.where(mask, 0.0, torch.finfo(hidden.dtype).min)[:, None, None, :]
        for block in self.blocks:
            hidden = block(hidden, hidden_from)
        return pooled(hidden, mask)

    def learned(self) -> State:
        """The weights that learn, by name."""
        return {name: values.detach().cpu().numpy().copy() for name, values in self._learning().items()}

    def load(self, arrays: State) -> None:
        """Put back what ``learned`` gave. Raises ``ValueError`` where names or shapes are others."""
        own = self._learning()
        if {name: values.shape for name, values in own.items()} != {n: tuple(a.shape) for n, a in arrays.items()}:
            raise ValueError("these are weights of other layers, or of another rank")
        with torch.no_grad():
            for name, values in own.items():
                values.copy_(torch.from_numpy(arrays[name]))

    def _learning(self) -> dict[str, nn.Parameter]:
        return {name: values for name, values in self.named_parameters() if values.requires_grad}


class TokenVectors:
    """What the layers below make of each text, worked out once and kept in half precision: ``2 dim`` bytes a token."""

    def __init__(self, model: SentenceModel, layers: int, rows: Sequence[list[int]], device: torch.device, run: Run):
        """``rows``: the tokens of each text, of which there is at least one."""
        self.device = device
        self.lengths = np.array([len(row) for row in rows], np.int64)
        self.offsets = offsets_of(self.lengths)
        self.values = torch.empty(int(self.offsets[-1]), model.body.config.hidden_size, dtype=torch.float16)
        parts = list(batches(rows, BUDGET))
        for taken, ids, mask in run.progress.track(parts, f"tuned: token vectors of {len(rows)} texts", len(parts)):
            given = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
            with torch.inference_mode():
                on_device = {name: values.to(device) for name, values in given.items()}
                layer = model.body(**on_device, output_hidden_states=True).hidden_states[-1 - layers]
            for row, place in enumerate(taken):
                start, end = self.offsets[place : place + 2]
                self.values[start:end] = layer[row, : end - start].half().cpu()

    def batches(self, texts: Longs) -> list[tuple[Longs, Tensor, Tensor]]:
        """Places among ``texts``, padded token vectors ``float32[B, T, dim]`` and mask, in batches of like length."""
        found = list[tuple[Longs, Tensor, Tensor]]()
        lengths = self.lengths[texts]
        for taken in of_like_length(lengths, BUDGET):
            rows = [self.values[self.offsets[text] : self.offsets[text + 1]] for text in texts[taken]]
            hidden = pad_sequence(rows, batch_first=True).float().to(self.device)
            mask = torch.from_numpy(np.arange(hidden.shape[1]) < lengths[taken, None]).to(self.device)
            found.append((taken, hidden, mask))
        return found
