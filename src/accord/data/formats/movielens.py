"""MovieLens as its publisher packs it: 100K (``u.data``), 1M and 10M (``.dat``), 20M, 25M, 32M and latest (CSV).

Harper and Konstan, The MovieLens Datasets: History and Context, ACM TiiS 2015. Tags and genome scores are not read:
they were gathered over all the years of the log, so a model of its past would know its future.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from accord.core import columns as c
from accord.core.errors import DataError
from accord.data.formats.base import Folder, cut_lines, one_place, opened, renamed
from accord.data.movielens import GENRES, TITLE
from accord.data.readers import Rows
from accord.data.readers.source import read as read_source
from accord.data.rejects import ROW

RATINGS = (c.USER, c.ITEM, c.VALUE, c.TIME)
FILES = ("u.data", "u.item", "u.user", "ratings.dat", "movies.dat", "users.dat", "ratings.csv", "movies.csv")
# fmt: off
OCCUPATIONS = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
    "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer", "programmer",
    "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer", "tradesman/craftsman",
    "unemployed", "writer",
)
# fmt: on
"""What the numbers of ``users.dat`` mean."""
_NO_GENRES = "(no genres listed)"


def read(paths: tuple[str, ...]) -> list[Rows]:
    """Ratings, films and, where the set has them, people; of a folder or of the zip as published."""
    place = one_place(paths, "the folder or zip of one MovieLens set")
    with opened(place, FILES) as folder:
        for ratings, layout in (("u.data", _oldest), ("ratings.dat", _dat), ("ratings.csv", _csv)):
            if folder.find(ratings):
                return layout(folder)
        raise DataError(
            "there is neither u.data nor ratings.dat nor ratings.csv",
            place=folder.shown,
            remedy="Give the folder or the zip of one set.",
        )


def _oldest(folder: Folder) -> list[Rows]:
    ratings = _cut(folder, "u.data", "events", "\t", RATINGS)
    films = _cut(folder, "u.item", "items", "|", (c.ITEM, c.TITLE, "released", "video", "url", *GENRES))
    people = _cut(folder, "u.user", "users", "|", (c.USER, "age", "gender", "occupation", "zip_code"))
    return [*ratings, *(_films(_flagged(rows)) for rows in films), *people]


def _dat(folder: Folder) -> list[Rows]:
    ratings = _cut(folder, "ratings.dat", "events", "::", RATINGS)
    films = _cut(folder, "movies.dat", "items", "::", (c.ITEM, c.TITLE, "genres"))
    people = _cut(folder, "users.dat", "users", "::", (c.USER, "gender", "age", "occupation", "zip_code"))
    return [*ratings, *map(_films, films), *map(_occupied, people)]


def _csv(folder: Folder) -> list[Rows]:
    names = {c.USER: ("userid",), c.ITEM: ("movieid",), c.VALUE: ("rating",), c.TIME: ("timestamp",)}
    tables = [_named(folder, "ratings.csv", "events", names)]
    if folder.find("movies.csv"):
        films = {c.ITEM: ("movieid",), c.TITLE: ("title",), "genres": ("genres",)}
        tables.append(_films(_named(folder, "movies.csv", "items", films)))
    return tables


def _named(folder: Folder, name: str, table: str, names: dict[str, tuple[str, ...]]) -> Rows:
    path = folder.need(name)
    return folder.labelled(renamed(read_source(str(path), table), names), path)


def _cut(folder: Folder, name: str, table: str, separator: str, header: Sequence[str]) -> list[Rows]:
    """The table of a file; none where the set lacks the file."""
    path = folder.find(name)
    return [folder.labelled(cut_lines(path, table, separator, header), path)] if path else []


def _flagged(rows: Rows) -> Rows:
    """The genres of the 0/1 columns as one list; a film whose genre is not known has none."""
    flags = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in GENRES[1:]]
    frame = rows.frame.select(ROW, c.ITEM, c.TITLE, genres=pl.concat_list(flags).list.drop_nulls())
    return replace(rows, frame=frame)


def _films(rows: Rows) -> Rows:
    """Titles without their year, the year as a number, genres as a list."""
    frame = rows.frame
    if frame.schema["genres"] == pl.String:
        genres = pl.col("genres").str.split("|").list.filter(pl.element() != _NO_GENRES)
        frame = frame.with_columns(genres=genres)
    titles = frame[c.TITLE].str.extract_groups(TITLE.pattern).struct.unnest()
    plain = pl.coalesce(titles["title"], frame[c.TITLE])
    known = pl.when(~plain.is_in(["unknown", "unkonwn"])).then(plain.str.strip_chars())
    return replace(rows, frame=frame.with_columns(known.alias(c.TITLE), titles["year"].cast(pl.Int64).alias("year")))


def _occupied(rows: Rows) -> Rows:
    """Occupations by name; a number that is not in the key stays."""
    names = {str(number): name for number, name in enumerate(OCCUPATIONS)}
    return replace(rows, frame=rows.frame.with_columns(pl.col("occupation").replace(names)))
