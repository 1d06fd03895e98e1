"""The server is killed while clients post: what was acknowledged is there once. The long form is in benchmarks/."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
durability = pytest.importorskip("durability")


@pytest.mark.parametrize(("workers", "kills"), [(1, 1), pytest.param(2, 3, marks=pytest.mark.slow)])
def test_what_was_acknowledged_is_there_exactly_once(run, tmp_path, workers, kills):
    outcome = durability.endure(run, tmp_path / "store.db", workers, kills, clients=4)
    assert outcome.acknowledged > 100
    assert outcome.again > 0, "no kill met a batch under way: the test has shown nothing"
    assert (outcome.missing, outcome.double, outcome.foreign) == (0, 0, 0)


def test_losses_are_seen(tmp_path):
    """The count would tell of a lost event, and of one that nobody sent."""
    from accord.data.store import Event, SqliteStore

    store = SqliteStore(tmp_path / "store.db")
    store.append_events([Event("c0-0-0", "u", "1"), Event("c9-9-9", "u", "1")])
    store.close()
    client = durability.Client(0, durability.Server(tmp_path), durability.threading.Event())
    client.acknowledged, client.sent = ["c0-0-0", "c0-0-1"], {"c0-0-0", "c0-0-1"}
    outcome = durability._counted(tmp_path / "store.db", 1, 0, 0, [client])
    assert (outcome.missing, outcome.double, outcome.foreign) == (1, 0, 1)
