"""Static vectors: each piece of a word has one vector, and a text is their sum. Thousands of texts a second."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Ragged
from accord.core.config import Config
from accord.core.errors import CannotFit
from accord.core.roles import Encoder
from accord.core.run import Run
from accord.core.state import load_state
from accord.encode import content, pretrained
from accord.encode.sentences import unit

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "wordllama"
WEIGHTS = Path("weights", "l2_supercat_256.safetensors")
TOKENS = Path("tokenizers", "l2_supercat_tokenizer_config.json")
CHUNK = 1024
"""Texts tokenized at a time."""


class Static(Encoder):
    """Dense ``float32[n, 256]``, rows of unit length: WordLlama's token vectors, trained so that plain sums of them
    say what a text is about. English above all. Too fast to be worth a cache."""

    Config: ClassVar[type[Config]] = content.Content
    config: content.Content
    dim = 256

    def fit(self, items: pa.Table, run: Run) -> Self:
        """Nothing is learned. Raises ``CannotFit`` where there is no text, or the extra is not installed."""
        content.check(items, self.config)
        pretrained.require("tokenizers", extra="static")
        missing = [str(path) for path in (WEIGHTS, TOKENS) if not (self._folder / path).exists()]
        if missing:
            remedy = "Install the version that the extra names: pip install '.[static]'."
            raise CannotFit("the installed wordllama lacks files", value=missing, remedy=remedy)
        return self

    def encode(self, items: pa.Table, run: Run) -> Floats:
        """One row an item; zero where it has no text."""
        texts = content.texts(items, self.config)
        out = np.zeros((len(texts), self.dim), np.float32)
        chunks = range(0, len(texts), CHUNK)
        for start in run.progress.track(chunks, f"static: {len(texts)} texts to encode", len(chunks)):
            out[start : start + CHUNK] = unit(self._sums(texts[start : start + CHUNK]))
        return out

    @property
    def fingerprint(self) -> str:
        """Configuration and the weights."""
        return f"{super().fingerprint}-{pretrained.weights_digest(self._folder / WEIGHTS)}"

    @property
    def _folder(self) -> Path:
        return pretrained.package_folder(PACKAGE, "static")

    @cached_property
    def _vectors(self) -> Floats:
        return load_state(self._folder / WEIGHTS)["embedding.weight"].astype(np.float32)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokens = Tokenizer.from_file(str(self._folder / TOKENS))
        tokens.no_padding()
        tokens.no_truncation()
        tokens.encode_special_tokens = True  # special tokens written in a text are plain text
        return tokens

    def _sums(self, texts: list[str]) -> Floats:
        found = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        rows = Ragged.of([encoding.ids for encoding in found])
        parts = np.ones(len(rows.values), np.float32), rows.values, rows.offsets
        counts = csr_array(parts, shape=(len(texts), len(self._vectors)))
        return np.asarray(counts @ self._vectors, np.float32)
