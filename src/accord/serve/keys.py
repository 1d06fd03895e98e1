"""API keys: 256 random bits shown once, kept as SHA-256 in a file of mode 0600, with scopes."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints, ValidationError

from accord.core.config import Config
from accord.core.errors import InputError

Scope: TypeAlias = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")
"""``read``: lists, explanations, metrics; ``write``: events, feedback, items, users; ``admin``: models and erasure.
None includes another."""
PREFIX = "accord"
PATTERN = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_[A-Za-z0-9_-]{{43}}")
LIMIT = 1 << 20
"""The most bytes of a key file."""


class Key(Config):
    """One key, without its secret."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
    """Part of the key's text: says which one it is, opens nothing."""
    name: Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,64}$")]
    """Who holds it."""
    scopes: tuple[Scope, ...] = Field(min_length=1)
    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the whole text. A slow hash is for passwords; nobody guesses 256 random bits."""
    created: datetime
    ends: datetime | None = None
    """From when on it opens nothing."""

    def holds(self, now: datetime) -> bool:
        """Whether it has not ended."""
        return self.ends is None or now < self.ends


class KeyFile(Config):
    """The whole content of a key file."""

    format: Literal[1] = 1
    keys: tuple[Key, ...] = ()


class KeyRing:
    """The keys of a file, read again whenever it changes; a missing or damaged file opens nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int, int] | None = None
        self._keys: dict[str, Key] = {}
        self.problem: InputError | None = None
        """Why no key opens anything, where the file cannot be used."""

    def find(self, text: str) -> Key | None:
        """The key of this text; None where it is unknown or has ended."""
        self._refresh()
        match = PATTERN.fullmatch(text)
        key = self._keys.get(match[1]) if match else None
        known = hmac.compare_digest(key.hash if key else "0" * 64, _hash(text))
        return key if key is not None and known and key.holds(datetime.now(UTC)) else None

    def _refresh(self) -> None:
        """Read the file where it is another one than last time."""
        stamp = _stamp(self.path)
        if stamp == self._stamp:
            return
        try:
            self._keys = {key.id: key for key in read_keys(self.path)}
            self.problem = None
        except InputError as problem:
            self._keys, self.problem = {}, problem
        self._stamp = stamp


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a file. Raises ``InputError`` where it is missing, damaged, or others may read it."""
    remedy = "Make one with: accord keys create --name NAME --scope read,write FILE."
    if path.is_symlink() or not path.is_file():
        raise InputError("no file of API keys", place=str(path), remedy=remedy)
    status = path.stat()
    if stat.S_IMODE(status.st_mode) & 0o077:
        mode = oct(stat.S_IMODE(status.st_mode))
        raise InputError("others may use the file", place=str(path), value=mode, remedy=f"chmod 600 {path}")
    if status.st_size > LIMIT:
        raise InputError("too large for a file of keys", place=str(path), value=status.st_size, remedy=remedy)
    try:
        return KeyFile.model_validate_json(path.read_bytes()).keys
    except ValidationError:
        raise InputError("not a file of API keys, or damaged", place=str(path), remedy=remedy) from None


def create_key(path: Path, name: str, scopes: Iterable[str]) -> str:
    """Add a key and return its text, which is nowhere kept. ``InputError``: unknown scopes, or a name that is taken."""
    kept = read_keys(path) if path.exists() else ()
    now = datetime.now(UTC)
    if any(key.name == name and key.holds(now) for key in kept):
        raise InputError("there is a key of this name", place="--name", value=name, remedy="Rotate it, or revoke it.")
    text, key = _new(name, _checked(scopes), now)
    _write(path, (*kept, key))
    return text


def revoke_key(path: Path, name: str) -> int:
    """End the keys of a name, or the one of an id, at once; returns how many. ``InputError`` where there is none."""
    return _end(path, name, datetime.now(UTC))


def rotate_key(path: Path, name: str, grace: timedelta) -> str:
    """A new key of the same name and scopes, as text; the old one opens for ``grace`` longer."""
    now = datetime.now(UTC)
    old = [key for key in read_keys(path) if key.name == name and key.holds(now)]
    if not old:
        raise _no_such(name, read_keys(path))
    _end(path, name, now + grace)
    text, key = _new(name, old[-1].scopes, now)
    _write(path, (*read_keys(path), key))
    return text


def _end(path: Path, name: str, when: datetime) -> int:
    keys = read_keys(path)
    now = datetime.now(UTC)
    ending = [key.id for key in keys if name in (key.name, key.id) and key.holds(now)]
    if not ending:
        raise _no_such(name, keys)
    soonest = {key.id: min(when, key.ends or when) for key in keys}
    _write(path, [key.model_copy(update={"ends": soonest[key.id]}) if key.id in ending else key for key in keys])
    return len(ending)


def _new(name: str, scopes: tuple[Scope, ...], now: datetime) -> tuple[str, Key]:
    identity = secrets.token_hex(6)
    text = f"{PREFIX}_{identity}_{secrets.token_urlsafe(32)}"
    try:
        return text, Key(id=identity, name=name, scopes=scopes, hash=_hash(text), created=now)
    except ValidationError:
        raise InputError(
            "a name has 1 to 64 letters, digits, dots, dashes and underscores", place="--name", value=name
        ) from None


def _checked(scopes: Iterable[str]) -> tuple[Scope, ...]:
    wanted = set(scopes)
    if not wanted or not wanted <= set(SCOPES):
        raise InputError("unknown scope", place="--scope", value=sorted(wanted), remedy=f"Any of {', '.join(SCOPES)}.")
    return tuple(scope for scope in SCOPES if scope in wanted)


def _no_such(name: str, keys: Sequence[Key]) -> InputError:
    now = datetime.now(UTC)
    there = ", ".join(sorted({key.name for key in keys if key.holds(now)})) or "none"
    return InputError("no key of this name opens anything", place="--name", value=name, remedy=f"There are: {there}.")


def _write(path: Path, keys: Sequence[Key]) -> None:
    """Replace the file in one step; it is never readable for others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(KeyFile(keys=tuple(keys)).model_dump(mode="json"), indent=2) + "\n"
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_ino, status.st_mode)
