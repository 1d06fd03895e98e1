"""The files of the SQLite store: versions, erased bytes, copies, full disks, strange files."""

import sqlite3
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from accord.core.errors import InputError
from accord.data.store import Event, SqliteStore, StoreUnavailable, open_store, restore
from accord.data.store.connections import Turn
from accord.data.store.migrations import VERSION
from accord.testing.stores import SHOWN, event

OLD = Path(__file__).with_name("version_1.sql")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def make_old(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(OLD.read_text(encoding="utf-8"))
    connection.close()


def scalar(path: Path, query: str) -> object:
    connection = sqlite3.connect(path)
    found = connection.execute(query).fetchone()[0]
    connection.close()
    return found


def bytes_of(path: Path) -> bytes:
    """All that the store has on the disk: the file, its log and its index."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


def test_an_older_store_is_upgraded_and_keeps_everything(path):
    make_old(path)
    store = SqliteStore(path)
    bought = Event("e2", "ann", "cup", "buy", 172_800.0, 4.5, 3.0, "s1", {"device": "phone"})
    assert store.histories(["ann"], 9) == [[replace(event(1), timestamp=86_400.0), bought]]
    assert (store.items(["tea", "cup"]), store.user("ann")) == ([{"title": "Tea"}, None], {"age": 30})
    store.put_impression(SHOWN)
    assert store.put_items([("cup", {})]) == 4
    store.close()
    assert scalar(path, "PRAGMA user_version") == VERSION


def test_a_new_store_and_an_upgraded_one_have_the_same_tables(path):
    make_old(path)
    SqliteStore(path).close()
    SqliteStore(path.with_name("new.db")).close()
    query = "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema ORDER BY name)"
    old, new = (" ".join(str(scalar(file, query)).split()) for file in (path, path.with_name("new.db")))
    assert old == new


def test_a_failing_upgrade_changes_nothing(path):
    make_old(path)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE erasures (something)")  # in the way of step 2, after its first table
    connection.close()
    with pytest.raises(StoreUnavailable, match="erasures"):
        SqliteStore(path)
    assert scalar(path, "PRAGMA user_version") == 1
    assert scalar(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'impressions'") == 0


def test_a_newer_store_is_refused(path):
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputError, match="newer Accord"):
        SqliteStore(path)


def test_strange_files_are_left_alone(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE shop (id)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(InputError, match="not a store"):
        SqliteStore(path)
    assert path.read_bytes() == before
    path.write_text("something else entirely, and long enough to have a header " * 10, encoding="utf-8")
    with pytest.raises(InputError, match="not a database"):
        SqliteStore(path)


def test_urls_name_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///one.db", f"sqlite:///{tmp_path}/two.db", "three.db", tmp_path / "sub" / "four.db"):
        open_store(url).close()
    assert sorted(file.name for file in tmp_path.rglob("*.db")) == ["four.db", "one.db", "three.db", "two.db"]
    for url in ("postgresql://host/shop", "sqlite://", "sqlite:///:memory:", ""):
        with pytest.raises(InputError):
            open_store(url)
    with pytest.raises(InputError, match="no store"):
        open_store("missing.db", create=False)
    assert not Path("missing.db").exists()


def test_no_byte_of_an_erased_person_stays(path):
    """Among many others, so that pages were split, moved and filled again."""
    store = SqliteStore(path)
    person = "person-to-be-forgotten-"
    for batch in range(30):
        users = [f"{person}{n}" if n % 3 == 0 else f"somebody-{n * 7 % 100}" for n in range(100)]
        events = [Event(f"{batch}-{n}", user, f"item{n}", "view", float(batch)) for n, user in enumerate(users)]
        store.append_events(events)
        for n in range(0, 100, 10):
            store.put_impression(replace(SHOWN, impression_id=f"{batch}-{n}", user_id=users[n]))
    for n in range(0, 100, 3):
        store.put_user(f"{person}{n}", {"name": f"{person}{n}"})
    assert person.encode() in bytes_of(path)
    for n in range(0, 100, 3):
        assert store.erase_user(f"{person}{n}")["events"] == 30
    assert person.encode() not in bytes_of(path)
    assert b"somebody-" in bytes_of(path)
    store.close()


def test_erasing_waits_for_readers_and_says_where_they_stay(path):
    store = SqliteStore(path, patience=0.2)
    store.append_events([event(1)])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchall()
    with pytest.raises(StoreUnavailable, match="the rows are removed"):
        store.erase_user("ann")
    assert store.histories(["ann"], 1) == [[]]
    reader.close()
    assert store.erase_user("ann")["events"] == 0
    store.close()


def test_a_backup_comes_back_but_not_those_who_were_erased_since(path, tmp_path):
    store = SqliteStore(path)
    store.append_events([event(1), event(2, "bob"), event(3, "cid")])
    store.erase_user("cid")
    store.append_events([event(4, "cid")])  # somebody new under the same id
    copy = tmp_path / "backup.db"
    store.backup(copy)
    assert list(tmp_path.glob("backup.db*")) == [copy]
    store.append_events([event(5, "bob")])
    store.erase_user("ann")
    with pytest.raises(InputError, match="--force"):
        restore(copy, path)
    assert restore(copy, path, force=True) == {"erased_again": 1}  # while the store is open
    assert store.histories(["ann", "bob", "cid"], 9) == [[], [event(2, "bob")], [event(4, "cid")]]
    assert store.erased(["ann", "bob"]) == [True, False]
    store.close()
    assert b"ann" not in bytes_of(path)


def test_restoring_into_a_new_place(path, tmp_path):
    make_old(tmp_path / "old.db")
    assert restore(tmp_path / "old.db", path) == {"erased_again": 0}
    store = SqliteStore(path)
    assert store.counts()["events"] == 2
    store.close()


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 100])
def test_a_damaged_backup_replaces_nothing(path, tmp_path, content):
    store = SqliteStore(path)
    store.append_events([event(1)])
    (tmp_path / "bad.db").write_bytes(content)
    with pytest.raises(InputError, match="database"):
        restore(tmp_path / "bad.db", path, force=True)
    with pytest.raises(InputError, match="no such file"):
        restore(tmp_path / "none.db", path, force=True)
    assert store.histories(["ann"], 1) == [[event(1)]]
    store.close()


def test_a_lock_that_is_held_too_long_is_said(path):
    store = SqliteStore(path, patience=0.2)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match="Try again"):
        store.append_events([event(1)])
    assert time.monotonic() - started < 5
    assert store.histories(["ann"], 1) == [[]]
    other.execute("ROLLBACK")
    other.close()
    assert store.append_events([event(1)]).accepted == 1
    store.close()


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    for path in (tmp_path / "file" / "store.db", Path("/proc/store.db")):
        with pytest.raises(StoreUnavailable, match=r"Give another path|Check the path"):
            SqliteStore(path)


def test_a_full_disk_refuses_and_loses_nothing(path):
    """The limit on the size of files stands for the disk; what was acknowledged before stays."""
    code = f"""
        import resource
        from accord.data.store import Event, SqliteStore, StoreUnavailable
        from pathlib import Path

        store = SqliteStore(Path({str(path)!r}))
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
        count = 0
        try:
            while True:
                count += store.append_events([Event(f"e{{count + n}}", "ann", "tea") for n in range(100)]).accepted
        except StoreUnavailable as error:
            assert "room on the disk" in str(error), error
        assert len(store.histories(["ann"], 10**6)[0]) == count > 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert store.append_events([Event("later", "ann", "tea")]).accepted == 1
        store.close()
        print(count)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    store = SqliteStore(path)
    assert store.counts()["events"] == int(done.stdout) + 1
    store.close()


def test_a_writer_that_holds_its_turn_for_ever_is_said(path):
    store = SqliteStore(path, patience=0.05)
    turn = Turn(path, "")
    with turn.taken(), pytest.raises(StoreUnavailable, match="does not answer"):
        store.append_events([event(1)])
    turn.close()
    assert store.append_events([event(2)]).accepted == 1
    store.close()
