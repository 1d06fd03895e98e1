"""Tf-idf of words and pairs of words: sparse, explainable, and hard to beat on short titles."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.sparse import csr_array

from accord.core.config import Config
from accord.core.run import Run
from accord.encode import content, segment
from accord.encode.terms import TermEncoder


class TfidfConfig(content.Content):
    """Settings of ``Tfidf``."""

    ngrams: tuple[int, int] = (1, 2)
    """Shortest and longest run of words."""
    min_df: int = Field(default=2, ge=1)
    """Terms in fewer items are dropped: they make no two items alike."""
    sublinear: bool = True
    """``1 + log(count)`` in place of the count."""
    max_features: int = Field(default=200_000, ge=1)
    """Of more terms than this the commonest are kept."""
    characters: segment.Characters = "auto"
    """``auto``: words, and characters where the script is Chinese; ``words``, ``chars`` or ``both`` everywhere."""
    char_ngrams: tuple[int, int] = (3, 5)
    """Shortest and longest run of characters within a word (``chars`` and ``both``)."""
    jieba: bool = True
    """Cut Chinese into words with jieba where the extra ``chinese`` is installed; else character by character."""

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        for low, high in (self.ngrams, self.char_ngrams):
            if not 1 <= low <= high <= 10:
                raise ValueError("a range of n-grams must run upwards between 1 and 10")
        return self


class Tfidf(TermEncoder):
    """Sparse ``float32[n, terms]``, rows of unit length (Salton & Buckley 1988; idf smoothed as in scikit-learn)."""

    Config: ClassVar[type[Config]] = TfidfConfig
    learned: ClassVar[tuple[str, ...]] = ("idf", "segmented")
    config: TfidfConfig
    segmented: NDArray[np.uint8]
    """``uint8[1]``: whether Chinese was cut by jieba when the terms were learned."""

    def fit(self, items: pa.Table, run: Run) -> Self:
        """Learn terms and weights. Raises ``CannotFit`` where there is no text, or no term is in ``min_df`` items."""
        content.check(items, self.config)
        texts = content.texts(items, self.config)
        han = self.config.jieba and segment.has_jieba() and any(map(segment.HAN.search, texts))
        self.segmented = np.array([han], np.uint8)
        self._learn(map(self._terms, texts), len(texts), self.config.min_df, self.config.max_features)
        return self

    def encode(self, items: pa.Table, run: Run) -> csr_array:
        """One row an item; zero where it has none of the terms."""
        texts = content.texts(items, self.config)
        return self._weigh(map(self._terms, texts), self.config.sublinear)

    def _terms(self, text: str) -> list[str]:
        cut = segment.segmenter() if self.segmented[0] else segment.single
        return segment.terms(text, self.config.ngrams, self.config.characters, self.config.char_ngrams, cut)
