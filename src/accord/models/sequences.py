"""Histories as food for a sequence model: windows, targets further on, batches of rows of like length."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from accord.core.arrays import Bools, Floats, Ints, Longs, Ragged, offsets_of
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
MET = 1_000
"""So many of a person's events are told to be no choice where a log has no order; beside those of the window."""
ALIKE = 20
"""So many batches are sorted by length together, so that the rows of each are of like length, in a random order."""


@dataclass(frozen=True)
class Windows:
    """Stretches of histories, from which events are predicted."""

    history: History
    """Each row a window."""
    rows: Longs
    """``int64[W]``: the row of the histories that each is a stretch of."""
    unread: int
    """How many events at the end of each window are targets only."""

    @classmethod
    def of(cls, history: History, last: int) -> Windows:
        """Windows of at most ``last`` events and one target more, counted from the newest.

        Every event but the first of each history is a target in exactly one of them.
        """
        lengths = history.lengths
        counts = np.where(lengths > 1, -(-(lengths - 1) // last), 0)
        rows = np.repeat(np.arange(len(history)), counts)
        back = _within(counts)
        ends = history.offsets[rows + 1] - back * last
        starts = np.maximum(history.offsets[rows], ends - last - 1)
        return cls._between(history, rows, starts, ends, 1)

    @classmethod
    def apart(cls, history: History, last: int) -> Windows:
        """Windows of at most ``last + 1`` events that have none in common, of like length; every event is read.

        For what guesses some events from all others. Histories of one event have none.
        """
        lengths = history.lengths
        counts = np.where(lengths > 1, -(-lengths // (last + 1)), 0)
        rows = np.repeat(np.arange(len(history)), counts)
        place, of = _within(counts), counts[rows]
        starts, ends = (history.offsets[rows] + lengths[rows] * number // of for number in (place, place + 1))
        return cls._between(history, rows, starts, ends, 0)

    @classmethod
    def _between(cls, history: History, rows: Longs, starts: Longs, ends: Longs, unread: int) -> Windows:
        return cls(history.picked(ranges(starts, ends), offsets_of(ends - starts)), rows, unread)

    def shuffled(self, rng: np.random.Generator, size: int) -> list[Longs]:
        """The rows of each batch of one epoch: about ``size`` events, in rows of like length."""
        lengths = self.history.lengths - self.unread
        order = rng.permutation(len(lengths))
        stretches = _cut(order, lengths, ALIKE * size)
        alike = [some[np.argsort(lengths[some], kind="stable")] for some in stretches]
        batches = [batch for some in alike for batch in _cut(some, lengths, size)]
        return [batches[place] for place in rng.permutation(len(batches))]


def _within(counts: Longs) -> Longs:
    """``int64[sum(counts)]``: 0 up to each count, one after another."""
    return np.arange(int(counts.sum())) - np.repeat(offsets_of(counts)[:-1], counts)


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
    def of(cls, history: History, ahead: int, tau: float, device: torch.device, wanted: Bools | None = None) -> Batch:
        """Windows whose last event is a target only; each state predicts up to ``ahead`` events.

        The k-th of them counts ``exp(-k / tau)``. ``wanted``: ``bool[E]``, which events are predicted; None: all.
        """
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

    @classmethod
    def masked(cls, history: History, share: float, device: torch.device) -> tuple[Batch, Tensor]:
        """Windows to be guessed in part: hidden events are the targets; and ``bool[N]``, which are hidden.

        At least the newest of each row is hidden in half of the rows, as it is when a list is asked for.
        """
        packed, numbers, told = inputs_of(history, device)
        hidden = torch.rand(len(numbers), device=device) < share
        some = torch.rand(len(packed.lengths), device=device) < 0.5
        hidden[packed.newest[some]] = True
        hidden[packed.newest[0]] |= not bool(hidden.any())
        of = numbers[hidden]
        none = torch.empty(0, dtype=torch.int64, device=device)
        targets = Targets(of[:, None], torch.ones(len(of), 1, device=device), none, none)
        return cls(packed, numbers, told, targets), hidden

    def counting(self, factors: Tensor) -> Batch:
        """The same, each target counting ``factors`` (``float32[N]``) of what it did."""
        return replace(self, targets=replace(self.targets, weights=self.targets.weights * factors[:, None]))


def inputs_of(read: History, device: torch.device) -> tuple[Packed, Tensor, Told]:
    """Histories (none of them empty) as a model reads them: packing, items, and what is known of each event."""
    items = tensor(read.items.astype(np.int64), device)
    return Packed.of(read.lengths, device), items, Told.of(read, device)


def left_out(history: History, weights: Floats, whole: History, device: torch.device) -> Targets:
    """Each event of some windows as a target of its own, counting ``weights`` (``float32[E]``).

    ``whole``: what the person of each window did in all, which is no choice there; of more than ``MET`` events so many,
    evenly drawn, beside those of the window.
    """
    met = _met(history, whole).take(history.rows)
    parts = (history.items[:, None].astype(np.int64), weights[:, None], met.rows, met.values.astype(np.int64))
    return Targets(*(tensor(part, device) for part in parts))


def _met(history: History, whole: History) -> Ragged:
    """The items of each window, and at most ``MET`` of what its person did in all."""
    lengths = np.minimum(whole.lengths, MET)
    drawn = np.repeat(np.arange(len(whole)), lengths)
    place = ranges(np.zeros_like(lengths), lengths) * whole.lengths[drawn] // lengths[drawn]
    rows = np.concatenate([history.rows, drawn])
    items = np.concatenate([history.items, whole.items[whole.offsets[drawn] + place]])
    return Ragged(items[np.argsort(rows, kind="stable")], offsets_of(history.lengths + lengths))


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


def held_back(data: Dataset, rng: np.random.Generator, *, wanted: bool, fair: Bools | None = None) -> tuple[Kept, Held]:
    """All histories without one event of some users, and these; nothing is held back where not ``wanted``.

    ``fair``: ``bool[N]``, the events of ``data.histories`` that may be asked for; None: all. It is the newest of each
    user. In a log without order it is any, and the events that stay are shuffled: the last row of a file is no fair
    question, and rows that lie beside each other are no fair window. An item keeps its only event: what is never met
    cannot be found.
    """
    history = data.histories
    places = np.arange(len(history.items)) if fair is None else np.flatnonzero(fair)
    asked = np.bincount(history.rows[places], minlength=len(history))
    fit = np.flatnonzero((history.lengths > 2) & (asked > 0))
    count = min(HELD, len(fit), max(len(fit) // SHARE, len(history.items) // EVENTS)) if wanted else 0
    users = np.sort(rng.choice(fit, count, replace=False))
    newest = np.cumsum(asked)[users] - 1
    if data.order == "none":
        newest -= rng.integers(asked[users])
    held = places[newest]
    left = data.item_counts - np.bincount(history.items[held], minlength=data.n_items)
    met = left[history.items[held]] > 0
    users, held = users[met], held[met]
    stays: Bools = np.ones(len(history.items), dtype=bool)
    stays[held] = False
    kept, rows = np.flatnonzero(stays), history.rows[stays]
    if data.order == "none":
        kept = kept[np.lexsort((rng.random(len(kept)), rows))]
    rest = history.picked(kept, offsets_of(np.bincount(rows, minlength=len(history))))
    return Kept(rest, kept), Held(rest.take(users), history.items[held], held)


def ranges(starts: Longs, ends: Longs) -> Longs:
    """``int64[sum(ends - starts)]``: all numbers from each start up to its end, one range after another."""
    offsets = offsets_of(ends - starts)
    return np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], ends - starts)
