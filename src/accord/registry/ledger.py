"""What ``registry.json`` says: the versions there are, which one is live, and how that came about."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import StringConstraints, ValidationError, model_validator

from accord.core.config import Config
from accord.core.errors import ArtefactError, InputError
from accord.pipeline.card import read_text

FORMAT = 1
HISTORY = 200
"""How many entries of the history are kept, the newest: the file is read at every change, in some milliseconds."""
TIME = "%Y%m%dT%H%M%S.%fZ"

Stage: TypeAlias = Literal["candidate", "live", "retired"]
Action: TypeAlias = Literal["publish", "promote", "rollback", "prune"]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}$")]
"""UTC time and the first digits of the card's SHA-256; names sort by time, and none leads out of the folder."""
Digest: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Version(Config):
    """One trained pipeline of a registry."""

    version: Name
    """Its name, which is that of its folder."""
    stage: Stage
    """``candidate``: never live so far; ``live``: the one that answers; ``retired``: was live."""
    created: str
    """When it was published, UTC, ISO 8601."""
    sha256: Digest
    """SHA-256 of its card, kept here so that an exchanged folder is refused."""
    note: str = ""
    """One line on where it comes from."""


class Entry(Config):
    """Something that happened to the registry."""

    at: str
    """When, UTC, ISO 8601."""
    action: Action
    version: Name
    previous: Name | None = None
    """What was live before, where that changed."""


class Ledger(Config):
    """The whole content of ``registry.json``; every change makes a new one."""

    format: int = FORMAT
    versions: tuple[Version, ...] = ()
    """Oldest first."""
    line: tuple[Name, ...] = ()
    """What was live in turn, the live version last; a rollback goes one back."""
    removed: tuple[Digest, ...] = ()
    """Digests of versions that were pruned: they are not published again by themselves."""
    history: tuple[Entry, ...] = ()
    """Oldest first, at most the newest ``HISTORY``."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [version.version for version in self.versions]
        live = [version.version for version in self.versions if version.stage == "live"]
        if names != sorted(set(names)) or live != list(self.line[-1:]) or not set(self.line) <= set(names):
            raise ValueError("the versions, their stages and the line do not agree")
        return self

    @property
    def live(self) -> str | None:
        """The version that answers."""
        return self.line[-1] if self.line else None

    def find(self, name: str) -> Version:
        """A version by name. Raises ``InputError`` naming the versions there are."""
        for version in self.versions:
            if version.version == name:
                return version
        have = ", ".join(version.version for version in self.versions[-5:]) or "none"
        raise InputError("no such version", place="version", value=name, remedy=f"The newest are: {have}.")

    def with_digest(self, digest: str) -> Version | None:
        """The version of a card, where there is one."""
        return next((version for version in self.versions if version.sha256 == digest), None)

    def new_name(self, digest: str) -> str:
        """A name that sorts after all others, whatever the clock says."""
        now = datetime.now(UTC)
        if self.versions:
            newest = datetime.strptime(self.versions[-1].version.split("-")[0], TIME).replace(tzinfo=UTC)
            now = max(now, newest + timedelta(microseconds=1))
        return f"{now.strftime(TIME)}-{digest[:8]}"

    def published(self, name: str, digest: str, note: str) -> Ledger:
        """With one more candidate."""
        version = Version(version=name, stage="candidate", created=_now(), sha256=digest, note=note)
        removed = tuple(one for one in self.removed if one != digest)
        return self._changed("publish", name, versions=(*self.versions, version), removed=removed)

    def promoted(self, name: str) -> Ledger:
        """With another version live; the same where it is live already."""
        self.find(name)
        return self if name == self.live else self._moved("promote", (*self.line, name))

    def rolled_back(self) -> Ledger:
        """With the version live that was live before. Raises ``InputError`` where there is none."""
        if len(self.line) < 2:
            raise InputError(
                "no version was live before this one", place="rollback", value=self.live, remedy="Promote another one."
            )
        return self._moved("rollback", self.line[:-1])

    def pruned(self, keep: int, spared: int = 2) -> Ledger:
        """Without all but the newest ``keep`` and the last ``spared`` (at least 1) that were live."""
        newest = self.versions[len(self.versions) - min(keep, len(self.versions)) :]
        kept = {version.version for version in newest} | set(self.line[-spared:])
        ledger = self
        for gone in self.versions:
            if gone.version not in kept:
                rest = tuple(version for version in ledger.versions if version is not gone)
                line = _without_repeats(tuple(name for name in ledger.line if name != gone.version))
                removed = (*ledger.removed, gone.sha256)
                ledger = ledger._changed("prune", gone.version, versions=rest, line=line, removed=removed)
        return ledger

    def _moved(self, action: Action, line: tuple[str, ...]) -> Ledger:
        """With another line, and the stages that follow from it."""
        stages: dict[str, Stage] = {} if self.live is None else {self.live: "retired"}
        stages[line[-1]] = "live"
        versions = tuple(
            version.model_copy(update={"stage": stages.get(version.version, version.stage)})
            for version in self.versions
        )
        return self._changed(action, line[-1], versions=versions, line=line)

    def _changed(self, action: Action, name: str, **values: Any) -> Ledger:
        previous = self.live if "line" in values and values["line"][-1:] != self.line[-1:] else None
        entry = Entry(at=_now(), action=action, version=name, previous=previous)
        return self.model_copy(update={**values, "history": (*self.history, entry)[-HISTORY:]})


def read_ledger(path: Path) -> Ledger:
    """Read ``registry.json``; an empty ledger where there is none.

    Raises ``ArtefactError`` where it is damaged or of a newer format.
    """
    if not path.exists():
        return Ledger()
    remedy = f"Restore it from a backup, or move {path.parent} away and publish from its versions again."
    try:
        values = json.loads(read_text(path))
        found = values["format"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise ArtefactError("damaged, or not the file of a registry", place=str(path), remedy=remedy) from None
    if found != FORMAT:
        raise ArtefactError(
            f"of another format; this version of Accord reads format {FORMAT}",
            place=str(path),
            value=found,
            remedy="Install the version of Accord that wrote it.",
        )
    try:
        return Ledger.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"]
        raise ArtefactError(f"damaged ({problem})", place=str(path), remedy=remedy) from None


def _without_repeats(line: tuple[str, ...]) -> tuple[str, ...]:
    """Without a name that follows itself."""
    return tuple(name for place, name in enumerate(line) if place == 0 or line[place - 1] != name)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
