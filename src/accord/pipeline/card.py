"""The card of an artefact: what it was made from, and the digests by which an altered folder is refused.

``card.json`` holds the SHA-256 of every other file, and ``card.sha256`` that of the card, as ``sha256sum`` writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accord import __version__
from accord.core.errors import ArtefactError
from accord.core.state import file_digest

FORMAT = (1, 1)
"""Major and minor: a reader understands its own major with every minor up to its own."""
CARD, SEAL = "card.json", "card.sha256"
LIMIT = 16 << 20
"""The most bytes of a text file of an artefact."""
Card = dict[str, Any]


def write_card(folder: Path, facts: Card) -> None:
    """Write the card and its seal, over everything that lies in the folder by now."""
    files = {name: file_digest(path) for name, path in files_of(folder).items()}
    card = {"format": _text(FORMAT), **facts, "files": files}
    (folder / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / SEAL).write_text(_seal(folder), encoding="utf-8")


def read_card(folder: Path) -> Card:
    """The card as this version writes it. Raises ``ArtefactError`` where it is none, altered, or of a newer format."""
    if not folder.is_dir() or not (folder / CARD).exists():
        raise ArtefactError(
            "not a trained pipeline (no card.json)",
            place=str(folder),
            remedy="Make one with: accord train DATASET --out RUN.",
        )
    text, sealed = read_text(folder / CARD), (folder / SEAL).exists()
    if sealed and read_text(folder / SEAL) != _seal(folder):
        raise _altered(folder / CARD, f"its hash differs from {SEAL}")
    try:
        card = json.loads(text)
    except (ValueError, RecursionError):
        raise ArtefactError("damaged", place=str(folder / CARD), remedy="Train again.") from None
    return _migrated(card, folder / CARD, sealed=sealed)


def verify(folder: Path, card: Card) -> None:
    """Raises ``ArtefactError`` where a file is missing, altered, not listed in the card, or no plain file."""
    listed, there = card.get("files"), files_of(folder)
    if not isinstance(listed, dict) or set(listed) != set(there):
        odd = sorted(set(there) ^ set(listed if isinstance(listed, dict) else {}))
        raise ArtefactError(
            "files are missing or not listed in the card", place=str(folder), value=odd, remedy="Train again."
        )
    for name, path in there.items():
        if file_digest(path) != listed[name]:
            raise _altered(path, "its hash differs from the card")


def files_of(folder: Path) -> dict[str, Path]:
    """Every file but the card and its seal, by name. Raises ``ArtefactError`` for links and devices."""
    entries = sorted(folder.rglob("*"))
    for path in entries:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtefactError("neither a plain file nor a folder", place=str(path), remedy="Copy the file itself.")
    named = {path.relative_to(folder).as_posix(): path for path in entries if path.is_file()}
    return {name: path for name, path in named.items() if name not in (CARD, SEAL)}


def read_text(path: Path) -> str:
    """A text file of an artefact. Raises ``ArtefactError`` where it is no plain file, too large, or no text."""
    if path.is_symlink() or not path.is_file():
        raise ArtefactError("missing, or not a plain file", place=str(path), remedy="Restore it or train again.")
    size = path.stat().st_size
    if size > LIMIT:
        raise ArtefactError(f"larger than {LIMIT} bytes", place=str(path), value=size, remedy="Train again.")
    try:
        return path.read_bytes().decode()  # not read_text, which would take \r\n for \n
    except UnicodeDecodeError:
        raise ArtefactError("damaged (not UTF-8)", place=str(path), remedy="Restore it or train again.") from None


def _migrated(card: Any, path: Path, *, sealed: bool) -> Card:
    """The card brought to the format of this version, one minor after another."""
    found = _format(card)
    if found is None or card.get("order") not in ("time", "row", "none"):
        raise ArtefactError("not the card of a trained pipeline, or damaged", place=str(path), remedy="Train again.")
    if found > FORMAT or found[0] < FORMAT[0]:
        writer = card.get("accord", "another version")
        raise ArtefactError(
            f"written in format {_text(found)} by Accord {writer}; this is Accord {__version__}, "
            f"which reads {FORMAT[0]}.0 to {_text(FORMAT)}",
            place=str(path),
            value=card["format"],
            remedy=f"Install Accord {writer}, or train again with this one.",
        )
    if found >= (1, 1) and not sealed:
        raise ArtefactError("the seal of the card is missing", place=str(path.with_name(SEAL)), remedy="Train again.")
    for minor in range(found[1], FORMAT[1]):
        card = MIGRATIONS[minor](card)
    return card


def _sealed_since_1_1(card: Card) -> Card:
    """1.0 wrote its format as a number, had no seal, and recommended nothing but items."""
    return {"target": "items", **card, "format": "1.1"}


MIGRATIONS: dict[int, Callable[[Card], Card]] = {0: _sealed_since_1_1}
"""What brings a card of each earlier minor to the next one."""


def _format(card: Any) -> tuple[int, int] | None:
    """Major and minor; None where there are none."""
    value = card.get("format") if isinstance(card, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):  # as 1.0 wrote it
        return value, 0
    match = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", value) if isinstance(value, str) else None
    return (int(match[1]), int(match[2])) if match else None


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _seal(folder: Path) -> str:
    return f"{file_digest(folder / CARD)}  {CARD}\n"


def _altered(path: Path, why: str) -> ArtefactError:
    return ArtefactError(
        f"the file is not the one that was saved ({why})", place=str(path), remedy="Restore it or train again."
    )
