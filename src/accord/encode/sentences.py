"""What encoders of whole texts share: one vector a text, kept by the text's hash."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pyarrow as pa

from accord.core.arrays import Floats
from accord.core.config import Config
from accord.core.errors import InputError
from accord.core.part import State
from accord.core.roles import Encoder
from accord.core.run import Run
from accord.encode import content
from accord.encode.cache import BATCH, VectorCache, encode_cached


class SentenceEncoder(Encoder):
    """An encoder that turns each text into a dense vector by itself, whatever else is encoded with it.

    A subclass writes ``fit``, ``fingerprint`` (which names the file of kept vectors) and ``_compute``; one that finds
    its width only then names ``dim`` in ``learned``.
    """

    Config: ClassVar[type[Config]] = content.Content
    label: ClassVar[str]
    """How progress calls it."""

    @property
    def batch(self) -> int:
        """Most texts computed, and vectors kept, at a time."""
        return BATCH

    def encode(self, items: pa.Table, run: Run) -> Floats:
        """``float32[n, dim]``, one row an item; zero where it has no text."""
        path = run.cache / "vectors" / f"{self.fingerprint}.sqlite" if run.cache is not None else None
        texts, cache = content.texts(items, self.config), VectorCache(path, self.dim)
        return encode_cached(texts, lambda some: self._compute(some, run), cache, run, self.label, self.batch)

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave."""
        super().load_state(arrays)
        self.dim = int(self.dim)  # saved, a learned width is an array of one number
        return self

    def _compute(self, texts: list[str], run: Run) -> Floats:
        """``float32[n, dim]``, rows of unit length: the vectors of texts that are not empty."""
        raise InputError("an encoder of texts must define _compute", value=type(self).__name__)


def unit(rows: Floats) -> Floats:
    """Each row scaled to length one; zero rows stay zero."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1), np.float32)
