"""Starts the process that measures one pipeline of a comparison, and listens to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from accord.core.errors import AccordError, ArtefactError, CannotFit, DataError, InputError
from accord.core.run import Progress
from accord.core.state import load_state
from accord.study.measured import Measured, read
from accord.study.measuring import Job

KINDS: Mapping[str, type[AccordError]] = {
    kind.code: kind for kind in (AccordError, InputError, DataError, ArtefactError, CannotFit)
}
INTERRUPTED = 130


def measured_apart(job: Job, progress: Progress) -> Measured:
    """Do the job in a process of its own, which ends when this one does.

    Raises the error that the process told of, with the pipeline's name; ``AccordError`` where it died.
    """
    command = [sys.executable, "-P", "-m", "accord.study.measuring"]  # nothing of the folder we stand in
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        error = _listen(process, job, progress)
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # it died before it had read the job
                    pipe.close()
    if error is not None:
        raise _raised(error, job.name)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise _died(code, job.name)
    path = Path(job.result)
    try:
        return read(load_state(path))
    finally:
        path.unlink()


def _listen(process: subprocess.Popen[str], job: Job, progress: Progress) -> dict[str, Any] | None:
    """Hand the job over, pass on what is noted, and return the error that ended it, if one did."""
    if process.stdin is None or process.stdout is None:
        raise AccordError("the process has no input or no output", place=job.name)
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(job.model_dump(mode="json")) + "\n")
        process.stdin.flush()
    error = None
    for line in process.stdout:
        message = json.loads(line)
        error = message.get("error", error)
        if "note" in message:
            progress.note(f"{job.name}: {message['note']}")
    return error


def _raised(error: Mapping[str, Any], name: str) -> AccordError:
    place = f"{name}: {error['place']}" if error["place"] else name
    return KINDS.get(error["code"], AccordError)(error["problem"], place=place, remedy=error["remedy"])


def _died(code: int, name: str) -> AccordError:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    remedy = "The same command goes on where it stopped; signal 9 often means that memory ran out."
    return AccordError(f"its process {how}", place=name, remedy=remedy)
