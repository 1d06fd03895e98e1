"""What reads a sequence of vectors: attention, gated attention, recurrence or convolution, each in the same place."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

from accord.learn.packed import Packed

Kind: TypeAlias = Literal["transformer", "gated", "gru", "caser"]
Positions: TypeAlias = Literal["relative", "rotary", "learned", "none"]


class Attention(nn.Module):
    """Multi-head attention over what came before (or, unmasked, over all), with a bias by distance or turned vectors.

    Relative bias: Shaw et al. 2018 in the form of T5; rotary: Su et al., "RoFormer", 2021.
    """

    def __init__(self, dim: int, heads: int, dropout: float, positions: Positions, longest: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.dropout, self.positions, self.causal, self.longest = heads, dropout, positions, causal, longest
        self.read, self.write = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        if positions == "relative":
            self.bias = nn.Parameter(torch.zeros(2 * longest - 1, heads))

    def forward(self, flat: Tensor, packed: Packed) -> Tensor:
        """``[N, dim]`` to ``[N, dim]``."""
        query, key, value = self._heads(flat, packed)
        drop = self.dropout if self.training else 0.0
        heard = scaled_dot_product_attention(query, key, value, self._mask(packed, query), dropout_p=drop)
        return self.write(packed.flat(heard.transpose(1, 2).flatten(2)))

    def newest(self, flat: Tensor, packed: Packed) -> Tensor:
        """``float32[B, L]``: the share of each event in what the newest of its row takes in, as a mean over heads."""
        query, key, _ = self._heads(flat, packed)
        rows, last = torch.arange(len(query), device=flat.device), packed.lengths - 1
        logits = (key @ query[rows, :, last, :, None])[..., 0] * query.shape[-1] ** -0.5
        mask = self._mask(packed, query)
        return (logits + mask.expand(len(rows), -1, -1, -1)[rows, :, last]).softmax(dim=-1).mean(dim=1)

    def _heads(self, flat: Tensor, packed: Packed) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values ``[B, heads, L, width]``."""
        read = packed.padded(self.read(flat))
        rows, length, width = read.shape
        query, key, value = read.view(rows, length, 3, self.heads, width // 3 // self.heads).permute(2, 0, 3, 1, 4)
        return (turned(query), turned(key), value) if self.positions == "rotary" else (query, key, value)

    def _mask(self, packed: Packed, like: Tensor) -> Tensor:
        """``float[B or 1, heads or 1, L, L]``, added to the logits. Padding ends a row, so the past never holds it."""
        length = packed.longest
        place = torch.arange(length, device=like.device)
        distance = place[:, None] - place
        mask = like.new_zeros((1, 1, length, length))
        if self.causal:
            mask = mask.masked_fill(distance < 0, -torch.inf)
        else:
            beyond = place >= packed.lengths[:, None]
            mask = mask.masked_fill(beyond[:, None, None, :], -torch.inf)
        if self.positions == "relative":
            at = (distance + self.longest - 1).clamp(0, 2 * self.longest - 2)
            mask = mask + self.bias[at].permute(2, 0, 1)
        return mask


class Block(nn.Module):
    """Attention and a small network, each before a residual sum, norm first."""

    def __init__(self, dim: int, dropout: float, attention: Attention) -> None:
        super().__init__()
        self.attention = attention
        self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.deep = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, flat: Tensor, packed: Packed) -> Tensor:
        """``[N, dim]`` to ``[N, dim]``."""
        flat = flat + self.dropout(self.attention(self.first(flat), packed))
        return flat + self.dropout(self.deep(self.second(flat)))


class GatedBlock(nn.Module):
    """Attention without softmax, its outcome gated (Zhai et al., "Actions Speak Louder than Words", ICML 2024)."""

    def __init__(self, dim: int, heads: int, dropout: float, longest: int) -> None:
        super().__init__()
        self.heads, self.longest = heads, longest
        self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.read, self.write = nn.Linear(dim, 4 * dim), nn.Linear(dim, dim)
        self.bias = nn.Parameter(torch.zeros(longest, heads))
        self.dropout = nn.Dropout(dropout)

    def forward(self, flat: Tensor, packed: Packed) -> Tensor:
        """``[N, dim]`` to ``[N, dim]``."""
        gate, rest = silu(self.read(self.first(flat))).split([flat.shape[1], 3 * flat.shape[1]], dim=1)
        padded = packed.padded(rest)
        rows, length, width = padded.shape
        query, key, value = padded.view(rows, length, 3, self.heads, width // 3 // self.heads).permute(2, 0, 3, 1, 4)
        place = torch.arange(length, device=flat.device)
        distance = (place[:, None] - place).clamp(0, self.longest - 1)
        near = self.bias[distance].permute(2, 0, 1)
        logits = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5 + near
        past = place[:, None] >= place
        heard = (silu(logits) * past / past.sum(dim=1, keepdim=True)) @ value
        heard = packed.flat(heard.transpose(1, 2).reshape(rows, length, -1))
        return flat + self.dropout(self.write(self.second(heard) * gate))


class Attentive(nn.Module):
    """Blocks of attention, one after another."""

    def __init__(self, config: Any, *, causal: bool) -> None:
        super().__init__()
        dim, heads, dropout = config.dim, config.heads, config.dropout
        longest = config.last + (not causal)  # what comes next stands after the newest, hidden
        places = nn.Embedding(longest, dim) if config.positions == "learned" else None
        self.places = places
        if config.body == "gated":
            blocks = [GatedBlock(dim, heads, dropout, config.last) for _ in range(config.blocks)]
        else:
            blocks = [
                Block(dim, dropout, Attention(dim, heads, dropout, config.positions, config.last, causal))
                for _ in range(config.blocks)
            ]
        self.blocks = nn.ModuleList(blocks)

    def forward(self, flat: Tensor, packed: Packed) -> Tensor:
        """``[N, dim]`` to ``[N, dim]``."""
        if self.places is not None:
            flat = flat + self.places(packed.places)
        for block in self.blocks:
            flat = block(flat, packed)
        return flat


class Recurrent(nn.Module):
    """Gated recurrent units (Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", 2016)."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.cells = nn.GRU(config.dim, config.dim, config.blocks, batch_first=True)

    def forward(self, flat: Tensor, packed: Packed) -> Tensor:
        """``[N, dim]`` to ``[N, dim]``."""
        return packed.flat(self.cells(packed.padded(flat))[0])


class Convolved(nn.Module):
    """Patterns in the last few events: causal convolutions of several widths (Tang and Wang, "Caser", WSDM 2018)."""

    WIDTHS = (1, 2, 3, 5)

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.wide = nn.ModuleList(nn.Conv1d(config.dim, config.dim, width) for width in self.WIDTHS)
        self.write = nn.Linear(len(self.WIDTHS) * config.dim, config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, flat: Tensor, packed: Packed) -> Tensor:
        """``[N, dim]`` to ``[N, dim]``."""
        padded = packed.padded(flat).transpose(1, 2)
        heard = [
            torch.relu(one(nn.functional.pad(padded, (width - 1, 0))))
            for one, width in zip(self.wide, self.WIDTHS, strict=True)
        ]
        return flat + self.write(self.dropout(packed.flat(torch.cat(heard, dim=1).transpose(1, 2))))


def body_of(config: Any, *, causal: bool) -> nn.Module:
    """The body that a configuration names."""
    if config.body == "gru":
        return Recurrent(config)
    return Convolved(config) if config.body == "caser" else Attentive(config, causal=causal)


def turned(values: Tensor) -> Tensor:
    """Queries or keys ``[B, heads, L, width]`` turned by their place."""
    half, length = values.shape[-1] // 2, values.shape[-2]
    speeds = 10_000.0 ** (-torch.arange(half, device=values.device) / half)
    angles = torch.arange(length, device=values.device)[:, None] * speeds
    first, second = values[..., :half], values[..., half : 2 * half]
    sine, cosine = angles.sin(), angles.cos()
    out = [first * cosine - second * sine, first * sine + second * cosine, values[..., 2 * half :]]
    return torch.cat(out, dim=-1)
