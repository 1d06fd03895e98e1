"""A sentence encoder whose last layers learn from behaviour what is alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import torch
from pydantic import Field
from torch import Tensor

from accord.core.arrays import Bools, Floats, Longs
from accord.core.config import Config
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, CannotFit
from accord.core.part import State, prefixed, under
from accord.core.run import Run
from accord.encode import content, pretrained
from accord.encode.cache import VectorCache, encode_cached
from accord.encode.lora import LastLayers, TokenVectors
from accord.encode.minilm import MiniLM, MiniLMConfig
from accord.encode.neural import SentenceModel, TorchForward
from accord.encode.terms import digest
from accord.learn.group import device_of
from accord.learn.judged import ndcg_at_10
from accord.learn.loop import Loop, first_weights
from accord.learn.objective import Objective, ObjectiveConfig
from accord.learn.settings import TrainConfig
from accord.learn.targets import Targets
from accord.learn.training import Trained

WEIGHTS = "tuned."
HELD = 1_000
"""The most people of whom a pair is held back for validation; at most one in ``SHARE``."""
SHARE = 20
POOL = 2_000
"""So many texts, beside those held back, among which the other of a pair is looked for."""
FEWEST = 50
"""Fewer pairs teach nothing."""


class TunedConfig(MiniLMConfig, TrainConfig):
    """The encoder, what of it learns, and from what."""

    layers: int = Field(default=1, ge=1, le=6)
    """How many of the last layers learn."""
    rank: int = Field(default=8, ge=0)
    """Rank of their corrections (LoRA); 0: all their weights learn."""
    window: int = Field(default=3, ge=1)
    """Items so near to one another in a history should say alike; in a log without order all items of a history."""
    pairs: int = Field(default=20_000, ge=1)
    """At most so many pairs an epoch."""
    most: int = Field(default=20_000, ge=2)
    """Only so many items with text and the most events are learned from: a token takes 768 bytes."""
    read: int = Field(default=64, ge=3)
    """Tokens of each text that are read while learning."""
    temperature: float = Field(default=0.05, gt=0)
    """What cosines are divided by."""
    epochs: int = Field(default=4, ge=1)
    """At most so many passes; each draws new pairs."""
    patience: int = Field(default=1, ge=0)
    """Stop after so many epochs without a better validation figure; 0: train all epochs."""
    batch: int = Field(default=256, ge=2)
    """Pairs a batch; each stands against the others of its batch."""
    lr: float = Field(default=1e-3, gt=0)
    """The highest learning rate (AdamW)."""


class Tuned(MiniLM):
    """Dense ``float32[n, 384]``: MiniLM, whose last layers have learned that what people take together is alike.

    Texts of items that stand near to each other in histories are drawn together, against the other texts of the batch,
    corrected by how often each comes up (the loss of Yi et al., RecSys 2019, on the pairs of Barkan and Koenigstein,
    "Item2vec", 2016); the layers below are read once. What is learned is carried by the text, so an item that nobody
    has met is placed by it too. Fitted without events it says what MiniLM says.
    """

    Config: ClassVar[type[Config]] = TunedConfig
    label: ClassVar[str] = "tuned"
    config: TunedConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    weights: State | None = None
    """What the last layers have learned; None: nothing."""
    trained: Trained | None = None
    """How the training went; not saved."""

    def fit(self, items: pa.Table, run: Run) -> Self:
        """Nothing is learned. Raises ``CannotFit`` where there is no text, or the extra ``text`` is not installed."""
        self.weights, self._forward = None, None
        return super().fit(items, run)

    @property
    def learns_from_events(self) -> bool:
        """It does."""
        return True

    def learn(self, data: Dataset, run: Run) -> Self:
        """Learn from what stands near to each other in histories. Raises ``CannotFit`` where that is too little."""
        self.fit(data.items, run)
        pretrained.require("torch", "transformers")
        texts = content.texts(data.items, self.config)
        known = np.array([bool(text) for text in texts]) & (data.item_counts > 0)
        chosen = _most_met(known, data.item_counts, self.config.most)
        number = np.full(data.n_items, -1, np.int64)
        number[chosen] = np.arange(len(chosen))
        rng = run.rng("tuned pairs")
        pairs = Pairs(number[data.histories.items], data.histories.offsets, data.order != "none", self.config, rng)
        device = device_of(run.device)
        model = SentenceModel(self._folder).to(device)
        with first_weights(run):
            last = LastLayers(model, self.config.layers, self.config.rank).to(device)
        tokens = pretrained.tokenizer(self._folder, min(self.config.read, self.config.max_tokens))
        rows = [encoding.ids for encoding in tokens.encode_batch([texts[item] for item in chosen])]
        task = Alike(last, self.config, TokenVectors(model, self.config.layers, rows, device, run), pairs)
        self.trained = Loop(task, self.config, run, "tuned", (data.digest,)).train()
        self.weights = last.learned()
        return self

    @property
    def fingerprint(self) -> str:
        """The weights, and what they have learned."""
        return super().fingerprint if self.weights is None else f"{super().fingerprint}-{digest(self.weights)}"

    def encode(self, items: pa.Table, run: Run) -> Floats:
        """``float32[n, dim]``, one row an item; what has learned is not cached: each fit would leave a file behind."""
        if self.weights is None:
            return super().encode(items, run)
        texts = content.texts(items, self.config)
        return encode_cached(
            texts, lambda some: self._compute(some, run), VectorCache(None, self.dim), run, self.label, self.batch
        )

    def _backend(self, run: Run) -> pretrained.Forward:
        return super()._backend(run) if self.weights is None else self._learned()

    def _learned(self) -> pretrained.Forward:
        pretrained.require("torch", "transformers")
        model = SentenceModel(self._folder)
        try:
            LastLayers(model, self.config.layers, self.config.rank).load(self.weights or {})
        except ValueError as error:
            raise ArtefactError(
                f"the saved {type(self).__name__} cannot be used ({error})", remedy="Train it again."
            ) from None
        return TorchForward(model.eval(), self.config.device)

    def state(self) -> State:
        """What the last layers have learned."""
        return super().state() | prefixed(WEIGHTS, self.weights or {})

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave."""
        super().load_state(arrays)
        self.weights, self._forward = under(arrays, WEIGHTS) or None, None
        return self


def _most_met(known: Bools, counts: Longs, most: int) -> Longs:
    """Numbers of the known items with the most events, ascending."""
    order = np.argsort(np.where(known, -counts, 1), kind="stable")
    return np.sort(order[: min(most, int(known.sum()))])


class Pairs:
    """Pairs of texts that stand near to each other in a history; those of some people are held back."""

    def __init__(
        self, texts: Longs, offsets: Longs, ordered: bool, config: TunedConfig, rng: np.random.Generator
    ) -> None:
        """``texts``: the text of each event, -1 for those without; ``offsets``: where each history begins."""
        kept = texts >= 0
        bounds = np.concatenate([[0], np.cumsum(kept)])[offsets]
        lengths = np.diff(bounds)
        self.texts, self.config = texts[kept], config
        self.starts, self.ends = np.repeat(bounds[:-1], lengths), np.repeat(bounds[1:], lengths)
        self.window = config.window if ordered else len(texts)
        users = rng.permutation(np.flatnonzero(lengths > 1))
        if len(users) < FEWEST:
            remedy = "Use the encoder minilm."
            raise CannotFit("too few people have two items with text", value=len(users), remedy=remedy)
        held = users[: min(HELD, len(users) // SHARE)] if config.patience else users[:0]
        of = np.repeat(np.arange(len(lengths)), lengths)
        self.events = np.flatnonzero((lengths[of] > 1) & ~np.isin(of, held))
        """Those that are learned from."""
        self.held = self.drawn(bounds[held] + rng.integers(0, lengths[held]), rng)
        """``int64[m, 2]``: what is held back."""

    def epoch(self, rng: np.random.Generator) -> Longs:
        """``int64[m, 2]``: new pairs, in a random order."""
        return self.drawn(rng.permutation(self.events)[: self.config.pairs], rng)

    def drawn(self, events: Longs, rng: np.random.Generator) -> Longs:
        """``int64[m, 2]``: the text of each event and that of one near it; none where that is the same."""
        low, high = self.starts[events], self.ends[events]
        step = rng.integers(1, np.minimum(self.window, high - low - 1) + 1) * rng.choice([-1, 1], len(events))
        other = np.where((events + step >= low) & (events + step < high), events + step, events - step)
        other = np.where((other >= low) & (other < high), other, events)
        pairs = np.stack([self.texts[events], self.texts[other]], axis=1)
        return pairs[pairs[:, 0] != pairs[:, 1]]


class Alike:
    """The task: which text stands near a text, among those of the batch."""

    def __init__(self, module: LastLayers, config: TunedConfig, below: TokenVectors, pairs: Pairs) -> None:
        self.module, self.config, self.below, self.pairs = module, config, below, pairs
        counts = np.bincount(pairs.texts[pairs.events], minlength=len(below.lengths)) + 1.0
        often = torch.from_numpy(counts.astype(np.float32)).to(below.device)
        self.objective = Objective(ObjectiveConfig(loss="in_batch"), often, torch.default_generator)
        others = np.random.default_rng(0).permutation(len(below.lengths))
        self.pool = np.unique(np.concatenate([pairs.held.ravel(), others[:POOL]]))

    def batches(self, rng: np.random.Generator) -> Sequence[Longs]:
        """The pairs of each batch."""
        pairs = self.pairs.epoch(rng)
        return [pairs[at : at + self.config.batch] for at in range(0, len(pairs), self.config.batch)]

    def loss(self, pairs: Longs) -> tuple[Tensor, Tensor]:
        """The sum of the losses of a batch, and the sum of their weights."""
        texts, place = np.unique(pairs, return_inverse=True)
        vectors, (first, second) = self.vectors(texts), torch.from_numpy(place.reshape(pairs.shape)).T
        number = torch.from_numpy(texts).to(self.below.device)
        ones = torch.ones(len(pairs), 1, device=self.below.device)
        rows = torch.arange(len(pairs), device=self.below.device)
        targets = Targets(number[second][:, None], ones, rows, number[first])
        states = vectors[first] / self.config.temperature
        return self.objective(states, lambda some: vectors[torch.searchsorted(number, some)], targets), targets.total

    def judge(self) -> float:
        """Mean NDCG@10 of the other text of each pair held back, among ``pool``."""
        vectors = self.vectors(self.pool).cpu().numpy()
        first, second = np.searchsorted(self.pool, self.pairs.held.T)
        scores = vectors[first] @ vectors.T
        scores[np.arange(len(first)), first] = -np.inf
        return ndcg_at_10([scores], second)

    def vectors(self, texts: Longs) -> Tensor:
        """``float32[m, dim]``: unit vectors of texts, as they are now."""
        parts = self.below.batches(texts)
        found = torch.cat([self.module(hidden, mask) for _, hidden, mask in parts])
        taken = torch.from_numpy(np.concatenate([taken for taken, _, _ in parts])).to(found.device)
        return torch.empty_like(found).index_copy(0, taken, found)
