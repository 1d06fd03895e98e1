"""Several encoders side by side as one space: the likeness of two items is the weighted mean of their likenesses."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator
from scipy.sparse import csr_array, hstack

from accord.core import catalog
from accord.core.arrays import Matrix
from accord.core.config import Config
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.part import State, under
from accord.core.roles import Encoder
from accord.core.run import Run
from accord.encode.sentences import unit
from accord.encode.terms import unit_rows


class ConcatConfig(Config):
    """Settings of ``Concat``."""

    parts: tuple[dict[str, Any], ...] = Field(min_length=1)
    """One table an encoder: its ``kind``, its own settings, and its ``weight`` (1 where none is given)."""

    @field_validator("parts")
    @classmethod
    def _good_parts(cls, parts: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for part in parts:
            weight = part.get("weight", 1.0)
            if "kind" not in part:
                raise ValueError("each part is a table with a kind")
            if not isinstance(weight, (int, float)) or not 0 < weight < np.inf:
                raise ValueError("a weight is a number above zero")
        return parts


class Concat(Encoder):
    """``float32[n, sum of dims]``, rows of unit length: sparse where one part is, else dense.

    The cosine of two items that have content for every part is ``sum(w cos) / sum(w)`` over the parts. For fewer or
    whitened numbers wrap it in ``projection``.
    """

    Config: ClassVar[type[Config]] = ConcatConfig
    config: ConcatConfig

    def __init__(self, config: Config | None = None, **values: Any) -> None:
        super().__init__(config, **values)
        self.parts = [_made(part, number) for number, part in enumerate(self.config.parts)]

    def fit(self, items: pa.Table, run: Run) -> Self:
        """Fit each part. Raises ``CannotFit`` where one of them cannot be fitted."""
        for part in self.parts:
            part.fit(items, run)
        return self

    @property
    def learns_from_events(self) -> bool:
        """Whether one of the parts does."""
        return any(part.learns_from_events for part in self.parts)

    def learn(self, data: Dataset, run: Run) -> Self:
        """The same with parts that may learn from events."""
        for part in self.parts:
            part.learn(data, run)
        return self

    @property
    def dim(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Width of all parts together."""
        return sum(part.dim for part in self.parts)

    def encode(self, items: pa.Table, run: Run) -> Matrix:
        """One row an item; a part without content for the item leaves the likeness to the others."""
        # Rows of unit length scaled by the root of the weight: so it is the cosines that are weighted.
        scales = [float(np.sqrt(part.get("weight", 1.0))) for part in self.config.parts]
        blocks = [part.encode(items, run) * np.float32(s) for part, s in zip(self.parts, scales, strict=True)]
        dense = [block for block in blocks if not isinstance(block, csr_array)]
        if len(dense) < len(blocks):
            return unit_rows(csr_array(hstack([csr_array(block) for block in blocks], format="csr")))
        return unit(np.concatenate(dense, axis=1))

    @property
    def fingerprint(self) -> str:
        """Configuration, and what each part depends on."""
        inner = " ".join(part.fingerprint for part in self.parts)
        return f"{super().fingerprint}-{hashlib.sha256(inner.encode()).hexdigest()[:16]}"

    def state(self) -> State:
        """Each part's arrays, with its number before their names."""
        states = [(f"{number}.", part.state()) for number, part in enumerate(self.parts)]
        return {prefix + name: array for prefix, state in states for name, array in state.items()}

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave."""
        for number, part in enumerate(self.parts):
            part.load_state(under(arrays, f"{number}."))
        return self


def _made(part: dict[str, Any], number: int) -> Encoder:
    settings = {name: value for name, value in part.items() if name not in ("kind", "weight")}
    try:
        return catalog.find("encoders", part["kind"])(**settings)
    except InputError as error:
        raise InputError(f"parts[{number}] cannot be built ({error})", place="Concat", value=part) from None
