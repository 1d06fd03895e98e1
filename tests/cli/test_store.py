"""``accord store``: what it says, writes and refuses."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from accord.data.store import Event, SqliteStore
from commands import call


@pytest.fixture
def path(tmp_path: Path) -> Path:
    store = SqliteStore(tmp_path / "shop.db")
    store.append_events([Event(f"e{n}", "ann", "tea", "view", 86_400.0 * n) for n in range(5)])
    store.put_items([("tea", {"title": "Tea"})])
    store.close()
    return tmp_path / "shop.db"


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    call(["store", *map(str, arguments), "--json"])
    return json.loads(capsys.readouterr().out)


def test_info(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "info", f"sqlite:///{path}")
    assert found == {"events": 5, "items": 1, "users": 0, "impressions": 0, "erasures": 0, "last_change": 1}
    call(["store", "info", str(path)])
    assert "events: 5\n" in capsys.readouterr().out


def test_export_within_dates(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "export", path, "--out", tmp_path / "out", "--since", "1970-01-02", "--until", "1970-01-04")
    assert found["events"] == 2
    assert pq.read_table(tmp_path / "out" / "events.parquet")["event_id"].to_pylist() == ["e1", "e2"]


def test_backup_and_restore(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy.db"
    assert told(capsys, "backup", path, "--out", copy) == {"out": str(copy), "bytes": copy.stat().st_size}
    assert told(capsys, "restore", tmp_path / "new.db", "--from", copy) == {"erased_again": 0}
    assert told(capsys, "info", tmp_path / "new.db")["events"] == 5
    call(["store", "restore", str(path), "--from", str(copy)], code=2)
    assert "--force" in capsys.readouterr().err
    assert told(capsys, "restore", path, "--from", copy, "--force") == {"erased_again": 0}


def test_retain(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "retain", path, "--days", 365) == {"events": 5, "impressions": 0}
    assert told(capsys, "info", path)["items"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "missing.db"], "there is no store"),
        (["info", "mysql://host/shop"], "no such kind of store"),
        (["export", "{path}", "--out", "out", "--since", "yesterday"], "not a date"),
        (["restore", "new.db", "--from", "missing.db"], "no such file"),
    ],
)
def test_mistakes_are_named(
    arguments: list[str],
    message: str,
    path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    call(["store", *(argument.replace("{path}", str(path)) for argument in arguments)], code=2)
    assert message in capsys.readouterr().err
