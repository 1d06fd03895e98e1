from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from accord.core.config import Config
from accord.core.digest import code_digest, digest_of
from accord.core.errors import InputError
from accord.testing.planted import checkerboard


class Small(Config):
    k: int = 3


class Other(Config):
    k: int = 3


@dataclass
class Pair:
    a: object
    b: object = None


DIFFERENT = [
    None,
    0,
    False,
    0.0,
    "0",
    "",
    [],
    [0],
    [[0], []],
    [[], [0]],
    ["ab", "c"],
    ["a", "bc"],
    {},
    {"a": 1, "b": 2},
    {"b": 2, "a": 1},
    Pair(1),
    Pair(None, 1),
    Small(),
    Small(k=4),
    Other(),
    np.zeros(2, np.float32),
    np.zeros(2, np.int32),
    np.zeros((2, 1), np.float32),
    np.zeros(0),
    np.array(["a", None], object),
    np.array(0.0),
    np.float32(0),
    csr_array(np.eye(2, dtype=np.float32)),
    csr_array(np.eye(2, 3, dtype=np.float32)),
]


def test_different_values_have_different_digests() -> None:
    digests = [digest_of(value) for value in DIFFERENT]
    assert len(set(digests)) == len(digests)
    assert digests == [digest_of(value) for value in DIFFERENT]
    assert digest_of(1, 2) != digest_of(12)


def test_layout_in_memory_does_not_matter() -> None:
    values = np.arange(6.0).reshape(2, 3)
    assert digest_of(values) == digest_of(np.asfortranarray(values))
    assert digest_of(values[:, ::2]) == digest_of(values[:, ::2].copy())


def test_what_has_no_digest_is_refused_and_not_overlooked() -> None:
    with pytest.raises(InputError, match="no digest"):
        digest_of({"a": [object()]})


def test_a_dataset_is_its_tables_its_order_and_its_encoded_columns() -> None:
    data = checkerboard().data
    vectors = {name: values.copy() for name, values in data.vectors.items()}
    assert replace(data, vectors=vectors).digest == data.digest
    vectors["minilm"][3, 5] += 1e-6
    changed = [
        replace(data, vectors=vectors),
        replace(data, vectors={}),
        replace(data, order="row"),
        data.with_events(np.arange(data.n_events) > 0),
        replace(data, users=data.users.append_column("age", pa.nulls(data.n_users))),
    ]
    assert len({data.digest, *(other.digest for other in changed)}) == 1 + len(changed)


def test_the_code_has_one_digest() -> None:
    assert code_digest() == code_digest()
    assert len(code_digest()) == 64
