"""Learned arrays on disk: safetensors files, never pickles."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file  # pyright: ignore[reportUnknownVariableType]

from accord.core.errors import ArtefactError
from accord.core.part import State


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
