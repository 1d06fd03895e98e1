"""Learned fusers: the weighted sum, and a small network that corrects it where held-back lists speak for that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch
from pydantic import Field

from accord.core.arrays import Bools, Doubles, Floats, Longs
from accord.core.errors import ArtefactError
from accord.core.part import State, prefixed, under
from accord.core.run import Run
from accord.core.slate import Slate
from accord.fuse.base import Fuser, FuserConfig, Panel, standardised
from accord.fuse.circumstances import Circumstances, Clock
from accord.fuse.cold import Balance, best_line
from accord.fuse.likelihood import drawn, evidence, fit_logit, hits
from accord.fuse.listwise import HELD, Lessons, Listwise, train
from accord.fuse.net import Batch, Net, tensor_of
from accord.fuse.sheet import Sheet, row_blocks
from accord.fuse.weighted import Weighted
from accord.learn.loop import first_weights
from accord.learn.settings import TrainConfig
from accord.learn.weights import saved_weights, with_weights

DRAFT, DRAFT_EPOCHS, DRAFT_BAGS = 4_000, 15, 2
"""The most queries, epochs and networks of a draft."""
GAINS = (0.25, 0.5, 0.75, 1.0)
"""How much of the correction may count."""
BASE, NET = "base.", "net."
"""Prefixes of the names of arrays."""


class LearnedConfig(FuserConfig):
    """What is read, and how the network is trained."""

    vectors: tuple[str, ...] = ()
    """Encoded columns (dense) or sources (those with vectors) whose vectors are read beside the scores."""
    clock: tuple[Clock, ...] = ()
    """``hour`` and ``weekday`` (UTC) at which a list is asked for are read too."""
    context: tuple[str, ...] = ()
    """Circumstances that are read too: columns of the events, by name in ``Queries.context``."""
    queries: int = Field(default=6_000, ge=1)
    """The most held-back queries that are learned from; memory is this times the places of a list times sources."""
    fewest: int = Field(default=500, ge=10)
    """With fewer of them the weighted sum stays as it is."""
    bags: int = Field(default=1, ge=1, le=20)
    """Networks, each of other first weights and with another fifth held back; the correction is their mean."""
    places: int = Field(default=100, ge=10)
    """Places of each list that are learned from: the true ones, the best others, and random ones."""
    epochs: int = Field(default=40, ge=1)
    """At most so many passes."""
    patience: int = Field(default=5, ge=1)
    """Stop after so many epochs without a better likelihood of the lists held back, a fifth."""
    batch: int = Field(default=128, ge=1)
    """Lists a batch."""
    lr: float = Field(default=5e-3, gt=0)
    """The highest learning rate (AdamW)."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled decay of all parameters."""


class Learned(Fuser):
    """``score = sum_s w_s z_s + correction``, the weights those of ``weighted``, the correction a small network's.

    The network is zero at first and learns from what came up against the other places of each list, by a softmax
    over them. A fifth of the lists is held back: training stops at the epoch that makes them likeliest, and their
    NDCG@10 says how much of the correction counts, perhaps nothing. So a panel that has little to teach leaves the
    weighted sum. What one network finds is partly chance, so several may be averaged, of which each holds back another
    fifth. Items without events get no correction, but weights of their own (see ``fit_cold``).

    Vectors: those of an encoded column stay what they are when sources are fitted anew, and may go through learned
    maps. The space of a source is turned by every fit, and what was learned in the old one would be nonsense in the
    new, so of these the network is told cosines and lengths only, which no rotation changes, and only while the
    source is fused. A subclass names its network in ``Net``.
    """

    Config = LearnedConfig
    Net: ClassVar[type[Net]]
    """The network."""
    flexible = True

    def __init__(self, config: LearnedConfig | None = None, **values: object) -> None:
        super().__init__(config, **values)
        self.base = Weighted(sources=self.config.sources)
        self.heard: Bools = np.ones(len(self.config.sources), dtype=bool)
        """``bool[S]``: the sources that the network knows."""
        self.met: Bools = np.ones(len(self.config.vectors), dtype=bool)
        """``bool[V]``: the vectors that it knows."""
        self.circumstances = Circumstances(self.config.clock, self.config.context, ())
        """Which values of the circumstances it knows."""
        self.nets: tuple[Net, ...] = ()
        """None where the weighted sum stays as it is."""
        self.gains: Floats = np.zeros(0, np.float32)
        """How much of the correction of each of them counts."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The encoded columns, and sources, whose vectors are wanted."""
        return tuple(name for name, known in zip(self.config.vectors, self.met, strict=True) if known)

    def fit(self, panel: Panel, run: Run, *, draft: bool = False) -> Self:
        """Learn the weights, then the correction from at most ``queries`` lists; seconds to a minute."""
        self.base.fit(panel, run, draft=draft)
        self.nets, self.gains = (), np.zeros(0, np.float32)
        self.heard[:] = True
        sample = drawn(panel, min(DRAFT, self.config.queries) if draft else self.config.queries, run)
        self.met = self._offered(sample.slate)
        self.circumstances = Circumstances.of(sample.slate, self.config.clock, self.config.context)
        if len(sample) >= self.config.fewest:
            self._correct(sample, run, draft=draft)
        if not self.nets:
            self.met = np.zeros_like(self.met)
        return self

    def fit_cold(self, among_cold: Panel, mixed: Panel | None = None, *, draft: bool = False) -> Self:
        """Learn the weights of cold items from a panel of cold items alone, and from a mixed one how both are one list.

        What the cold items may cost the others, corrected, is bounded: see ``cold.Balance``.
        """
        self.base.fit_cold(among_cold, draft=draft)
        if mixed is not None and len(mixed):
            scores = evidence(mixed, self.config.sources, "z")
            warm, cold = self.contributions(mixed.slate).sum(axis=2), scores @ self.base.weights[1]
            gain, shift = best_line(Balance(mixed, warm), warm, cold)
            self.base.weights = np.stack([self.base.weights[0], np.float32(gain) * self.base.weights[1]])
            self.base.shift = np.array([shift], np.float32)
        return self

    def with_sources(self, sources: tuple[str, ...]) -> Self:
        """The same weights and network over other sources; the network hears nothing of those it did not know."""
        other = type(self)(self.config.model_copy(update={"sources": sources}))
        other.base = self.base.with_sources(sources)
        other.circumstances = self.circumstances
        places = np.array([self.config.sources.index(name) if name in self.config.sources else -1 for name in sources])
        other.heard = (places >= 0) & self.heard[places]
        gone = set(self.config.sources) - set(sources)
        other.met = self.met & np.array([name not in gone for name in self.config.vectors], dtype=bool)
        other.nets = tuple(other._net_over(places, net) for net in self.nets) if other.heard.any() else ()
        other.gains = self.gains[: len(other.nets)]
        return other

    @property
    def warm(self) -> tuple[str, ...]:
        """Those that the network knows; the others are for items without events."""
        return tuple(name for name, known in zip(self.config.sources, self.heard, strict=True) if known)

    def contributions(self, slate: Slate) -> Floats:
        """``float32[B, K, S]``: weight times standard score, and the source's part of the correction.

        What of the correction belongs to no source is spread evenly.
        """
        parts = self.base.contributions(slate)
        if not self.nets or not slate.width:
            return parts
        for rows in row_blocks(slate, len(self.config.sources), self.reads):
            some = slate.rows(rows)
            sheet = Sheet.of(some, standardised(some, self.config.sources), self.heard, self._names, self.circumstances)
            for net, gain in zip(self.nets, self.gains, strict=True):
                parts[rows] += gain * self._corrections(net, sheet)
        return parts

    def state(self) -> State:
        """The arrays of the weighted sum and of the networks."""
        arrays = prefixed(BASE, self.base.state())
        arrays |= {"heard": self.heard, "met": self.met, "gains": self.gains}
        arrays |= self.circumstances.state() if self.nets else {}
        for number, net in enumerate(self.nets):
            arrays |= saved_weights(net, f"{NET}{number}.")
        return arrays

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where an array is missing or of another shape."""
        self.base.load_state(under(arrays, BASE))
        gains = arrays.get("gains", np.zeros((0, 0), np.float32))
        shapes = {"heard": self.heard.shape, "met": self.met.shape, "gains": (min(gains.size, self.config.bags),)}
        for name, shape in shapes.items():
            if name not in arrays or arrays[name].shape != shape:
                raise ArtefactError(f"the saved {type(self).__name__} lacks {name}", remedy="Train it again.")
            setattr(self, name, arrays[name])
        if len(gains):
            self.circumstances = Circumstances.of_state(arrays, self.config.clock, self.config.context)
        self.nets = tuple(self._net_of(under(arrays, f"{NET}{number}.")) for number in range(len(gains)))
        return self

    @property
    def _names(self) -> tuple[str, ...]:
        """A name a space, in the order of the network's inputs; nothing is found under that of one it does not know."""
        return tuple(name if known else "" for name, known in zip(self.config.vectors, self.met, strict=True))

    def _offered(self, slate: Slate) -> Bools:
        """``bool[V]``: vectors that are there, and will be after a refit."""
        spaces, sources = slate.spaces, self.config.sources
        found = [name in spaces and (spaces[name].fixed or name in sources) for name in self.config.vectors]
        return np.array(found, dtype=bool)

    def _correct(self, sample: Panel, run: Run, *, draft: bool) -> None:
        """Train the networks on some lists, and see on those held back from each how much of it counts."""
        slate = sample.slate
        sheet = Sheet.of(slate, evidence(sample, self.config.sources, "z"), self.heard, self._names, self.circumstances)
        base = self.base.contributions(slate).sum(axis=2)
        bags = min(self.config.bags, DRAFT_BAGS) if draft else self.config.bags
        lesson = _Lesson(sample, sheet, base, hits(sample))
        n_parts = round(1 / HELD)
        part = sample.parts(n_parts, run.rng("lists held back from a fuser"))
        nets: list[Net] = []
        reached = np.zeros(1 + len(GAINS))
        for bag, own in enumerate(_runs(run, bags)):
            held = np.flatnonzero(part == bag % n_parts)
            net = self._bag(lesson, held, own, draft=draft)
            nets += [] if net is None else [net]
            reached += self._values(net, lesson, held)
        gain = (0.0, *GAINS)[int(reached.argmax())]
        self.nets = tuple(nets) if gain else ()
        self.gains = np.full(len(self.nets), gain / bags, np.float32)

    def _bag(self, lesson: _Lesson, held: Longs, run: Run, *, draft: bool) -> Net | None:
        """One network, learned without the lists held back; None where it learned nothing."""
        sample, sheet, base = lesson.sample, lesson.sheet, lesson.base
        without = np.ones(len(sample), dtype=bool)
        without[held] = False
        lessons = Lessons.drawn(sheet, base, lesson.hits, self.config.places, run.rng("places of a fuser"))
        with first_weights(run):
            dims = {name: space.items.shape[1] for name, space in sheet.spaces.items()}
            net = self.Net(self.config, dims, self.circumstances.width)
        with torch.no_grad():
            net.look_at(sheet.rows(np.flatnonzero(without)))
            sharpness = fit_logit(base[:, :, None], sample, low=[0.0])[0]
            net.log_sharpness.fill_(float(np.log(max(sharpness, 0.1))))
        task = Listwise(net, lessons, ~without, self.base.weights[0], self.heard, self.config.batch)
        name = f"fuser {type(self).__name__.lower()}"
        return None if train(task, self._settings(draft=draft), run, name) is None else net

    def _values(self, net: Net | None, lesson: _Lesson, held: Longs) -> Doubles:
        """``float64[1 + gains]``: the NDCG of some lists, summed, without the network and for each of ``GAINS``."""
        judge, base = lesson.sample.take(held), lesson.base[held]
        added: Floats = np.zeros(base.shape, np.float32)
        if net is not None:
            added = self._corrections(net, lesson.sheet.rows(held)).sum(axis=2)
        gains = np.array([0.0, *GAINS], np.float32)
        return np.array([judge.ndcg(base + gain * added) for gain in gains]) * len(held)

    def _corrections(self, net: Net, sheet: Sheet) -> Floats:
        """``float32[B, P, S]``: what a network adds to each source's part; zero for items without events."""
        n = len(self.config.sources)
        with torch.inference_mode():
            out = net(Batch.of(sheet, self.base.weights[0], self.heard))[0] * tensor_of(sheet.warm)[:, :, None]
            return (out if out.shape[2] == n else out.expand(-1, -1, n) / n).numpy()

    def _settings(self, *, draft: bool) -> TrainConfig:
        config = self.config
        epochs = min(config.epochs, DRAFT_EPOCHS) if draft else config.epochs
        return TrainConfig(
            epochs=epochs,
            patience=config.patience,
            batch=config.batch,
            lr=config.lr,
            weight_decay=config.weight_decay,
            average=0.95,
        )

    def _net_over(self, places: Longs, net: Net) -> Net:
        """The same network over other sources, each by its place among the old ones."""
        arrays = saved_weights(net)
        return self._net_of(arrays | {name: arrays[name][places] for name in (*net.by_source, *_TOPS)})

    def _net_of(self, arrays: State) -> Net:
        """A network with these arrays."""
        down = under(arrays, "texts.down.")
        dims = {name: values.shape[0] for name, values in down.items()}
        net = self.Net(self.config, dims, self.circumstances.width)
        return with_weights(net, arrays)


_TOPS = ("top_centre", "top_scale")
"""Buffers of every network whose first axis is the sources."""


@dataclass(frozen=True)
class _Lesson:
    """What every network of a fuser learns from."""

    sample: Panel
    sheet: Sheet
    base: Floats
    """``float32[B, K]``: the weighted sum."""
    hits: Floats
    """``float32[B, K]``: 1 at the places of true items."""


def _runs(run: Run, n: int) -> list[Run]:
    """The run itself, and runs of other seeds."""
    seeds = run.rng("bags of a fuser").integers(1 << 31, size=n - 1).tolist()
    return [run, *(replace(run, seed=seed) for seed in seeds)]
