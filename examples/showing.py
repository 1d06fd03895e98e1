"""What demos share: shown commands, checks that end them, waiting."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2


class NotShownError(Exception):
    """Something did not do what the demo says it does."""


def check(condition: bool, what: str, got: object) -> None:
    """Raises ``NotShownError`` where something is not as the demo says."""
    if not condition:
        raise NotShownError(f"expected {what}; got {got}")


def heading(text: str) -> None:
    """Show what comes next."""
    say(f"\n== {text}")


def say(text: str) -> None:
    """Show a line at once."""
    print(text, flush=True)


def show(command: Sequence[str]) -> None:
    """Show a command as a shell takes it."""
    say("\n$ " + shlex.join([Path(command[0]).name, *command[1:]]))


def shell(*command: str) -> None:
    """Show a command and run it. Raises ``NotShownError`` with its last words where it fails."""
    show(command)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    check(done.returncode == 0, "a command that succeeds", done.stderr[-500:])


def curl(method: str, url: str, body: object = None) -> Any:
    """Show a request as a curl command, run it, and return its answer; without curl it is sent from here."""
    command = ["curl", "-s", *(["-X", method] if method != "POST" or body is None else []), url]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "-d", json.dumps(body, ensure_ascii=False)]
    show(command)
    if shutil.which("curl"):
        answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    else:
        answer = httpx2.request(method, url, json=body).json()
    check("error" not in answer, f"an answer to {method} {url}", answer)
    return answer


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether something comes true within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
