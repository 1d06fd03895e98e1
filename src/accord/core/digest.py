"""One digest of whatever a result depends on: arrays, tables, configurations, and data made of them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.sparse import csr_array

from accord.core.errors import InputError


@runtime_checkable
class Digested(Protocol):
    """Something that knows its own digest: a configuration, a dataset."""

    @property
    def digest(self) -> str:
        """The same for equal content on every machine."""
        ...


class _Sink(Protocol):
    def update(self, data: Any, /) -> None: ...


def digest_of(*values: Any) -> str:
    """SHA-256 over values and their types; equal digests mean equal content.

    Takes arrays, sparse matrices, plain values, mappings, sequences, dataclasses and whatever is ``Digested``. Raises
    ``InputError`` for anything else: a digest that overlooks something would be worse than none.
    """
    sink = hashlib.sha256()
    _add(sink, values)
    return sink.hexdigest()


@cache
def code_digest() -> str:
    """SHA-256 over the source of this package and the versions of everything installed beside it."""
    root = Path(__file__).parents[1]
    files = sorted(path for path in root.rglob("*") if path.suffix in (".py", ".toml"))
    sources = {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return digest_of(sources, sorted(f"{one.name}=={one.version}" for one in distributions()))


def _add(sink: _Sink, value: Any) -> None:
    """Each value is preceded by its type and size, so that no two different ones run together."""
    if value is None or _is(value, bool, int, float, str, np.generic):
        text = repr(value)
        sink.update(f"{type(value).__name__} {len(text)} {text}\n".encode())
    elif _is(value, Digested):
        _add(sink, f"{type(value).__qualname__} {value.digest}")
    elif _is(value, np.ndarray):
        _add_array(sink, value)
    elif _is(value, csr_array):
        _add(sink, ("csr", list(value.shape), value.data, value.indices, value.indptr))
    elif _is(value, Mapping):
        _add(sink, ("mapping", *(part for pair in value.items() for part in pair)))
    elif _is(value, list, tuple):
        sink.update(f"sequence {len(value)}\n".encode())
        for entry in value:
            _add(sink, entry)
    elif dataclasses.is_dataclass(value):
        _add(sink, type(value).__qualname__)
        for field in dataclasses.fields(value):
            _add(sink, (field.name, getattr(value, field.name)))
    else:
        raise InputError("no digest is defined for this type", value=type(value).__qualname__)


def _is(value: Any, *kinds: type[Any]) -> bool:
    return isinstance(value, kinds)


def _add_array(sink: _Sink, array: Any) -> None:
    sink.update(f"array {array.dtype.str} {array.shape}\n".encode())
    if array.dtype == object:
        _add(sink, array.tolist())
    elif array.size:
        sink.update(np.ascontiguousarray(array).data.cast("B"))
