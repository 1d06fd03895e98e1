"""Vectors from an embeddings endpoint that speaks as OpenAI's does: a service, or a server of one's own."""

from __future__ import annotations

import hashlib
import ipaddress
import os
from typing import ClassVar, Self
from urllib.parse import urlsplit

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from accord.core.arrays import Floats
from accord.core.config import Config
from accord.core.errors import InputError
from accord.core.run import Run
from accord.encode import content, pretrained
from accord.encode.sentences import SentenceEncoder, unit

RECIPE = 1
"""Raised when composed text changes, so that older cached vectors are left alone."""


class OpenAIConfig(content.Content):
    """Settings of ``OpenAI``. The key itself is never one of them, so that no artefact can hold it."""

    base_url: str = Field(default="https://api.openai.com/v1", max_length=2000)
    """Where the endpoint lies; ``/embeddings`` is added."""
    model: str = Field(default="text-embedding-3-small", min_length=1, max_length=200)
    """The model's name there."""
    dimensions: int | None = Field(default=None, ge=1, le=100_000)
    """Width to ask for; None: the model's own (one text is sent at each fit to learn it)."""
    key_variable: str = Field(default="OPENAI_API_KEY", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")
    """The environment variable that holds the key; empty: the endpoint wants none."""
    texts: int = Field(default=64, ge=1, le=2048)
    """Texts a request; each answer is kept before the next request."""
    budget: int = Field(default=100_000, ge=1)
    """The most texts that this encoder sends; what was answered stays in the cache."""
    timeout: float = Field(default=30.0, gt=0, le=3600)
    """Seconds to wait for a connection, and for each piece of an answer."""
    retries: int = Field(default=5, ge=0, le=20)
    """How often a request is repeated that met a busy or broken server."""
    wait: float = Field(default=1.0, ge=0, le=60)
    """Seconds before the first repetition; doubled each time, and at most a minute."""

    @field_validator("base_url")
    @classmethod
    def _good_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address begins with http:// or https:// and names a host")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("no user, key or query may stand in the address: it is saved")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        parts = urlsplit(self.base_url)
        if self.key_variable and parts.scheme == "http" and not _local(parts.hostname or ""):
            raise ValueError("a key is sent over https only, or to this machine")
        return self


class OpenAI(SentenceEncoder):
    """Dense ``float32[n, dim]``, rows of unit length, cached by the text's hash, so that nothing is paid for twice."""

    Config: ClassVar[type[Config]] = OpenAIConfig
    label: ClassVar[str] = "embeddings endpoint"
    learned: ClassVar[tuple[str, ...]] = ("dim",)
    config: OpenAIConfig
    sent: int = 0
    """Texts sent so far."""

    def fit(self, items: pa.Table, run: Run) -> Self:
        """Nothing is learned but the width. Raises ``CannotFit`` where there is no text or the extra is missing,
        ``InputError`` where the key is missing or the endpoint does not answer."""
        content.check(items, self.config)
        pretrained.require("httpx2", extra="openai")
        self._key()
        if self.config.dimensions is not None:
            self.dim = self.config.dimensions
        else:
            self.dim = self._ask(["width"], run).shape[1]
        return self

    @property
    def batch(self) -> int:
        """Texts a request."""
        return self.config.texts

    @property
    def fingerprint(self) -> str:
        """Endpoint, model and width; the service may change the model under its name without our knowing."""
        named = f"{self.config.base_url} {self.config.model} {self.config.dimensions}"
        return f"openai-{hashlib.sha256(named.encode()).hexdigest()[:16]}-r{RECIPE}"

    def _compute(self, texts: list[str], run: Run) -> Floats:
        rows = self._ask(texts, run)
        if rows.shape[1] != self.dim:
            remedy = "Set `dimensions` to what the model gives, or train again."
            raise InputError(f"vectors of {self.dim} numbers were expected", value=rows.shape[1], remedy=remedy)
        return unit(rows)

    def _ask(self, texts: list[str], run: Run) -> Floats:
        if self.sent + len(texts) > self.config.budget:
            remedy = "Raise `budget`; what was answered is kept, and a new run goes on from there."
            raise InputError("more texts would be sent than the budget allows", value=self.config.budget, remedy=remedy)
        from accord.encode.endpoint import Endpoint

        self.sent += len(texts)
        given = {"model": self.config.model, "input": texts, "encoding_format": "float"}
        if self.config.dimensions is not None:
            given["dimensions"] = self.config.dimensions
        url = f"{self.config.base_url}/embeddings"
        endpoint = Endpoint(url, self._key(), self.config.timeout, self.config.retries, self.config.wait)
        return endpoint.vectors(given, len(texts), run)

    def _key(self) -> str | None:
        name = self.config.key_variable
        if not name:
            return None
        if not os.environ.get(name):
            remedy = "Set it to the key, or set `key_variable` to an empty text where the endpoint wants none."
            raise InputError("the environment variable is not set", place="key_variable", value=name, remedy=remedy)
        return os.environ[name]


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
