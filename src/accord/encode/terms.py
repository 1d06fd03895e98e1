"""What the sparse encoders share: named columns with idf weights, kept as arrays; the choice of terms."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Longs, offsets_of
from accord.core.errors import ArtefactError, CannotFit
from accord.core.part import State
from accord.core.roles import Encoder


class TermEncoder(Encoder):
    """An encoder whose every column is a named term with an idf weight."""

    learned: ClassVar[tuple[str, ...]] = ("idf",)
    idf: Floats
    """``float32[terms]``."""
    vocabulary: list[str]
    """The name of each column."""

    def words(self, column: int) -> str:
        """The name of a column, for explanations."""
        return self.vocabulary[column]

    @property
    def fingerprint(self) -> str:
        """Class, configuration, and a hash of the learned arrays."""
        return f"{super().fingerprint}-{digest(self.state())}"

    def state(self) -> State:
        """The learned arrays, and the names as UTF-8 bytes with offsets."""
        return super().state() | pack("vocabulary", self.vocabulary)

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave."""
        super().load_state(arrays)
        self._name(unpack("vocabulary", arrays))
        return self

    def _learn(self, rows: Iterable[list[str]], n: int, least: int, most: int) -> None:
        """Keep the terms in at least ``least`` of the ``n`` rows, at most ``most`` of them, in alphabetical order."""
        index: dict[str, int] = {}
        df = document_frequency(count(rows, index, grow=True))
        names = sorted(index)
        df = df[[index[name] for name in names]]
        kept = frequent(df, least, most)
        if not len(kept):
            raise CannotFit(f"no term is in {least} items", value=names[:10], remedy="Lower `min_df`.")
        self._name([names[number] for number in kept])
        self.idf = self._rarity(df[kept], n)

    def _rarity(self, df: Longs, n: int) -> Floats:
        return smooth_idf(df, n)

    def _weigh(self, rows: Iterable[list[str]], sublinear: bool) -> csr_array:
        return weighted(count(rows, self._numbers), self.idf, sublinear)

    def _name(self, names: list[str]) -> None:
        self.vocabulary, self.dim = names, len(names)
        self._numbers = {term: number for number, term in enumerate(names)}  # once: a single item must be quick


def count(rows: Iterable[list[str]], index: dict[str, int], grow: bool = False) -> csr_array:
    """``int32[n, terms]``: how often each row has each term of ``index``; ``grow`` gives new terms new numbers."""
    columns, lengths = array("i"), array("q")
    for row in rows:
        known = [index.setdefault(term, len(index)) for term in row] if grow else [*map(index.get, row)]
        found = [number for number in known if number is not None]
        columns.extend(found)
        lengths.append(len(found))
    parts = np.ones(len(columns), np.int32), np.frombuffer(columns, np.int32), offsets_of(lengths)
    counts = csr_array(parts, shape=(len(lengths), len(index)))
    counts.sum_duplicates()
    return counts


def digest(arrays: State) -> str:
    """Short SHA-256 of arrays with their names."""
    seen = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        seen.update(f"{name} {values.dtype} {values.shape} ".encode() + values.tobytes())
    return seen.hexdigest()[:16]


def pack(name: str, words: Sequence[str]) -> State:
    """Strings as two arrays: their UTF-8 bytes and where each begins (safetensors keeps no strings)."""
    encoded = [word.encode() for word in words]
    letters = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return {f"{name}.bytes": letters, f"{name}.offsets": offsets_of([len(word) for word in encoded])}


def unpack(name: str, arrays: State) -> list[str]:
    """The strings that ``pack`` put away. Raises ``ArtefactError`` where the arrays are missing or damaged."""
    try:
        letters, offsets = arrays[f"{name}.bytes"].tobytes(), arrays[f"{name}.offsets"].tolist()
    except KeyError as missing:
        raise ArtefactError(f"the array {missing} is missing", remedy="Train it again.") from None
    if not offsets or offsets[0] != 0 or offsets[-1] != len(letters) or (np.diff(offsets) < 0).any():
        raise ArtefactError(f"the offsets of {name!r} do not fit its bytes", remedy="Train it again.")
    try:
        return [letters[a:b].decode() for a, b in pairwise(offsets)]
    except UnicodeDecodeError as error:
        raise ArtefactError(f"{name!r} is not UTF-8 ({error})", remedy="Train it again.") from None


def frequent(df: NDArray[np.integer], least: int, most: int) -> Longs:
    """Numbers of the terms in at least ``least`` items, in their order; the ``most`` commonest where there are more."""
    kept = np.flatnonzero(df >= least)
    if len(kept) <= most:
        return kept
    return np.sort(kept[np.argsort(-df[kept], kind="stable")[:most]])


def document_frequency(counts: csr_array) -> Longs:
    """``int64[terms]``: how many rows have each term."""
    return np.bincount(counts.indices, minlength=counts.shape[1])


def smooth_idf(df: NDArray[np.integer], n: int) -> Floats:
    """``log((1 + n) / (1 + df)) + 1``, as scikit-learn smooths it."""
    return (np.log((1 + n) / (1 + df)) + 1).astype(np.float32)


def plain_idf(df: NDArray[np.integer], n: int) -> Floats:
    """``log((1 + n) / df)``: what everything has weighs next to nothing, but never nothing."""
    return np.log((1 + n) / df).astype(np.float32)


def weighted(counts: csr_array, idf: Floats, sublinear: bool) -> csr_array:
    """Counts to tf-idf rows of unit length (rows without terms stay zero)."""
    tf = np.log(counts.data) + 1 if sublinear else counts.data
    data = tf.astype(np.float32) * idf[counts.indices]
    return unit_rows(csr_array((data, counts.indices, counts.indptr), shape=counts.shape))


def unit_rows(matrix: csr_array) -> csr_array:
    """Each row divided by its length; zero rows stay zero."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    square = np.bincount(rows, weights=matrix.data.astype(np.float64) ** 2, minlength=matrix.shape[0])
    length = np.sqrt(np.where(square > 0, square, 1.0))
    data = (matrix.data / length[rows]).astype(np.float32)
    return csr_array((data, matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)), shape=matrix.shape)
