"""Arrow tables: Parquet files, and a hash of what a table holds that does not depend on how it lies in memory."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from accord.core.arrays import Names
from accord.core.errors import DataError


class _Digest(Protocol):
    def update(self, data: Any, /) -> None: ...


def read_table(path: Path) -> pa.Table:
    """Read a Parquet file. Raises ``DataError`` where it is missing or damaged."""
    try:
        return pq.read_table(path)  # pyright: ignore[reportUnknownMemberType]
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"not a readable Parquet file ({error})", place=str(path), remedy="Import the data again."
        ) from None


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet file."""
    pq.write_table(table, path)  # pyright: ignore[reportUnknownMemberType]


def names(table: pa.Table, column: str) -> Names:
    """``object[rows]``: a column as Python values."""
    values = table[column].to_pylist()
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def fingerprint(tables: Mapping[str, pa.Table], label: str) -> str:
    """SHA-256 over a label and the names, columns and values of tables: neither chunks, nor encodings, nor padding."""
    digest = sha256(label.encode())
    for name in sorted(tables):
        table = tables[name]
        _add_text(digest, name)
        for column in table.column_names:
            _add_text(digest, column)
            _add(digest, _plain(table[column]))
    return digest.hexdigest()


def _add_text(digest: _Digest, text: str) -> None:
    digest.update(f"{len(text)}:{text}".encode())


def _plain(column: pa.ChunkedArray[Any]) -> Any:
    """One contiguous array, without dictionary, in the type that a Parquet file gives back."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if is_text(kind):
        column = column.cast(pa.large_string())  # so that more than 2 GiB fit one array
    elif pa.types.is_timestamp(kind) and kind.unit == "s":
        column = column.cast(pa.timestamp("ms", kind.tz))
    return column.combine_chunks()


def is_text(kind: pa.DataType) -> bool:
    """Whether it is one of Arrow's kinds of text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _add(digest: _Digest, array: Any) -> None:
    """Hash one array: its length, where it is null, and its values, nested ones in turn."""
    _add_text(digest, str(len(array)))
    digest.update(np.packbits(array.is_valid().to_numpy(zero_copy_only=False)))
    kind, some = array.type, array.drop_null()
    if pa.types.is_null(kind):
        return
    if is_text(kind):
        _add_strings(digest, some.cast(pa.large_string()))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        digest.update(b"list" + np.asarray(pc.list_value_length(some), np.int64).tobytes())
        _add(digest, _plain(pa.chunked_array([some.flatten()])))
    elif pa.types.is_struct(kind):
        struct: Any = kind
        for number, values in enumerate(some.flatten()):
            _add_text(digest, struct.field(number).name)
            _add(digest, _plain(pa.chunked_array([values])))
    else:
        _add_text(digest, str(kind))
        values = some.to_numpy(zero_copy_only=False)
        digest.update(repr(values.tolist()).encode() if values.dtype == object else values.tobytes())


def _add_strings(digest: _Digest, array: Any) -> None:
    """Hash a large_string array without nulls: the lengths and all characters in one piece."""
    _, offsets, characters = array.buffers()
    bounds = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1] if len(array) else [0, 0]
    digest.update(b"text" + np.diff(bounds).tobytes())
    digest.update(memoryview(characters or b"")[bounds[0] : bounds[-1]])
