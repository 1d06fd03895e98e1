"""Any sentence-transformers model, by hub name or as a local folder: safetensors weights, and no code but ours."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field

from accord.core.arrays import Floats
from accord.core.config import Config
from accord.core.errors import InputError
from accord.core.run import Run
from accord.core.state import file_digest
from accord.encode import content, pretrained
from accord.encode.sentences import SentenceEncoder, unit

NEEDED = ("*.safetensors", "*.json", "*.txt", "*.model")
"""What is fetched from the hub: weights, settings, vocabularies; no pickles and no programs."""
REMEDY = "Name a model that the network can reach, or a folder with modules.json and safetensors weights."


class SentenceTransformersConfig(content.Content):
    """Settings of ``SentenceTransformers``."""

    model: str = Field(default="sentence-transformers/all-MiniLM-L6-v2", min_length=1, max_length=4096)
    """A folder, or a name on the Hugging Face hub."""
    revision: str | None = Field(default=None, max_length=200)
    """Commit, tag or branch on the hub; a commit makes the vectors repeatable for ever."""
    prompt: str = Field(default="", max_length=1000)
    """What the model wants in front of every text, such as ``passage:`` and a space."""
    max_tokens: int | None = Field(default=None, ge=3)
    """Longer texts are cut; None: where the model itself cuts them."""
    texts: int = Field(default=32, ge=1)
    """Texts computed at a time."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where torch computes."""


class SentenceTransformers(SentenceEncoder):
    """Dense ``float32[n, dim]``, rows of unit length, cached by the text's hash (Reimers & Gurevych 2019).

    Code that comes with a model is never run, and weights that are pickled are never opened.
    """

    Config: ClassVar[type[Config]] = SentenceTransformersConfig
    label: ClassVar[str] = "sentence-transformers"
    learned: ClassVar[tuple[str, ...]] = ("dim",)
    config: SentenceTransformersConfig

    def fit(self, items: pa.Table, run: Run) -> Self:
        """Load the model, nothing is learned. Raises ``CannotFit`` where there is no text or the extra is missing,
        ``InputError`` where the model cannot be had."""
        content.check(items, self.config)
        pretrained.require("sentence_transformers", extra="st")
        self.dim = int(self._model.get_embedding_dimension())
        return self

    @property
    def fingerprint(self) -> str:
        """Weights and settings of the model, the prompt, and how many tokens it sees."""
        seen = hashlib.sha256(f"{_digest(self._folder)} {self.config.max_tokens} {self.config.prompt}".encode())
        return f"st-{seen.hexdigest()[:16]}"

    @cached_property
    def _folder(self) -> Path:
        local = Path(self.config.model)
        folder = local if local.is_dir() else _fetched(self.config.model, self.config.revision)
        _refuse_pickles(folder)
        return folder

    @cached_property
    def _model(self) -> Any:
        from sentence_transformers import SentenceTransformer

        from accord.encode.neural import quiet

        given = {"trust_remote_code": False, "local_files_only": True, "model_kwargs": {"use_safetensors": True}}
        try:
            with quiet():
                model = SentenceTransformer(str(self._folder), device=self.config.device, **given)
        except (OSError, ValueError, KeyError, ImportError) as error:
            problem = f"not a model that can be loaded ({_short(error)})"
            raise InputError(problem, place="model", value=self.config.model, remedy=REMEDY) from None
        if self.config.max_tokens is not None:
            model.max_seq_length = self.config.max_tokens
        return model

    def _compute(self, texts: list[str], run: Run) -> Floats:
        given = [self.config.prompt + text for text in texts]
        rows = self._model.encode(given, batch_size=self.config.texts, show_progress_bar=False, prompt="")
        return unit(np.asarray(rows, np.float32))


def _fetched(name: str, revision: str | None) -> Path:
    """The folder of a hub model, fetched where it is not kept yet."""
    from huggingface_hub import snapshot_download

    from accord.encode.neural import quiet

    try:
        with quiet():
            return Path(snapshot_download(name, revision=revision, allow_patterns=list(NEEDED)))
    except (OSError, ValueError) as error:
        problem = f"no such folder, and the model cannot be fetched ({_short(error)})"
        raise InputError(problem, place="model", value=name, remedy=REMEDY) from None


def _refuse_pickles(folder: Path) -> None:
    """Raises ``InputError`` where a module of the model has its weights in a pickle only."""
    for pickled in sorted(folder.rglob("pytorch_model*.bin")):
        if not any(pickled.parent.glob("*.safetensors")):
            remedy = "Convert it: load it where you trust it, and save it with safe_serialization=True."
            raise InputError("pickled weights are never opened", place="model", value=str(pickled), remedy=remedy)


def _digest(folder: Path) -> str:
    """SHA-256 over the names and contents of weights and settings."""
    seen = hashlib.sha256()
    for pattern in NEEDED:
        for path in sorted(folder.rglob(pattern)):
            seen.update(f"{path.relative_to(folder)} {file_digest(path)} ".encode())
    return seen.hexdigest()


def _short(error: Exception) -> str:
    """The first line of a library's message, bounded."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
