"""Learned arrays on disk: safetensors files, never pickles."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file  # pyright: ignore[reportUnknownVariableType]

from accord.core.errors import ArtefactError
from accord.core.part import State

_KINDS = {"BOOL": "?", "U8": "u1", "I8": "i1"} | {
    f"{letter.upper()}{8 * size}": f"<{letter}{size}" for letter in "uif" for size in (2, 4, 8)
}
"""Number formats by their names in the file."""


def save_state(path: Path, arrays: State) -> None:
    """Write the arrays to ``path`` (a ``.safetensors`` file)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not ascontiguousarray, which would make a vector of a single number.
    save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, path)


def load_state(path: Path) -> State:
    """Read the arrays of ``path``. Raises ``ArtefactError`` where the file is missing or damaged."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise ArtefactError("the file is missing", place=str(path), remedy="Train again.") from None
    except (SafetensorError, OSError, TypeError) as error:  # TypeError: a number format that NumPy lacks
        raise ArtefactError(f"not a readable safetensors file ({error})", place=str(path)) from None


def map_state(path: Path) -> State:
    """As ``load_state``, without reading: the arrays lie in the file, and all processes that map it share its memory.

    Writing to one changes the own copy of its pages, never the file. Raises ``ArtefactError`` where the file is missing
    or damaged.
    """
    try:
        with safe_open(path, "np"):  # checks the header: lengths, offsets, names
            pass
        whole = np.memmap(path, np.uint8, mode="c")
        length = int.from_bytes(whole[:8].tobytes(), "little")
        entries = json.loads(whole[8 : 8 + length].tobytes())
        entries.pop("__metadata__", None)
        data = np.asarray(whole[8 + length :])
        return {name: _mapped(data, entry) for name, entry in entries.items()}
    except FileNotFoundError:
        raise ArtefactError("the file is missing", place=str(path), remedy="Train again.") from None
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ArtefactError(f"not a readable safetensors file ({error})", place=str(path)) from None


def _mapped(data: NDArray[np.uint8], entry: dict[str, Any]) -> NDArray[Any]:
    start, stop = entry["data_offsets"]
    return data[start:stop].view(_KINDS[entry["dtype"]]).reshape(entry["shape"])


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
