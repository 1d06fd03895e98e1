"""Histories as food for a sequence model: windows, targets further on, batches of rows of like length."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from accord.core.arrays import Bools, Ints, Longs, offsets_of
from accord.core.dataset import Dataset
from accord.core.history import History
from accord.learn.packed import Packed
from accord.learn.targets import Targets
from accord.models.told import Told, tensor

HELD = 2_000
"""The most users whose newest event is held back for validation."""
SHARE = 10
"""At most one user in so many is held back, or"""
EVENTS = 100
"""one event in so many, where that is more: people with long histories can spare one."""
ALIKE = 20
"""So many batches are sorted by length together, so that the rows of each are of like length, in a random order."""


@dataclass(frozen=True)
class Windows:
    """Stretches of histories: every event but the first of each history is a target in exactly one of them."""

    history: History
    """Each row a window, its last event a target only."""

    @classmethod
    def of(cls, history: History, last: int) -> Windows:
        """Windows of at most ``last`` events and one target more, counted from the newest."""
        lengths = history.lengths
        counts = np.where(lengths > 1, -(-(lengths - 1) // last), 0)
        rows = np.repeat(np.arange(len(history)), counts)
        back = np.arange(len(rows)) - np.repeat(offsets_of(counts)[:-1], counts)
        ends = history.offsets[rows + 1] - back * last
        starts = np.maximum(history.offsets[rows], ends - last - 1)
        index = ranges(starts, ends)
        return cls(history.picked(index, offsets_of(ends - starts)))

    def shuffled(self, rng: np.random.Generator, size: int) -> list[Longs]:
        """The rows of each batch of one epoch: about ``size`` events, in rows of like length."""
        lengths = self.history.lengths - 1  # the last event of a window is a target only
        order = rng.permutation(len(lengths))
        stretches = _cut(order, lengths, ALIKE * size)
        alike = [some[np.argsort(lengths[some], kind="stable")] for some in stretches]
        batches = [batch for some in alike for batch in _cut(some, lengths, size)]
        return [batches[place] for place in rng.permutation(len(batches))]


def _cut(rows: Longs, lengths: Longs, size: int) -> list[Longs]:
    """Rows in their order, cut where another ``size`` events begin."""
    begun = (np.cumsum(lengths[rows]) - lengths[rows]) // size
    return np.split(rows, np.flatnonzero(np.diff(begun)) + 1)


@dataclass(frozen=True)
class Batch:
    """Some windows as tensors."""

    packed: Packed
    """Of the events that are read."""
    items: Tensor
    """``int64[N]``: what is read."""
    told: Told
    """What is known of it beside."""
    targets: Targets

    @property
    def weights(self) -> Tensor:
        """``float32[N]``: how much each event counts."""
        return self.told.weights

    @classmethod
    def of(
        cls,
        windows: Windows,
        rows: Longs,
        ahead: int,
        tau: float,
        device: torch.device,
        wanted: Bools | None = None,
    ) -> Batch:
        """The windows of some rows; each state predicts up to ``ahead`` events, the k-th counting ``exp(-k / tau)``.

        ``wanted``: ``bool[E]``, which events of these rows are to be predicted at all; None: all.
        """
        history = windows.history.take(rows)
        lengths = history.lengths - 1
        read = history.keep(history.age > 0)
        ends = np.repeat(history.offsets[1:], lengths)
        place = ranges(history.offsets[:-1], history.offsets[1:] - 1)
        at = place[:, None] + 1 + np.arange(ahead)
        there = at < ends[:, None]
        at = np.minimum(at, len(history.items) - 1)
        items = np.where(there, history.items[at], -1)
        counted = np.where(there if wanted is None else there & wanted[at], np.exp(-np.arange(ahead) / tau), 0.0)
        counted /= np.maximum(counted.sum(axis=1, keepdims=True), 1e-12)
        known = _known(read)
        tensors = (items.astype(np.int64), counted.astype(np.float32), *known)
        targets = Targets(*(tensor(values, device) for values in tensors))
        packed, numbers, told = inputs_of(read, device)
        return cls(packed, numbers, told, targets)

    def masked(self, share: float) -> tuple[Batch, Tensor]:
        """The same windows, to be guessed in part: hidden events are the targets; and ``bool[N]``, which are hidden.

        At least the newest of each row is hidden in half of the rows, as it is when a list is asked for.
        """
        hidden = torch.rand(len(self.items), device=self.items.device) < share
        some = torch.rand(len(self.packed.lengths), device=self.items.device) < 0.5
        hidden[self.packed.newest[some]] = True
        hidden[self.packed.newest[0]] |= not bool(hidden.any())
        of = self.items[hidden]
        none = torch.empty(0, dtype=torch.int64, device=of.device)
        targets = Targets(of[:, None], torch.ones(len(of), 1, device=of.device), none, none)
        return replace(self, targets=targets), hidden

    def counting(self, factors: Tensor) -> Batch:
        """The same, each target counting ``factors`` (``float32[N]``) of what it did."""
        return replace(self, targets=replace(self.targets, weights=self.targets.weights * factors[:, None]))


def inputs_of(read: History, device: torch.device) -> tuple[Packed, Tensor, Told]:
    """Histories (none of them empty) as a model reads them: packing, items, and what is known of each event."""
    items = tensor(read.items.astype(np.int64), device)
    return Packed.of(read.lengths, device), items, Told.of(read, device)


def _known(read: History) -> tuple[Longs, Longs]:
    """State and item of all pairs where the item was read at the state or before it."""
    place = np.arange(len(read.items)) - np.repeat(read.offsets[:-1], read.lengths)
    states = np.repeat(np.arange(len(read.items)), place + 1)
    index = ranges(np.repeat(read.offsets[:-1], read.lengths), np.arange(len(read.items)) + 1)
    return states, read.items[index].astype(np.int64)


@dataclass(frozen=True)
class Kept:
    """What may be learned from."""

    history: History
    places: Longs
    """``int64[N]``: where its events lie in ``data.histories``."""


@dataclass(frozen=True)
class Held:
    """What a training is judged by: events of some users, which it never sees."""

    history: History
    """What else they did, or did before."""
    items: Ints
    """``int32[H]``: what came up."""
    places: Longs
    """``int64[H]``: where these events lie in ``data.histories``."""


def held_back(data: Dataset, rng: np.random.Generator, *, wanted: bool) -> tuple[Kept, Held]:
    """All histories without one event of some users, and these; nothing is held back where not ``wanted``.

    It is the newest of each. In a log without order it is any, and the events that stay are shuffled: the last row of
    a file is no fair question, and rows that lie beside each other are no fair window.
    """
    history = data.histories
    fit = np.flatnonzero(history.lengths > 2)
    count = min(HELD, len(fit), max(len(fit) // SHARE, len(history.items) // EVENTS)) if wanted else 0
    users = np.sort(rng.choice(fit, count, replace=False))
    held = history.offsets[users + 1] - 1
    if data.order == "none":
        held -= rng.integers(history.lengths[users])
    stays: Bools = np.ones(len(history.items), dtype=bool)
    stays[held] = False
    places, rows = np.flatnonzero(stays), history.rows[stays]
    if data.order == "none":
        places = places[np.lexsort((rng.random(len(places)), rows))]
    rest = history.picked(places, offsets_of(np.bincount(rows, minlength=len(history))))
    return Kept(rest, places), Held(rest.take(users), history.items[held], held)


def ranges(starts: Longs, ends: Longs) -> Longs:
    """``int64[sum(ends - starts)]``: all numbers from each start up to its end, one range after another."""
    offsets = offsets_of(ends - starts)
    return np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], ends - starts)
