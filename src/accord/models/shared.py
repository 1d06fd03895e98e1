"""Matrices that several sources learn alike from the same data: worked out once, kept while one of them holds it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar
from weakref import ref

T = TypeVar("T")

_Known = tuple[tuple["ref[Any]", ...], "ref[Any]"]
_known: dict[tuple[Hashable, ...], _Known] = {}
"""What was worked out, by the identity of its inputs and the settings; weak, so nothing is kept alive from here."""


def shared(inputs: Sequence[Any], settings: tuple[Hashable, ...], make: Callable[[], T]) -> T:
    """``make()``, or what an earlier call made of the very same input objects and settings.

    The inputs (tables, vectors) and the result are never changed in place. Ten sources of a pipeline that read the
    same neighbours then cost the time and the memory of one.
    """
    key = (*map(id, inputs), *settings)
    held, found = _known.get(key, ((), _gone))
    matrix = found()
    if matrix is not None and all(one() is given for one, given in zip(held, inputs, strict=True)):
        return matrix
    matrix = make()
    for old in [old for old, (_, result) in _known.items() if result() is None]:
        del _known[old]
    _known[key] = (tuple(map(ref, inputs)), ref(matrix))
    return matrix


def _gone() -> None:
    """A reference to nothing."""
