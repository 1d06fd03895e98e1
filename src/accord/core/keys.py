"""Values as numbers that are the same for the same value on every machine."""

from __future__ import annotations

import hashlib

import numpy as np

from accord.core.arrays import Longs, Names


def keys_of(values: Names) -> tuple[Longs, Longs]:
    """The row and the key of every value of an array; None is no value."""
    some = [(row, key_of(value)) for row, value in enumerate(values) if value is not None]
    table = np.array(some, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def key_of(value: object) -> int:
    """Eight bytes of a hash of a value's name; a whole number is the same whether it has a decimal point or not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return int.from_bytes(hashlib.blake2b(str(value).encode(), digest_size=8).digest(), signed=True)
