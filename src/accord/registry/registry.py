"""A registry: a folder of versions and the file that says which one is live.

::

    registry.json               versions, stages, history; see ``ledger``
    versions/<version>/         an artefact, as ``accord train`` saves it
    deltas.json, deltas/        what the live version has learned since, see ``deltas``
    registry.lock, publish.lock held while the file is changed, and while versions are added or removed
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from accord.core.errors import ArtefactError, InputError
from accord.core.state import file_digest
from accord.pipeline import artefact
from accord.pipeline.card import CARD, Card, read_card, verify
from accord.pipeline.pipeline import Pipeline
from accord.registry.deltas import Deltas
from accord.registry.durable import copy_durably, locked, write_moved
from accord.registry.ledger import Entry, Ledger, Version, read_ledger
from accord.registry.watch import Stamp, Watch, stamp_of

LEDGER = "registry.json"
SUFFIX = ".registry"
"""What the name of a run gets for the registry beside it."""
KEEP = 5
"""How many of the newest versions are kept by default."""


class Registry:
    """Versions of a pipeline on disk, of which at most one is live.

    Threads and processes of one machine may change it at the same time. Reading needs no lock: the one file is
    replaced in one step, and versions are never written to. Nothing is held in memory: every answer is the disk's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, run: Path) -> Registry:
        """The registry of a trained run, which lies beside it (``RUN.registry``); a registry folder is its own."""
        if (run / LEDGER).exists() or run.name.endswith(SUFFIX):
            return cls(run)
        place = run.resolve()
        return cls(place.with_name(place.name + SUFFIX))

    @classmethod
    def around(cls, run: Path) -> Registry:
        """As ``beside``, with the run published as live where the registry has never met it.

        So a run that was trained anew goes live, and one that was refreshed since, or rolled back, does not come back.
        Raises ``ArtefactError`` where there is neither a run nor a registry.
        """
        registry = cls.beside(run)
        if registry.folder.resolve() == run.resolve():
            return registry
        if (run / CARD).exists() or not (registry.folder / LEDGER).exists():
            read_card(run)
            if not registry.knows(file_digest(run / CARD)):
                registry.publish(run, "live", note=f"trained as {run.resolve().name}")
        return registry

    @property
    def deltas(self) -> Deltas:
        """What the live version has learned since its fit."""
        return Deltas(self.folder)

    @property
    def path(self) -> Path:
        """The file that says which version is live."""
        return self.folder / LEDGER

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        return list(self._ledger().versions)

    def version(self, name: str) -> Version:
        """A version by name. Raises ``InputError`` naming the versions there are."""
        return self._ledger().find(name)

    def live(self) -> str | None:
        """The version that answers; None where none was promoted."""
        return self._ledger().live

    def previous(self) -> str | None:
        """The version that a rollback makes live; None where there is none."""
        return next(iter(self._ledger().line[-2:-1]), None)

    def history(self) -> list[Entry]:
        """What happened, oldest first."""
        return list(self._ledger().history)

    def knows(self, digest: str) -> bool:
        """Whether a card with this SHA-256 is, or was before it was pruned, a version."""
        ledger = self._ledger()
        return ledger.with_digest(digest) is not None or digest in ledger.removed

    def stamp(self) -> Stamp:
        """Another value after every change, for the price of one system call."""
        return stamp_of(self.path)

    def watch(self) -> Watch:
        """Tells its owner when something changed."""
        return Watch(self.path)

    def publish(self, source: Path, stage: Literal["candidate", "live"] = "candidate", note: str = "") -> str:
        """Copy an artefact into the registry, as candidate or live, and return its version.

        The copy is checked. An artefact that the registry has is not copied again: its version is returned, and
        promoted where ``stage`` says so. Killed half way it leaves nothing that counts. Raises ``ArtefactError`` where
        the artefact is none, altered or incomplete.
        """
        if stage not in ("candidate", "live"):
            raise InputError("a version is published as candidate or live", place="stage", value=stage)
        read_card(source)
        digest = file_digest(source / CARD)
        (self.folder / "versions").mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "publish.lock"):
            self._sweep()
            ledger = self._ledger()
            present = ledger.with_digest(digest)
            name = present.version if present else ledger.new_name(digest)
            if not present:
                copy_durably(source, self.place(name), lambda copy: _check_copy(copy, digest))
            self._change(lambda now: _with_published(now, name, digest, stage, note))
        return name

    def promote(self, name: str) -> None:
        """Make a version live, in one step; nothing happens where it is. Raises ``InputError`` for an unknown one.

        Its folder is checked against the digest kept here first. Raises ``ArtefactError`` where it is another.
        """
        self.card(name)
        self._change(lambda ledger: ledger.promoted(name))

    def rollback(self) -> str:
        """Make the version live that was live before, and return it; again, the one before that.

        Raises ``InputError`` where there is none, ``ArtefactError`` where its folder is damaged.
        """
        return self._change(self._rolled_back).line[-1]

    def prune(self, keep: int = KEEP, *, previous: bool = True) -> list[str]:
        """Remove all versions but the live one, the one live before it, and the newest ``keep``; returns those gone.

        Without ``previous`` the one live before it is not spared, and there may be nothing to roll back to.
        """
        if keep < 0:
            raise InputError("not a number of versions", place="keep", value=keep)
        if not self.path.exists():
            return []
        with locked(self.folder / "publish.lock"):
            before = self._ledger()
            after = self._change(lambda ledger: ledger.pruned(keep, 2 if previous else 1))
            self._sweep()
        kept = {version.version for version in after.versions}
        return [version.version for version in before.versions if version.version not in kept]

    def place(self, name: str) -> Path:
        """Where the folder of a version lies."""
        return self.folder / "versions" / name

    def card(self, name: str) -> Card:
        """The card of a version, checked against the digest kept here."""
        _check_digest(self.place(name), self.version(name).sha256)
        return read_card(self.place(name))

    def load(self, name: str) -> Pipeline:
        """Read a version. Raises ``ArtefactError`` where its card is not the one published, or a file is altered."""
        _check_digest(self.place(name), self.version(name).sha256)
        return artefact.load(self.place(name))

    def _ledger(self) -> Ledger:
        return read_ledger(self.path)

    def _change(self, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Change the file under its lock; an unchanged ledger is not written."""
        if not self.folder.is_dir():
            raise ArtefactError(
                "there is no registry", place=str(self.folder), remedy="Make one with: accord models publish RUN."
            )
        with locked(self.folder / "registry.lock"):
            old = self._ledger()
            new = change(old)
            if new != old:
                text = Ledger.model_validate(new.model_dump()).model_dump_json(indent=2) + "\n"
                write_moved(self.path, text, self.stamp()[0])
            if new.live != old.live:
                self.deltas.discard(new.live)
        return new

    def _rolled_back(self, ledger: Ledger) -> Ledger:
        after = ledger.rolled_back()
        _check_digest(self.place(after.line[-1]), after.find(after.line[-1]).sha256)
        return after

    def _sweep(self) -> None:
        """Remove folders of jobs that were killed; only under the lock of publishing."""
        if self.path.exists():
            known = {version.version for version in self._ledger().versions}
            for path in (self.folder / "versions").iterdir():
                if path.name not in known:
                    shutil.rmtree(path, ignore_errors=True)


def _with_published(ledger: Ledger, name: str, digest: str, stage: str, note: str) -> Ledger:
    if ledger.with_digest(digest) is None:
        ledger = ledger.published(name, digest, note)
    return ledger.promoted(name) if stage == "live" else ledger


def _check_copy(copy: Path, digest: str) -> None:
    """The copy is whole, and of the artefact that was asked for: somebody may have replaced it meanwhile."""
    _check_digest(copy, digest)
    verify(copy, read_card(copy))


def _check_digest(folder: Path, digest: str) -> None:
    """Before anything else of the folder is read."""
    path = folder / CARD
    if path.is_symlink() or not path.is_file():
        raise ArtefactError("the version is missing", place=str(path), remedy="Promote another one.")
    if file_digest(path) != digest:
        raise ArtefactError(
            "the card is not the one that was published",
            place=str(path),
            remedy="Restore the folder, or promote another version.",
        )
