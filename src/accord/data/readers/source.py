"""From the name of a source to its reader."""

from __future__ import annotations

from pathlib import Path

from accord.core.errors import DataError
from accord.data.readers import delimited, jsonl, parquet, sql
from accord.data.readers.base import Rows

_READERS = {
    "csv": delimited.read,
    "tsv": delimited.read,
    "txt": delimited.read,
    "jsonl": jsonl.read,
    "ndjson": jsonl.read,
    "parquet": parquet.read,
    "pq": parquet.read,
}


def read(source: str, table: str) -> Rows:
    """Read a file or a SQL table. Raises ``DataError`` where it is missing, of an unknown format, or unreadable."""
    if "://" in source:
        return sql.read(source, table)
    path = Path(source)
    kind, _ = _kind(path)
    if kind not in _READERS:
        raise DataError(
            "the format of this file is not known",
            place=source,
            value=path.suffix or path.name,
            remedy="Give .csv, .tsv, .jsonl or .parquet (each also as .gz), or a SQL URL ending in ?table=NAME.",
        )
    if not path.is_file():
        raise DataError("there is no such file", place=source, remedy="Check the path.")
    return _READERS[kind](path, table, format_of(path))


def shown(source: str) -> str:
    """The source as it may be printed and saved: a password in a URL is hidden."""
    return sql.hidden(source) if "://" in source else source


def format_of(path: Path) -> str:
    """``csv``, ``jsonl.gz``, ..."""
    kind, zipped = _kind(path)
    return f"{kind}.gz" if zipped else kind


def _kind(path: Path) -> tuple[str, bool]:
    zipped = path.suffix.lower() == ".gz"
    return (Path(path.stem) if zipped else path).suffix.lower().removeprefix("."), zipped
