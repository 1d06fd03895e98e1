"""What the formats share: one folder, prefix or archive, and lines that a plain separator cuts."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory

import polars as pl

from accord.core.errors import DataError
from accord.data.readers.base import Rows, unreadable
from accord.data.rejects import ROW, first_reason, refused


def one_place(paths: tuple[str, ...], wanted: str) -> Path:
    """The only path given. Raises ``DataError`` where there are none or several, saying what is wanted."""
    if len(paths) != 1:
        raise DataError(f"one path is wanted: {wanted}", place="accord import --from", value=list(paths))
    return Path(paths[0])


@dataclass(frozen=True)
class Folder:
    """The files of a folder, or of an archive that was unpacked for the time of the reading."""

    path: Path
    shown: str
    """How errors and rejects call it."""

    def find(self, *names: str) -> Path | None:
        """The first of these files that is there, also one level down, where archives put them."""
        for name in names:
            found = sorted([*self.path.glob(name), *self.path.glob(f"*/{name}")])
            if found:
                return found[0]
        return None

    def need(self, *names: str) -> Path:
        """As ``find``. Raises ``DataError`` naming the files that are there."""
        found = self.find(*names)
        if found is None:
            there = sorted(str(path.relative_to(self.path)) for path in self.path.glob("*"))
            raise DataError(f"there is no {' or '.join(names)}", place=self.shown, value=there)
        return found

    def place(self, path: Path) -> str:
        """A file as errors and rejects call it."""
        return f"{self.shown}/{path.relative_to(self.path)}"

    def labelled(self, rows: Rows, path: Path) -> Rows:
        """Rows that were read from an unpacked file, under the archive's name."""
        place = self.place(path)
        return replace(rows, place=place, rejects=rows.rejects.with_columns(source=pl.lit(place)))


@contextmanager
def opened(path: Path, names: Sequence[str]) -> Iterator[Folder]:
    """The folder, or the files of these names out of a zip archive; other members are left alone."""
    if path.is_dir():
        yield Folder(path, str(path))
        return
    if not path.is_file():
        raise DataError("there is no such folder or archive", place=str(path), remedy="Check the path.")
    with TemporaryDirectory() as unpacked:
        try:
            _unpack(path, names, Path(unpacked))
        except (OSError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise unreadable(str(path), error, "Give the folder, or the zip file as published.") from None
        yield Folder(Path(unpacked), str(path))


def _unpack(archive: Path, names: Sequence[str], folder: Path) -> None:
    """Write the wanted members side by side under their bare names: a member's own path is never followed."""
    with zipfile.ZipFile(archive) as files:
        for member in files.infolist():
            name = Path(member.filename).name
            if name in names and not member.is_dir():
                with files.open(member) as source, (folder / name).open("wb") as target:
                    copyfileobj(source, target)


def cut_lines(path: Path, table: str, separator: str, header: Sequence[str] | None = None) -> Rows:
    """Read lines that a separator of any length cuts, without quotes; a quotation mark is a letter like any other.

    Without ``header`` the first line names the columns. A line with more fields than columns is refused, one with
    fewer ends in missing values. Text that is not UTF-8 is read as Latin-1, as old data sets need.
    """
    lines = _lines(path)
    if header is None:
        if not len(lines):
            raise DataError("the file is empty", place=str(path), remedy="The first line must name the columns.")
        header, lines = [name.strip() for name in lines["line"][0].split(separator)], lines[1:]
    raw = lines.filter(pl.col("line").str.strip_chars() != "")
    fields = raw.select(ROW, "line", fields=pl.col("line").str.split(separator))
    reason = first_reason(
        fields, [("the row has more fields than there are columns", pl.col("fields").list.len() > len(header))]
    )
    cells = [pl.col("fields").list.get(number, null_on_oob=True).alias(name) for number, name in enumerate(header)]
    frame = fields.filter(reason.is_null()).select(ROW, *cells)
    empty = [pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in header]
    rejects = refused(fields.select(ROW, "line"), reason, table, str(path))
    return Rows(table, str(path), path.suffix.removeprefix("."), frame.with_columns(empty), rejects)


def _lines(path: Path) -> pl.DataFrame:
    """``ROW`` (from 1) and ``line``, without line ends."""
    try:
        found = pl.scan_lines(path, glob=False).collect().to_series()
    except pl.exceptions.PolarsError:
        found = pl.Series(path.read_text(encoding="latin-1").split("\n"), dtype=pl.String)
    except OSError as error:
        raise unreadable(str(path), error) from None
    line = found.str.strip_suffix("\r").alias("line")
    if len(line) and line[0].startswith("\ufeff"):
        line = line.str.strip_prefix("\ufeff")
    return pl.DataFrame([line]).with_row_index(ROW, offset=1)


def renamed(rows: Rows, names: Mapping[str, Sequence[str]]) -> Rows:
    """Only the columns named, under our names: ``names`` holds for each the names that others use, best first."""
    known = {name.casefold(): name for name in reversed(rows.columns)}
    found = {ours: next((known[name] for name in theirs if name in known), None) for ours, theirs in names.items()}
    columns = [rows.frame[theirs].alias(ours) for ours, theirs in found.items() if theirs is not None]
    return replace(rows, frame=pl.DataFrame([rows.frame[ROW], *columns]), dropped=())
