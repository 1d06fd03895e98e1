"""RecBole's atomic files: ``NAME.inter``, ``.item``, ``.user``, ``.kg``, ``.link`` and ``.net``.

Tab-separated, with a header of names and types such as ``user_id:token``, ``rating:float`` or ``genre:token_seq``
(Zhao et al., "RecBole", CIKM 2021). Types: ``token`` and ``float`` are single values, ``token_seq`` and ``float_seq``
several with spaces between.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from accord.core import columns as c
from accord.core.errors import DataError
from accord.data.formats.base import cut_lines, one_place
from accord.data.kinds import PROSE
from accord.data.naming import ALIASES
from accord.data.readers.base import Rows
from accord.data.rejects import ROW

TABLES = {"item": "items", "user": "users", "kg": "links", "link": "links", "net": "links"}
PARTS = ("train.inter", "valid.inter", "test.inter")
"""Interactions that were split beforehand; read in this order where there is no ``NAME.inter``."""
_PROSE = frozenset(PROSE) | {
    name for table in ALIASES.values() for ours in (c.TITLE, c.TEXT, c.DESCRIPTION) for name in table.get(ours, ())
}


def read(paths: tuple[str, ...]) -> list[Rows]:
    """All tables of one data set, given as its folder or as the path that its files begin with."""
    prefix = _prefix(one_place(paths, "a folder with a .inter file, or the path without endings"))
    whole = Path(f"{prefix}.inter")
    events = [whole] if whole.is_file() else [Path(f"{prefix}.{part}") for part in PARTS]
    rows = [_typed(cut_lines(path, "events", "\t")) for path in events if path.is_file()]
    for ending, table in TABLES.items():
        path = Path(f"{prefix}.{ending}")
        if path.is_file():
            found = _typed(cut_lines(path, table, "\t"))
            rows.append(replace(found, name=ending) if table == "links" else found)
    return rows


def _prefix(path: Path) -> Path:
    """The path that the files begin with. Raises ``DataError`` where there is no data set, or more than one."""
    folder, start = (path, "") if path.is_dir() else (path.parent, f"{path.name.removesuffix('.inter')}.")
    found = {_stem(file.name) for file in folder.glob("*.inter") if file.name.startswith(start)}
    if not found:
        raise DataError("there is no .inter file", place=str(path), remedy="Give the folder of the atomic files.")
    if len(found) > 1:
        raise DataError(
            "there are several data sets", place=str(path), value=sorted(found), remedy=f"Give {path}/NAME."
        )
    return folder / found.pop()


def _stem(name: str) -> str:
    """``ml-100k`` of ``ml-100k.inter`` and of ``ml-100k.train.inter``."""
    return next(
        (name.removesuffix(f".{part}") for part in PARTS if name.endswith(f".{part}")), name.removesuffix(".inter")
    )


def _typed(rows: Rows) -> Rows:
    """Columns without the types in their names; sequences as lists, prose as it is."""
    columns = [rows.frame[ROW]]
    for heading in rows.columns:
        name, _, kind = heading.partition(":")
        values = rows.frame[heading].alias(name)
        several = kind.endswith("_seq") and name.casefold() not in _PROSE
        columns.append(_split(values) if several else values)
    return replace(rows, frame=pl.DataFrame(columns))


def _split(values: pl.Series) -> pl.Series:
    """Lists of the entries; some published files put a comma between entries that hold spaces themselves."""
    commas = values.str.contains(", ", literal=True).sum() * 2 >= max(1, values.count())
    return values.str.split(", " if commas else " ")
