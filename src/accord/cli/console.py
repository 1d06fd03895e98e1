"""What commands show: progress on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from accord.core.run import Run

T = TypeVar("T")

errors = Console(stderr=True, highlight=False)
output = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


class Bars:
    """Progress as lines and bars on standard error."""

    def note(self, text: str) -> None:
        """Print one dim line."""
        errors.print(f"[dim]·[/dim] {escape(text)}", markup=True)

    def track(self, items: Iterable[T], text: str, total: int | None = None) -> Iterator[T]:
        """Draw a bar while the items pass."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=errors, transient=True) as progress:
            yield from progress.track(items, description=text, total=total)


def make_run(seed: int, *, quiet: bool, device: str = "auto", track: str | None = None) -> Run:
    """The run of a command: progress bars unless quiet."""
    run = Run(seed=seed, device=device, track=track)
    return run if quiet else replace(run, progress=Bars())


def print_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")
