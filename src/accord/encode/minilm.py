"""Sentence vectors of a small pretrained transformer: all-MiniLM-L6-v2 (Wang et al. 2020), 384 numbers a text."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field

from accord.core.arrays import Floats
from accord.core.config import Config
from accord.core.run import Run
from accord.encode import content, pretrained
from accord.encode.sentences import SentenceEncoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

RECIPE = 1
"""Raised when composed text or pooling changes, so that older cached vectors are left alone."""


class MiniLMConfig(content.Content):
    """Settings of ``MiniLM``."""

    model: str = "minilm"
    """Which pretrained model."""
    max_tokens: int = Field(default=128, ge=3, le=256)
    """Longer texts are cut; cost grows with it."""
    backend: Literal["auto", "onnx", "torch"] = "auto"
    """``auto``: ONNX Runtime on a CPU where it is installed and there is a cache for the graph, else torch."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where torch computes."""
    batch_tokens: int = Field(default=512, ge=1)
    """Tokens computed at a time, padding included: few stay in a CPU's cache (twice as fast); a GPU likes thousands."""


class MiniLM(SentenceEncoder):
    """Dense ``float32[n, 384]``, rows of unit length, cached by the text's hash; English above all."""

    Config: ClassVar[type[Config]] = MiniLMConfig
    label: ClassVar[str] = "minilm"
    config: MiniLMConfig
    dim = 384
    _forward: pretrained.Forward | None = None

    def fit(self, items: pa.Table, run: Run) -> Self:
        """Nothing is learned. Raises ``CannotFit`` where there is no text, or the extra ``text`` is not installed."""
        content.check(items, self.config)
        pretrained.require("tokenizers")
        pretrained.model_folder(self.config.model)
        return self

    @property
    def fingerprint(self) -> str:
        """The weights and how many tokens they see; the text itself is the cache's key."""
        return f"{self.config.model}-{pretrained.model_digest(self._folder)}-{self.config.max_tokens}-r{RECIPE}"

    @cached_property
    def _folder(self) -> Path:
        return pretrained.model_folder(self.config.model)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return pretrained.tokenizer(self._folder, self.config.max_tokens)

    def _compute(self, texts: list[str], run: Run) -> Floats:
        if self._forward is None:
            self._forward = self._backend(run)
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        out = np.empty((len(texts), self.dim), np.float32)
        for taken, ids, mask in pretrained.batches(rows, self.config.batch_tokens):
            out[taken] = self._forward(ids, mask)
        return out

    def _backend(self, run: Run) -> pretrained.Forward:
        chosen = self.config.backend
        fits = run.cache is not None and self.config.device == "cpu" and pretrained.installed("onnxruntime", "onnx")
        if chosen == "onnx" or (chosen == "auto" and fits):
            return self._onnx(run)
        return self._torch()

    def _torch(self) -> pretrained.Forward:
        pretrained.require("torch", "transformers")
        from accord.encode.neural import SentenceModel, TorchForward

        return TorchForward(SentenceModel(self._folder), self.config.device)

    def _onnx(self, run: Run) -> pretrained.Forward:
        """The kept graph, or a fresh one that was checked against torch; torch itself where the check fails."""
        pretrained.require("onnxruntime")
        from accord.encode import exported

        folder = run.cache / "onnx" if run.cache is not None else None
        name = f"{self.config.model}-{pretrained.model_digest(self._folder)}-r{RECIPE}"
        kept = exported.stored(folder, name) if folder is not None else None
        if kept is not None:
            return exported.OnnxForward(kept)
        pretrained.require("onnx", "torch", "transformers")
        from accord.encode.neural import SentenceModel, TorchForward

        model = SentenceModel(self._folder)
        graph = exported.export(model)
        forward = exported.OnnxForward(graph)
        off = exported.deviation(forward, model)
        if off > exported.TOLERANCE:
            run.progress.note(f"minilm: the ONNX graph differs from torch by {off:.2g}; torch is used")
            return TorchForward(model)
        if folder is not None:
            exported.store(folder, name, graph)
        return forward
