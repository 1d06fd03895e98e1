"""Several processes write to one file, and are killed: what was acknowledged is there exactly once."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from accord.data.store import SqliteStore

CLIENT = str(Path(__file__).with_name("store_client.py"))


def start(store: Path, prefix: str, threads: int, *most: int) -> "subprocess.Popen[str]":
    command = [sys.executable, CLIENT, str(store), prefix, str(threads), *map(str, most)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def stored(path: Path) -> Counter[str]:
    store = SqliteStore(path)
    counts = Counter(event.event_id for _, event in store.events_after(0, 1_000_000))
    store.close()
    return counts


def test_two_processes_write_to_one_file(tmp_path):
    path = tmp_path / "store.db"
    clients = [start(path, name, 4, 25) for name in ("a", "b")]  # both make the tables, too
    said = [client.communicate(timeout=60)[0].split() for client in clients]
    assert [client.returncode for client in clients] == [0, 0]
    assert stored(path) == Counter([*said[0], *said[1]])
    assert [len(ids) for ids in said] == [100, 100]


def killed(path: Path, prefix: str, dice: random.Random) -> list[str]:
    """The ids that two clients said before they were killed at some moment."""
    clients = [start(path, f"{prefix}{n}", 3) for n in range(2)]
    try:
        first = [client.stdout.readline() for client in clients]
        time.sleep(dice.uniform(0, 0.3))
    finally:
        for client in clients:
            client.kill()
    said = [first[n] + client.communicate()[0] for n, client in enumerate(clients)]
    return [line[:-1] for text in said for line in text.splitlines(keepends=True) if line.endswith("\n")]


def check_kills(path: Path, kills: int) -> None:
    dice = random.Random(0)
    said = [name for number in range(kills) for name in killed(path, f"k{number}-", dice)]
    counts = stored(path)
    assert len(said) >= 2 * kills
    assert {name: counts[name] for name in said if counts[name] != 1} == {}


def test_five_kills_lose_nothing_acknowledged(tmp_path):
    check_kills(tmp_path / "store.db", 5)


@pytest.mark.slow
def test_fifty_kills_lose_nothing_acknowledged(tmp_path):
    check_kills(tmp_path / "store.db", 50)
