"""A cheap look whether something changed."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

Stamp: TypeAlias = tuple[int, int, int]
"""Time of change in nanoseconds, inode and size of a file; zeros where there is none."""


def stamp_of(path: Path) -> Stamp:
    """What tells one content of a moved-in file from the next, for the price of one system call."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_ino, status.st_size)


class Watch:
    """Tells when a registry changed, for the price of one system call; each reader has its own.

    Ask ``changed()`` first and read the registry afterwards: what changes in between is told the next time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: Stamp | None = None

    def changed(self) -> bool:
        """Whether the file is another one than when last asked; true the first time."""
        now = stamp_of(self.path)
        changed, self._seen = now != self._seen, now
        return changed
