"""Whether a dense matrix of items by items fits this machine."""

from __future__ import annotations

import os
import resource
from functools import cache
from pathlib import Path

from accord.core.errors import CannotFit

SHARE = 0.5
"""The part of the memory that dense matrices may take; the rest is for the log, the other sources and the system."""
MOST_ITEMS = 25_000
"""Above this a dense inverse takes more than a few minutes on two cores."""
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says how much a container may use."""


def check_dense(n_items: int, copies: int, remedy: str, most: int = MOST_ITEMS) -> None:
    """Raise ``CannotFit`` where ``copies`` dense ``float32[n_items, n_items]`` do not fit; ``remedy`` names what does.

    Above ``most`` items they are refused for their time: an inverse takes ``n^3`` operations.
    """
    if n_items > most:
        raise CannotFit(f"a dense inverse over more than {most:,} items takes too long", value=n_items, remedy=remedy)
    if not dense_fits(n_items, copies):
        raise CannotFit(
            f"dense matrices over {n_items:,} items need {dense_bytes(n_items, copies) / 2**30:.1f} GiB, more than "
            f"{SHARE:.0%} of the {memory_limit() / 2**30:.1f} GiB of this machine",
            value=n_items,
            remedy=remedy,
        )


def dense_fits(n_items: int, copies: int) -> bool:
    """Whether ``copies`` dense ``float32[n_items, n_items]`` fit their share of the memory.

    Judged by what the process may use at most, not by what happens to be free: the same data then gives the same
    sources whatever else is running, and a source that was fitted once is not refused when it is refitted.
    """
    return dense_bytes(n_items, copies) <= SHARE * memory_limit()


def dense_bytes(n_items: int, copies: int) -> int:
    """Bytes of ``copies`` dense ``float32[n_items, n_items]``."""
    return 4 * copies * n_items**2


@cache
def memory_limit() -> int:
    """The most bytes this process may use: memory of the machine, limit of the container, limit of the process."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limits += [int(text) for path in _LIMITS if (text := _read(path)).isdigit()]
    own = resource.getrlimit(resource.RLIMIT_AS)[0]
    if own != resource.RLIM_INFINITY:
        limits.append(own)
    return min(limits)


def _read(path: Path) -> str:
    """The text of a file, empty where it cannot be read."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
