"""What is known of a store's events and what is not."""

from dataclasses import replace

import numpy as np
import pytest

import shop
from accord.core.dataset import Dataset
from accord.data.store import Event, open_store, seed
from accord.data.store.base import Store
from accord.serve.arrivals import Reached, arrived


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "store.db")
    yield opened
    opened.close()


def new_ids(store: Store, data: Dataset, since: Reached | None = None) -> list[tuple[str, str]]:
    events = arrived(store, since or Reached(), data).events
    return list(zip(events["user_id"].to_pylist(), events["item_id"].to_pylist(), strict=True))


@pytest.mark.parametrize("timed", [True, False])
def test_each_event_of_the_data_accounts_for_one_of_the_store(store, shop_data, timed):
    data = shop_data if timed else shop.without_order(shop_data)
    doubled = replace(data, events=data.events.take(np.repeat(np.arange(data.n_events), 2)))
    seed(store, doubled, shop.run())
    assert new_ids(store, doubled) == []
    user, item = str(data.user_ids[data.event_users[5]]), str(data.item_ids[data.event_items[5]])
    store.append_events([Event("again", user, item, timestamp=float(data.event_times[5])), Event("e", "ann", item)])
    assert new_ids(store, doubled) == [(user, item), ("ann", item)]
    assert len(new_ids(store, data)) == data.n_events + 2


def test_a_store_is_known_again_by_its_last_event(store, tmp_path):
    store.append_events([Event("e1", "ann", "i1"), Event("e2", "ann", "i2")])
    read = arrived(store, Reached(), None)
    reached = Reached(number=read.number, mark=read.mark)
    assert (read.events.num_rows, read.number) == (2, 2)
    assert reached.holds(store)
    assert "e2" not in reached.mark
    store.append_events([Event("e3", "ann", "i1")])
    assert reached.holds(store)
    assert arrived(store, reached, None).events["item_id"].to_pylist() == ["i1"]
    other = open_store(tmp_path / "other.db")
    assert not reached.holds(other)
    assert Reached().holds(other)
    other.append_events([Event("x1", "ann", "i1"), Event("x2", "ann", "i2")])
    assert not reached.holds(other)
    other.close()
