"""``accord keys``: shown once, listed without secrets, rotated, ended; ``accord serve`` tells what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from accord.serve.keys import KeyRing
from commands import call


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    call(["keys", *arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def test_a_key_from_its_making_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.json"
    key = told(capsys, "create", path, "--name", "shop", "--scope", "read, write")["key"]
    ring = KeyRing(path)
    assert ring.find(key).scopes == ("read", "write")
    (listed,) = told(capsys, "list", path)
    assert (listed["name"], listed["scopes"], listed["ends"]) == ("shop", ["read", "write"], None)
    assert "hash" not in listed
    fresh = told(capsys, "rotate", path, "--name", "shop", "--grace-hours", 0)["key"]
    assert (ring.find(key), ring.find(fresh).name) == (None, "shop")
    assert told(capsys, "revoke", path, "--name", "shop") == {"ended": 1}
    assert ring.find(fresh) is None


def test_people_read_a_table_and_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.json"
    call(["keys", "create", path, "--name", "page"])
    text = capsys.readouterr().out
    assert KeyRing(path).find(text.splitlines()[0])
    assert "only its hash was written" in text
    call(["keys", "list", path])
    assert "page" in capsys.readouterr().out
    call(["keys", "revoke", path, "--name", "page"])
    assert capsys.readouterr().out == "Ended 1 of the keys.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["keys", "list", "missing.json"], "no file of API keys"),
        (["serve", "run", "--host", "0.0.0.0"], "without API keys the server listens on this machine only"),  # noqa: S104
        (["serve", "run", "--rate", "often"], "--rate: not a rate"),
        (["serve", "run", "--keys", "missing.json"], "no file of API keys"),
        (["serve", "run", "--placements", "missing.toml"], "--placements: no such file"),
        (["serve", "run", "--store", "mysql://shop"], "no such kind of store"),
        (["serve", "run", "--budget", "0"], "accord serve.budget"),
        (["serve", __file__], "RUN: not a folder"),
    ],
)
def test_mistakes_are_told(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("fastapi")
    monkeypatch.chdir(tmp_path)
    call(arguments, code=2)
    assert message in capsys.readouterr().err
