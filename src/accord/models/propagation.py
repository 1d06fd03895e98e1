"""Light graph convolution: vectors handed on along the edges of a symmetrically normalised graph."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array
from torch import Tensor

from accord.core.arrays import Floats, Sparse
from accord.models.graph import inverse_power


@dataclass(frozen=True)
class Vectors:
    """What is known of each item after propagation; see ``Propagation.vectors``."""

    read: Tensor
    """``float32[n, dim]``: what an item adds to the vector of somebody who has it."""
    shown: Tensor
    """``float32[n, dim]``: what an item is when it is scored."""
    linked: Tensor | None
    """``float32[users, dim]``: what links add to the sum of a user; None where there are none."""


@dataclass(frozen=True)
class _Links:
    all: Tensor
    """``float32[N, N]``, sparse and symmetric: normalised as the events are."""
    of_users: Tensor
    """``float32[users, N]``, sparse: as they are."""
    to_users: Tensor
    """The same transposed."""

    @classmethod
    def of(cls, links: Sparse, scale: Floats, n: int, n_users: int, device: torch.device) -> _Links:
        nodes = diags_array(scale)
        own = csr_array(links[n : n + n_users])
        matrices = (csr_array(nodes @ links @ nodes), own, csr_array(own.T))
        return cls(*(_tensor(matrix, device) for matrix in matrices))


class Propagation:
    """``E^(k+1) = D^-1/2 A D^-1/2 E^(k)`` over items, users and other things, where users begin with nothing.

    A holds the events (by weight, none below zero) and the links in both directions; D its row sums. He et al.,
    "LightGCN", SIGIR 2020. Without links users know of something in odd layers alone and items in even ones, so that
    only one of the two halves is worked out. Memory: 24 bytes an event and a link (48 where users are linked), and
    ``4 dim`` bytes a node and layer, twice that while learning.
    """

    def __init__(self, edges: Sparse, links: Sparse | None, layers: int, device: torch.device) -> None:
        """``edges``: ``float32[users, n]``; ``links``: ``float32[N, N]`` over items, users and others."""
        self.n_users, self.n = edges.shape
        self.layers, self.device = layers, device
        self.degrees = _degrees(edges, links)
        """``float32[N]``: the diagonal of D."""
        of_events = np.asarray(edges.sum(axis=1), np.float32)
        self.of_links = self.degrees[self.n : self.n + self.n_users] - of_events if links is not None else 0 * of_events
        """``float32[users]``: what the links of each user weigh."""
        scale = inverse_power(self.degrees, 0.5)
        items, users = diags_array(scale[: self.n]), diags_array(scale[self.n : self.n + self.n_users])
        across = csr_array(users @ edges @ items)
        self.to_users, self.to_items = _tensor(across, device), _tensor(csr_array(across.T), device)
        worth = inverse_power(np.where(self.degrees > 0, self.degrees, 1.0), 0.5)
        self.worth = torch.from_numpy(worth)[:, None].to(device)
        self.links = None if links is None else _Links.of(links, scale, self.n, self.n_users, device)

    def vectors(self, items: Tensor, others: Tensor | None = None) -> Vectors:
        """From layer 0 of items ``float32[n, dim]`` and other things.

        With ``e_i^(k)`` the layers of item i and ``d_i`` its degree (1 where it has none), ``shown_i = sum_{k<=K}
        e_i^(k) / (K + 1)`` and ``read_i = sum_{k<K} e_i^(k) / ((K + 1) sqrt(d_i))``. The mean of the layers 0 to K of a
        user with the events ``w_i`` is then ``(sum_i w_i read_i + linked) / sqrt(d)``, where links add ``linked`` (the
        same sum over what the user is linked to) and their weights to the degree ``d = sum_i w_i``.
        """
        layers = self._alternating(items) if self.links is None else self._all_nodes(items, others, self.links)
        total = shown = items.new_zeros(1, items.shape[1])
        for k, layer in enumerate(layers):
            if layer is not None:
                shown = shown + layer[: self.n]
                total = total + layer if k < self.layers else total
        read = total * self.worth[: len(total)] / (self.layers + 1)
        linked = None if self.links is None else _times(self.links.of_users, read, self.links.to_users)
        return Vectors(read[: self.n], shown / (self.layers + 1), linked)

    def _all_nodes(self, items: Tensor, others: Tensor | None, links: _Links) -> Iterator[Tensor]:
        """Layers 0 to K of all nodes."""
        nobody = items.new_zeros(self.n_users, items.shape[1])
        state = torch.cat([items, nobody, *([] if others is None else [others])])
        yield state
        for _ in range(self.layers):
            known, users = state[: self.n], state[self.n : self.n + self.n_users]
            told = [_times(self.to_items, users, self.to_users), _times(self.to_users, known, self.to_items)]
            more = state.new_zeros(len(state) - self.n - self.n_users, state.shape[1])
            state = _times(links.all, state, links.all) + torch.cat([*told, more])
            yield state

    def _alternating(self, items: Tensor) -> Iterator[Tensor | None]:
        """Layers 0 to K of the items where there are no links; None: zero."""
        layer = items
        for k in range(self.layers + 1):
            yield layer if k % 2 == 0 else None
            if k % 2 == 0 and k + 2 <= self.layers:
                users = _times(self.to_users, layer, self.to_items)
                layer = _times(self.to_items, users, self.to_users)


def user_vectors(events: Sparse, read: Floats, linked: Floats | None = None, weight: Floats | None = None) -> Floats:
    """``float32[B, dim]``: ``(sum_i w_i read_i + linked) / sqrt(sum_i w_i + weight)``.

    ``events``: ``float32[B, n]``, no weight below 0; ``linked`` and ``weight``: what links add to sum and degree.
    """
    sums, mass = np.asarray(events @ read, np.float32), np.asarray(events.sum(axis=1), np.float32)
    if linked is not None and weight is not None:
        sums, mass = sums + linked, mass + weight
    return sums * inverse_power(mass, 0.5)[:, None]


class _Product(torch.autograd.Function):
    """A sparse matrix times a dense one; the gradient needs the transposed matrix, which is given."""

    @staticmethod
    def forward(ctx: Any, dense: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        with torch.autocast(dense.device.type, enabled=False):
            return matrix @ dense.float()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        with torch.autocast(outer[0].device.type, enabled=False):
            return ctx.transposed @ outer[0].float().contiguous(), None, None


def _times(matrix: Tensor, dense: Tensor, transposed: Tensor) -> Tensor:
    return _Product.apply(dense, matrix, transposed)


def _degrees(edges: Sparse, links: Sparse | None) -> Floats:
    of_events = np.concatenate([np.asarray(edges.sum(axis=axis), np.float32) for axis in (0, 1)])
    if links is None:
        return of_events
    degrees = np.asarray(links.sum(axis=1), np.float32)
    degrees[: len(of_events)] += of_events
    return degrees


def _tensor(matrix: Sparse, device: torch.device) -> Tensor:
    parts = (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data.astype(np.float32))
    with warnings.catch_warnings():  # torch calls this layout new; what is used of it is tested here
        warnings.filterwarnings("ignore", message="Sparse", category=UserWarning)
        tensors = [torch.from_numpy(part) for part in parts]
        return torch.sparse_csr_tensor(*tensors, size=matrix.shape, check_invariants=True).to(device)
