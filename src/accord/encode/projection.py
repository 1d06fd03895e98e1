"""Another encoder's vectors on their main axes: fewer numbers, and whitened, so that common directions weigh less."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import Field
from scipy.sparse import csr_array
from sklearn.utils.extmath import randomized_svd

from accord.core import catalog
from accord.core.arrays import Bools, Floats, Matrix
from accord.core.config import Config
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.part import State, prefixed, under
from accord.core.roles import Encoder
from accord.core.run import Run
from accord.encode.terms import digest

RANK = 1e-6
"""Axes with less than this share of the largest variance are noise, and whitening would blow it up."""
INNER = "of."


class ProjectionConfig(Config):
    """Settings of ``Projection``."""

    of: str = "minilm"
    """The kind of encoder whose vectors are projected."""
    params: dict[str, Any] = Field(default_factory=dict)
    """That encoder's own settings."""
    dim: int = Field(default=128, ge=1)
    """Most axes kept; fewer where the vectors span fewer."""
    whiten: bool = True
    """Scale every axis to variance one before rows are scaled to unit length."""


class Projection(Encoder):
    """Dense ``float32[n, dim]``, rows of unit length: PCA of dense vectors, truncated SVD of sparse ones.

    Sparse vectors are not centred, which keeps them sparse; whitening then makes their second moment the identity.
    """

    Config: ClassVar[type[Config]] = ProjectionConfig
    learned: ClassVar[tuple[str, ...]] = ("mean", "axes")
    config: ProjectionConfig
    mean: Floats
    """``float32[inner dim]``; zero for sparse vectors."""
    axes: Floats
    """``float32[inner dim, dim]``."""

    def __init__(self, config: Config | None = None, **values: Any) -> None:
        super().__init__(config, **values)
        self.inner: Encoder = catalog.find("encoders", self.config.of)(**self.config.params)

    def fit(self, items: pa.Table, run: Run) -> Self:
        """Fit the inner encoder, then the axes. Raises ``CannotFit`` where its vectors do not vary."""
        self.inner.fit(items, run)
        return self._project(items, run)

    @property
    def learns_from_events(self) -> bool:
        """Whether the inner encoder does."""
        return self.inner.learns_from_events

    def learn(self, data: Dataset, run: Run) -> Self:
        """The same with an inner encoder that may learn from events."""
        self.inner.learn(data, run)
        return self._project(data.items, run)

    def _project(self, items: pa.Table, run: Run) -> Self:
        vectors = self.inner.encode(items, run)
        some = vectors[_filled(vectors)]
        seed = int(run.rng("projection").integers(2**31))
        self.mean, self.axes = main_axes(some, self.config.dim, self.config.whiten, seed)
        self.dim = self.axes.shape[1]
        return self

    def encode(self, items: pa.Table, run: Run) -> Floats:
        """One row an item; zero where the inner encoder's is."""
        vectors = self.inner.encode(items, run)
        out = np.asarray(vectors @ self.axes - self.mean @ self.axes, np.float32)
        out[~_filled(vectors)] = 0
        length = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.where(length > 0, length, 1), np.float32)

    @property
    def fingerprint(self) -> str:
        """Configuration, the inner encoder, and a hash of the axes."""
        return f"{super().fingerprint}-{self.inner.fingerprint}-{digest(super().state())}"

    def state(self) -> State:
        """Mean and axes, and the inner encoder's arrays with a prefix."""
        return super().state() | prefixed(INNER, self.inner.state())

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave."""
        super().load_state(arrays)
        self.inner.load_state(under(arrays, INNER))
        self.dim = self.axes.shape[1]
        return self


def main_axes(vectors: Matrix, dim: int, whiten: bool, seed: int) -> tuple[Floats, Floats]:
    """Mean ``float32[d]`` and at most ``dim`` axes ``float32[d, k]``, so that ``(x - mean) @ axes`` is the projection.

    Whitened, the projected rows have the identity as covariance (dense) or second moment (sparse). Raises
    ``CannotFit`` where the rows do not vary.
    """
    if isinstance(vectors, csr_array):
        mean, (variance, axes) = np.zeros(vectors.shape[1]), _svd(vectors, dim, seed)
    else:
        mean = vectors.mean(axis=0, dtype=np.float64) if len(vectors) else np.zeros(vectors.shape[1])
        variance, axes = _pca(vectors, mean, dim)
    kept = variance > RANK * variance.max(initial=0)
    if not kept.any():
        raise CannotFit("the vectors to project do not vary", value=vectors.shape)
    axes = axes[:, kept] / (np.sqrt(variance[kept]) if whiten else 1)
    return mean.astype(np.float32), axes.astype(np.float32)


def _pca(vectors: Floats, mean: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
    width = vectors.shape[1]
    covariance = np.zeros((width, width))
    for start in range(0, len(vectors), 8192):
        centred = vectors[start : start + 8192] - mean
        covariance += centred.T @ centred
    variance, axes = np.linalg.eigh(covariance / max(len(vectors), 1))
    return variance[::-1][:dim], _upright(axes[:, ::-1][:, :dim])


def _svd(vectors: csr_array, dim: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    k = min(dim, *vectors.shape)
    if k == 0:
        return np.zeros(0), np.zeros((vectors.shape[1], 0))
    _, values, axes = randomized_svd(vectors, k, n_iter=5, random_state=seed)  # pyright: ignore[reportArgumentType]
    return np.asarray(values, np.float64) ** 2 / vectors.shape[0], _upright(np.asarray(axes).T)


def _upright(axes: np.ndarray) -> np.ndarray:
    """The axes turned so that each one's largest entry is positive: a sign that does not depend on the library."""
    largest = np.abs(axes).argmax(axis=0)
    return axes * np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1, 1)


def _filled(vectors: Matrix) -> Bools:
    """Which rows are not all zero."""
    if isinstance(vectors, csr_array):
        return np.diff(vectors.indptr) > 0
    return np.asarray(vectors.any(axis=1))
