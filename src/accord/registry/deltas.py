"""What the live version has learned since its fit: small deltas beside the versions, of which the newest answers.

::

    deltas.json                 which delta is the newest, of which version, and the SHA-256 of its card
    deltas/<version>/<number>/  a delta, see ``pipeline.delta``; the newest two of one version are kept
    update.lock                 held by the one process that makes deltas, as long as it lives
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from accord.core.config import Config
from accord.core.errors import ArtefactError
from accord.core.state import file_digest
from accord.pipeline.card import CARD, Card, read_card, read_text
from accord.pipeline.delta import load_delta, save_delta
from accord.pipeline.pipeline import Pipeline
from accord.registry.durable import flush_tree, write_moved
from accord.registry.ledger import Digest, Name
from accord.registry.watch import Stamp, stamp_of

KEPT = 2
"""Deltas that stay: a reader may still be busy with the one before the newest."""


class Delta(Config):
    """One delta of a version."""

    version: Name
    """The version that it lies over."""
    number: int = Field(ge=1)
    """They are numbered from 1; a later one holds all that an earlier one does."""
    sha256: Digest
    """SHA-256 of its card, kept outside its folder."""


class Deltas:
    """The deltas of one registry. Many may read; only the holder of ``lock`` may publish and discard."""

    def __init__(self, registry: Path) -> None:
        self.registry = registry
        self.path, self.lock = registry / "deltas.json", registry / "update.lock"
        self.folder = registry / "deltas"

    def stamp(self) -> Stamp:
        """Another value after every change, for the price of one system call."""
        return stamp_of(self.path)

    def newest(self, version: str) -> Delta | None:
        """The newest delta of a version; None where there is none. A damaged file counts as none."""
        delta = self._newest()
        return delta if delta is not None and delta.version == version else None

    def place(self, delta: Delta) -> Path:
        """Where the folder of a delta lies."""
        return self.folder / delta.version / f"{delta.number:08d}"

    def load(self, delta: Delta, base: Pipeline) -> tuple[Pipeline, Card]:
        """The pipeline over its base as loaded, and the card. Raises ``ArtefactError`` where anything was altered."""
        folder = self.place(delta)
        if not (folder / CARD).is_file() or file_digest(folder / CARD) != delta.sha256:
            raise ArtefactError("not the delta that was published", place=str(folder), remedy="Delete deltas.json.")
        return load_delta(self._base(delta.version), folder, base), read_card(folder)

    def publish(self, pipeline: Pipeline, version: str, base: Pipeline, facts: dict[str, Any]) -> Delta:
        """Write what a pipeline has beyond the version that it came from; everybody reads it from then on.

        ``base``: the version as loaded; ``facts`` go into the card. It counts in one step, also when killed.
        """
        number = self._last(version) + 1
        folder = self.folder / version / f"{number:08d}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        save_delta(pipeline, self._base(version), folder, facts, base)
        flush_tree(folder)
        delta = Delta(version=version, number=number, sha256=file_digest(folder / CARD))
        write_moved(self.path, delta.model_dump_json() + "\n", self.stamp()[0])
        self.discard(version)
        return delta

    def discard(self, live: str | None) -> None:
        """Remove all deltas but the newest of the live version, and what killed jobs left."""
        newest = self._newest()
        if newest is not None and newest.version != live:
            self.path.unlink(missing_ok=True)
            newest = None
        kept = set[str]()
        if newest is not None:
            kept = {f"{number:08d}" for number in range(newest.number - KEPT + 1, newest.number + 1)}
        for folder in _folders(self.folder):
            for path in _folders(folder):
                if folder.name != live or path.name not in kept:
                    shutil.rmtree(path, ignore_errors=True)
            if folder.name != live:
                shutil.rmtree(folder, ignore_errors=True)

    def _base(self, version: str) -> Path:
        return self.registry / "versions" / version

    def _last(self, version: str) -> int:
        """The highest number that was given, also to one that never counted."""
        there = [int(path.name) for path in _folders(self.folder / version) if path.name.isdecimal()]
        newest = self.newest(version)
        return max([0, *there, newest.number if newest is not None else 0])

    def _newest(self) -> Delta | None:
        try:
            return Delta.model_validate_json(read_text(self.path)) if self.path.exists() else None
        except (ValidationError, ArtefactError):  # what it told of is learned again
            return None


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
