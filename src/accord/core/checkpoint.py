"""Finished steps of a job, kept on disk until it ends well, so that a killed one goes on where it stopped."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError

from accord.core.digest import code_digest, digest_of
from accord.core.errors import ArtefactError
from accord.core.part import State
from accord.core.state import file_digest, flush, load_state, save_state

T = TypeVar("T")

LIMIT = 20 << 30
"""The most bytes that are kept; what does not fit is made again when the job continues."""
SPEED = 50 << 20
"""Bytes to write for each second of work saved: what is made faster than this is not worth keeping."""
ALWAYS = 1 << 20
"""Bytes that are kept however fast they were made."""
_NAMES = "names of the arrays, in order"


class Checkpoint:
    """A folder of finished steps, each under a digest of everything that it depends on.

    A step is one file: written beside its place, flushed to the disk, moved there, and named by its own SHA-256, so
    that a torn or altered file is never taken for a step; it is made again. Without a folder nothing is kept.
    """

    def __init__(self, folder: Path | None = None, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self.taken: Counter[str] = Counter()
        """How many steps of each kind were taken over."""
        self._used: set[Path] = set()

    def keep(
        self,
        kind: str,
        parts: tuple[Any, ...],
        make: Callable[[], T],
        write: Callable[[T], State],
        read: Callable[[State], T],
        spent: float = 0.0,
    ) -> T:
        """The result of a finished step, or ``make()``, which is then kept.

        ``parts`` is everything that the result depends on beside the code (see ``digest_of``); ``write`` turns the
        result into arrays, and ``read`` turns them back. ``kind`` names such steps in reports, in the plural.
        ``spent``: seconds of work that the result holds beside those of ``make``.
        """
        if self.folder is None:
            return make()
        key = digest_of(kind, code_digest(), *parts)[:40]
        path = self._find(key)
        if path is not None:
            value = read(_ordered(load_state(path)))
            self._take(kind, path)
            return value
        started = time.perf_counter()
        value = make()
        self._write(key, write(value), spent + time.perf_counter() - started)
        return value

    def keep_facts(self, kind: str, parts: tuple[Any, ...], make: Callable[[], T]) -> T:
        """As ``keep`` for a result that JSON can hold."""
        return self.keep(kind, parts, make, facts_state, facts_of)

    def progress(self, kind: str, parts: tuple[Any, ...]) -> HalfDone:
        """How far one long step has come that depends on ``parts`` and the code; ``kind`` names such steps."""
        return HalfDone(self, digest_of(kind, code_digest(), *parts)[:40], kind)

    @property
    def steps(self) -> int:
        """How many finished steps lie in the folder, whatever job they are of."""
        return len(self._files())

    def clear(self) -> None:
        """Forget every step."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def told(self) -> str:
        """What was taken over: ``7 fits, 2 choices``; empty where nothing was."""
        return ", ".join(f"{count} {kind}" for kind, count in self.taken.items())

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors")) if self.folder is not None else []

    def _find(self, key: str) -> Path | None:
        """The whole file of a step; damaged ones are removed."""
        for path in sorted(self._files(), key=_changed, reverse=True):
            if path.name.startswith(key):
                if path.is_file() and not path.is_symlink() and path.name == _name(key, file_digest(path)):
                    return path
                _remove(path)
        return None

    def _take(self, kind: str, path: Path) -> None:
        """Count what an earlier job left; a step of this job that comes up again is nothing taken over."""
        if path not in self._used:
            self.taken[kind] += 1
            self._used.add(path)

    def _write(self, key: str, arrays: State, seconds: float) -> None:
        """Keep the arrays where they are worth it and there is room; a full disk never stops the job itself."""
        folder, size = self.folder, sum(array.nbytes for array in arrays.values())
        if folder is None or (size > ALWAYS and size > seconds * SPEED):
            return
        temporary = folder / f"{key}.{os.getpid()}.tmp"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._has_room(size):
                save_state(temporary, _with_names(arrays))
                flush(temporary)
                path = folder / _name(key, file_digest(temporary))
                temporary.replace(path)
                flush(folder)
                self._used.add(path)
        except (OSError, SafetensorError):
            pass  # the disk is full or went away: this step will be made again
        finally:
            _remove(temporary)

    def _has_room(self, size: int) -> bool:
        """Whether so many bytes fit; steps that this job has no use for, and torn ones, make way."""
        folder = self.folder
        if folder is None:
            return False
        present = {path: path.stat().st_size for path in folder.iterdir() if path.is_file()}
        held = sum(present.values())
        for path in sorted(present.keys() - self._used, key=lambda path: path.stat().st_mtime):
            if held + size <= self._room(held):
                break
            _remove(path)
            held -= present[path]
        return held + size <= self._room(held)

    def _room(self, held: int) -> int:
        """The most bytes that may be held: the limit, or half of what the disk would have without them."""
        return min(self.limit, (held + shutil.disk_usage(self.folder or Path()).free) // 2)


class HalfDone:
    """The newest state of a step that goes on for long: each that is written takes the place of the one before."""

    def __init__(self, checkpoint: Checkpoint, key: str, kind: str) -> None:
        self.checkpoint, self.key, self.kind = checkpoint, key, kind

    @property
    def wanted(self) -> bool:
        """Whether anything is kept at all."""
        return self.checkpoint.folder is not None

    def read(self) -> State | None:
        """The arrays that were last written whole, or None."""
        path = self.checkpoint._find(self.key)  # pyright: ignore[reportPrivateUsage]
        if path is None:
            return None
        arrays = _ordered(load_state(path))
        self.checkpoint._take(self.kind, path)  # pyright: ignore[reportPrivateUsage]
        return arrays

    def write(self, arrays: State) -> None:
        """Keep these arrays in place of those before; a full disk never stops the job itself."""
        before = self._kept()
        self.checkpoint._write(self.key, arrays, math.inf)  # pyright: ignore[reportPrivateUsage]
        if self._kept() - before:
            self._remove(before)

    def drop(self) -> None:
        """The step is over."""
        self._remove(self._kept())

    def _kept(self) -> set[Path]:
        return {path for path in self.checkpoint._files() if path.name.startswith(self.key)}  # pyright: ignore[reportPrivateUsage]

    def _remove(self, paths: set[Path]) -> None:
        for path in paths:
            _remove(path)


def facts_state(facts: Any) -> State:
    """A JSON value as an array of bytes."""
    return {"json": np.frombuffer(json.dumps(facts).encode(), np.uint8)}


def facts_of(arrays: State) -> Any:
    """The JSON value that ``facts_state`` was given."""
    if "json" not in arrays:
        raise ArtefactError("the saved facts are missing", value=sorted(arrays))
    return json.loads(arrays["json"].tobytes())


def _with_names(arrays: State) -> State:
    return {**arrays, _NAMES: facts_state(list(arrays))["json"]}


def _ordered(arrays: State) -> State:
    """The arrays in the order in which they were given: the file has an order of its own."""
    return {name: arrays[name] for name in facts_of({"json": arrays[_NAMES]})}


def _name(key: str, digest: str) -> str:
    return f"{key}-{digest}.safetensors"


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0.0


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
