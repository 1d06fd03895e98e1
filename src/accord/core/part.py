"""A part: frozen configuration, learned arrays, and nothing else that needs saving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from accord.core.config import Config, parse
from accord.core.errors import ArtefactError

State = dict[str, NDArray[Any]]


class Part:
    """Anything that is configured, learns arrays and is saved: encoders, sources, fusers.

    A subclass names its configuration in ``Config`` and its learned attributes (arrays or sparse matrices) in
    ``learned``; constructing, validating, saving and loading follow from these two.
    """

    Config: ClassVar[type[Config]] = Config
    learned: ClassVar[tuple[str, ...]] = ()
    learned_lately: ClassVar[tuple[str, ...]] = ()
    """Learned attributes that what was saved by earlier versions lacks; they are None there."""

    def __init__(self, config: Config | None = None, **values: Any) -> None:
        self.config: Any = config if config is not None else parse(self.Config, values, type(self).__name__)

    def state(self) -> State:
        """The learned arrays by name; a sparse matrix becomes four arrays ``name.data`` ... ``name.shape``."""
        names = (*self.learned, *(name for name in self.learned_lately if getattr(self, name) is not None))
        return pack({name: getattr(self, name) for name in names})

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where an array is missing."""
        for name in self.learned:
            setattr(self, name, unpack(arrays, name, type(self).__name__))
        for name in self.learned_lately:
            there = name in arrays or f"{name}.shape" in arrays
            setattr(self, name, unpack(arrays, name, type(self).__name__) if there else None)
        return self


_CSR = ("data", "indices", "indptr", "shape")


def _is_sparse(value: Any) -> bool:
    return isinstance(value, csr_array)


def under(arrays: State, prefix: str) -> State:
    """The arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def prefixed(prefix: str, arrays: State) -> State:
    """The arrays with a prefix before their names."""
    return {f"{prefix}{name}": values for name, values in arrays.items()}


def pack(values: Mapping[str, Any]) -> State:
    """Arrays and sparse matrices as arrays; a matrix becomes four, ``name.data`` ... ``name.shape``."""
    arrays: State = {}
    for name, value in values.items():
        if _is_sparse(value):
            arrays |= {f"{name}.{key}": np.asarray(getattr(value, key)) for key in _CSR}
        else:
            arrays[name] = np.asarray(value)
    return arrays


def unpack(arrays: State, name: str, owner: str) -> Any:
    """One array or sparse matrix of a state. Raises ``ArtefactError`` where it is missing or damaged."""
    if name in arrays:
        return arrays[name]
    try:
        data, indices, indptr, shape = (arrays[f"{name}.{key}"] for key in _CSR)
    except KeyError as missing:
        raise ArtefactError(
            f"the saved {owner} lacks the array {missing}",
            remedy="Train it again with this version of Accord.",
        ) from None
    try:
        rows, columns = (int(length) for length in shape)
        matrix = csr_array((data, indices, indptr), shape=(rows, columns))
        matrix.check_format(full_check=True)  # a stranger's file must not index outside its own arrays
    except (ValueError, TypeError) as error:
        raise ArtefactError(
            f"the saved matrix {name} of {owner} is damaged ({error})", remedy="Train it again."
        ) from None
    return matrix
