"""Jobs that go on where a killed one stopped."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from accord.core.checkpoint import Checkpoint
from accord.core.run import Run


def inside(out: Path) -> Path:
    """Where a job that writes files into ``out`` keeps its finished steps."""
    return out / ".resume"


def beside(out: Path) -> Path:
    """Where a job whose ``out`` appears complete or not at all keeps its finished steps."""
    place = out.resolve()
    return place.with_name(f".{place.name}.resume")


@contextmanager
def resumable(run: Run, folder: Path, *, fresh: bool = False) -> Generator[Run]:
    """The run with a checkpoint in ``folder``, which is removed when the job inside ends well.

    The same job run again takes over what was finished, and says so; ``fresh`` forgets it first.
    """
    checkpoint = Checkpoint(folder)
    if fresh:
        checkpoint.clear()
    elif checkpoint.steps:
        run.progress.note(
            f"{checkpoint.steps} finished steps of an interrupted job lie in {folder}; "
            "those that fit are taken over (--fresh starts anew)"
        )
    yield replace(run, checkpoint=checkpoint)
    if checkpoint.taken:
        run.progress.note(f"resumed: {checkpoint.told()}")
    checkpoint.clear()
