"""Files that are on the disk or not there: flushed, moved into place, and written by one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from accord.core.state import flush

LOCK_MODE = 0o644


def flush_tree(folder: Path) -> None:
    """Wait until everything in a folder is on the disk."""
    for path in [*folder.rglob("*"), folder]:
        flush(path)


def write_moved(path: Path, text: str, newer_than: int) -> None:
    """Replace a text file in one step: readers see the old one or the new one, also after a power cut.

    Its time of change (nanoseconds) is made later than ``newer_than``: clocks of file systems are coarse, and a reader
    that only looks at the time must not miss the second of two quick changes.
    """
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    changed = max(fresh.stat().st_mtime_ns, newer_than + 1)
    os.utime(fresh, ns=(changed, changed))
    flush(fresh)
    fresh.replace(path)
    flush(path.parent)


def copy_durably(source: Path, target: Path, check: Callable[[Path], None]) -> None:
    """Copy a folder so that ``target``, which must not exist, appears whole and checked or not at all."""
    fresh = target.with_name(f".{target.name}.new")
    try:
        shutil.copytree(source, fresh, symlinks=True)
        check(fresh)
        flush_tree(fresh)
        fresh.rename(target)
        flush(target.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the lock file ``path``, waiting for it; it excludes other threads and other processes of this machine.

    The kernel lets go of it when its holder dies, however that happens. It is not reentrant.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, LOCK_MODE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def locked_at_once(path: Path) -> Generator[bool]:
    """As ``locked``, without waiting: yields whether the lock was free, and holds it then."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, LOCK_MODE)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
