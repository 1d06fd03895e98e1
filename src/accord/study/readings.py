"""The log of test readings: every look at a test set is written down, so that nobody tunes on it unnoticed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

READINGS = "test-readings.jsonl"


def record(folders: list[Path], **facts: Any) -> dict[str, Any]:
    """Append one reading to the log of each folder; returns the record with ``number``: which look of this test it is.

    The number counts the records of the same dataset and split in the first folder, the dataset's own.
    """
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **facts}
    before = [
        old for old in _read(folders[0]) if (old.get("data"), old.get("split")) == (facts["data"], facts["split"])
    ]
    entry["number"] = len(before) + 1
    for folder in folders:
        with (folder / READINGS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    return entry


def _read(folder: Path) -> list[dict[str, Any]]:
    path = folder / READINGS
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
