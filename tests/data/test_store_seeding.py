"""From a dataset to a store and back."""

from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.errors import DataError, InputError
from accord.data.importer import import_data
from accord.data.settings import ImportSettings
from accord.data.store import Event, SqliteStore, as_dataset, open_store, seed, seeding

EVENTS = """user_id,item_id,timestamp,event,value,device,text
ann,tea,1000,view,,phone,
bob,tea,1000,buy,4.5,,good "tea", 很好
ann,cup,2000,buy,3,phone,
cid,pot,3000,view,,desk,
"""
ITEMS = """item_id,title,price,categories,year
tea,Green tea,3.5,drinks|hot,2020
cup,A cup,,kitchen,2021
jug,A jug,9,kitchen,
"""
USERS = "user_id,age,city\nbob,30,Bern\nann,,Wien\n"


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path / "store.db")
    yield store
    store.close()


@pytest.fixture
def imported(tmp_path) -> Dataset:
    paths = {}
    for name, text in (("events", EVENTS), ("items", ITEMS), ("users", USERS)):
        paths[name] = tmp_path / f"{name}.csv"
        paths[name].write_text(text.replace('good "tea", 很好', '"good ""tea"", 很好"'), encoding="utf-8")
    settings = ImportSettings(
        events=(str(paths["events"]),), items=str(paths["items"]), users=str(paths["users"]), weights={"buy": 3.0}
    )
    return import_data(settings, shop.run()).dataset


def test_what_was_imported_comes_back_as_it_was(store, imported):
    assert {"price_z", "price_missing"} <= set(imported.items.column_names)
    assert seed(store, imported)
    back = as_dataset(store, imported)
    for table in ("events", "items", "users"):
        assert pl.DataFrame(getattr(back, table)).equals(pl.DataFrame(getattr(imported, table))), table
    assert back.fingerprint == imported.fingerprint
    assert store.items(["tea"]) == [{"title": "Green tea", "price": 3.5, "categories": ["drinks", "hot"], "year": 2020}]
    text = store.histories(["bob"], 1)[0][0]
    assert (text.value, text.weight, text.context) == (4.5, 3.0, {"text": 'good "tea", 很好'})


def test_without_a_base_types_are_found_as_an_import_finds_them(store, imported):
    seed(store, imported)
    back = as_dataset(store)
    for table in ("items", "users"):
        ours, theirs = (dict(pl.DataFrame(getattr(data, table)).schema) for data in (back, imported))
        assert ours == theirs
    assert set(back.events.column_names) == set(imported.events.column_names)


def test_a_store_is_filled_once(store):
    data = shop.shop()
    assert seed(store, data)
    assert not seed(store, data)
    assert store.counts() == {"events": data.n_events, "items": 80, "users": 160, "impressions": 0, "erasures": 0}
    assert store.last_change() == 0
    assert not seed(store, replace(data, events=data.events.slice(1)))  # another dataset later: it is full already


def test_a_store_with_rows_of_its_own_stays_as_it_is(store):
    store.append_events([Event("e1", "ann", "tea")])
    assert not seed(store, shop.shop())
    assert store.counts()["events"] == 1


class Killed(Exception):
    pass


class Dying(SqliteStore):
    """Dies after some batches of events."""

    left = 3

    def add_events(self, batch):
        self.left -= 1
        if not self.left:
            raise Killed
        return super().add_events(batch)


def test_a_killed_seeding_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(seeding, "EVENTS", 400)
    data = shop.shop()
    dying = Dying(tmp_path / "store.db")
    with pytest.raises(Killed):
        seed(dying, data)
    assert 0 < dying.counts()["events"] < data.n_events
    dying.erase_user("u3")  # somebody who leaves meanwhile does not come back
    dying.close()
    store = SqliteStore(tmp_path / "store.db")
    with pytest.raises(InputError, match="half filled"):
        seed(store, replace(data, events=data.events.slice(1)))
    assert seed(store, data)
    assert not seed(store, data)
    of_u3 = int((data.event_users == data.user_numbers["u3"]).sum())
    assert of_u3 > 0
    assert store.counts()["events"] == data.n_events - of_u3
    assert store.user("u3") is None
    store.close()


def test_events_without_a_clock_keep_their_order(store):
    data = shop.without_order(shop.shop())
    seed(store, data)
    back = as_dataset(store, data)
    assert np.array_equal(back.event_items, data.event_items)
    assert [event.event_id for _, event in store.events_after(0, 3)] == ["train-0", "train-1", "train-2"]


def test_live_changes_reach_the_dataset(store, imported):
    links = {"friends": pa.table({"head": ["ann", "bob"], "tail": ["bob", "cid"]})}
    base = replace(imported, links=links)
    seed(store, base)
    store.append_events(
        [
            Event("late", "dan", "new", "view", 2500.0, context={"device": "tv", "unknown": "x"}),
            Event("early", "ann", "jug", "", 500.0),
        ]
    )
    store.put_items([("new", {"title": "New", "price": "much", "year": 2022, "categories": "hot", "colour": "red"})])
    store.delete_items(["cup"])
    store.erase_user("cid")
    found = as_dataset(store, base)
    ids = list(zip(found.user_ids[found.event_users], found.item_ids[found.event_items], strict=True))
    assert ids == [("ann", "jug"), ("ann", "tea"), ("bob", "tea"), ("dan", "new")]
    assert found.event_times.tolist() == [500.0, 1000.0, 1000.0, 2500.0]
    assert found.events["device"].to_pylist() == [None, "phone", None, "tv"]
    row = dict(zip(found.items.column_names, found.items.to_pylist()[-1].values(), strict=True))
    assert (row["item_id"], row["title"], row["price"], row["year"]) == ("new", "New", None, 2022)
    assert row["categories"] == ["hot"]
    assert found.items.schema.equals(base.items.schema)
    assert "cup" not in found.item_numbers and "cid" not in found.user_numbers
    assert found.links["friends"].to_pylist() == [{"head": "ann", "tail": "bob"}]


def test_fields_of_several_kinds_become_text_or_lists(store):
    store.append_events([Event("e1", "ann", "a")])
    store.put_items([("a", {"size": 1, "tags": "x", "ok": True}), ("b", {"size": "L", "tags": ["y", "z"]}), ("c", {})])
    items = as_dataset(store).items.to_pylist()
    assert [(row["size"], row["tags"], row["ok"]) for row in items] == [
        ("1", ["x"], "true"),
        ("L", ["y", "z"], None),
        (None, None, None),
    ]


def test_an_empty_store_has_nothing_to_learn_from(store):
    with pytest.raises(DataError, match="no event"):
        as_dataset(store)
    assert as_dataset(store, needs_events=False).n_events == 0
