"""Several processes that ``torchrun`` starts for one training: the first writes and speaks, the others only help."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from accord.core.errors import InputError
from accord.core.run import Run, Silent
from accord.study.resuming import beside, resumable


def check(command: str) -> None:
    """Raises ``InputError`` where several processes were started for what one alone can do."""
    if _processes() > 1 and command != "train":
        raise InputError(
            "several processes can only train together",
            place="torchrun",
            value=command,
            remedy="Start this command without torchrun.",
        )


def helps() -> bool:
    """Whether this process only helps another to train."""
    return _processes() > 1 and int(os.environ.get("RANK", "0")) > 0


@contextmanager
def training(run: Run, out: Path, *, fresh: bool) -> Generator[tuple[Run, Path]]:
    """The run of a training, and where it writes.

    Alone it goes on after a kill. Of several processes every one does the same work, so that all come to each network
    at the same time; what helpers write is thrown away, and nothing is kept to go on with.
    """
    if _processes() < 2:
        with resumable(run, beside(out), fresh=fresh) as job:
            yield job, out
        return
    with tempfile.TemporaryDirectory() as folder:
        yield (replace(run, progress=Silent(), track=None), Path(folder) / out.name) if helps() else (run, out)
    if "torch" in sys.modules:
        from accord.learn.group import leave

        leave()


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))
