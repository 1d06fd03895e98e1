"""Keys: shown once, kept as hashes, read again when they change, and never readable for others."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from accord.core.errors import InputError
from accord.serve.keys import PATTERN, KeyRing, create_key, read_keys, revoke_key, rotate_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_opens_and_only_its_hash_is_kept(path: Path):
    text = create_key(path, "shop", ["write", "read"])
    assert PATTERN.fullmatch(text)
    assert text not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    found = KeyRing(path).find(text)
    assert found is not None
    assert (found.name, found.scopes) == ("shop", ("read", "write"))


def test_a_wrong_key_opens_nothing(path: Path):
    text = create_key(path, "shop", ["read"])
    other = create_key(path, "other", ["admin"])
    ring = KeyRing(path)
    for wrong in (
        "",
        "x",
        text[:-1],
        text + "x",
        text[:-1] + ("A" if text[-1] != "A" else "B"),
        text[:20] + other[20:],
    ):
        assert ring.find(wrong) is None


def test_a_ring_reads_the_file_again_when_it_changes(path: Path):
    text = create_key(path, "shop", ["read"])
    ring = KeyRing(path)
    assert ring.find(text)
    later = create_key(path, "page", ["read"])
    assert ring.find(later)
    assert revoke_key(path, "shop") == 1
    assert ring.find(text) is None
    path.unlink()
    assert ring.find(later) is None
    assert ring.problem is not None


def test_rotation_leaves_time_to_change_over(path: Path):
    old = create_key(path, "shop", ["read", "write"])
    new = rotate_key(path, "shop", timedelta(hours=1))
    ring = KeyRing(path)
    assert ring.find(old).scopes == ring.find(new).scopes == ("read", "write")
    last = rotate_key(path, "shop", timedelta(0))
    assert (ring.find(old), ring.find(new)) == (None, None)
    assert ring.find(last)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: create_key(path, "shop", ["root"]), "--scope: unknown scope"),
        (lambda path: create_key(path, "a b", ["read"]), "--name: a name has 1 to 64"),
        (lambda path: create_key(path, "taken", ["read"]), "--name: there is a key of this name"),
        (lambda path: revoke_key(path, "nobody"), "no key of this name"),
        (lambda path: rotate_key(path, "nobody", timedelta(0)), "There are: taken"),
    ],
)
def test_mistakes_are_told(path: Path, call, message: str):
    create_key(path, "taken", ["read"])
    with pytest.raises(InputError, match=message):
        call(path)


def test_files_that_cannot_be_trusted_are_refused(path: Path):
    with pytest.raises(InputError, match="no file of API keys"):
        read_keys(path)
    text = create_key(path, "shop", ["read"])
    path.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        read_keys(path)
    assert KeyRing(path).find(text) is None
    path.chmod(0o600)
    path.write_text(json.dumps({"format": 1, "keys": [{"id": "x"}]}))
    with pytest.raises(InputError, match="damaged"):
        read_keys(path)
