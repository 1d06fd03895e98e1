import json
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.core.dataset import Dataset
from accord.core.errors import CannotFit, DataError
from accord.core.tables import fingerprint


def small(**changes) -> Dataset:
    """Three users (the last without events), four items (the last cold), five events in order of time."""
    events = pa.table(
        {
            "user": pa.array([0, 1, 0, 1, 0], pa.int32()),
            "item": pa.array([2, 0, 1, 1, 2], pa.int32()),
            "weight": pa.array([1, 2, 3, 4, 5], pa.float32()),
            "timestamp": pa.array([10.0, 20.0, 30.0, 40.0, 50.0]),
        }
    )
    items = pa.table({"item_id": ["a", "b", "c", "d"], "categories": [["x"], [], None, ["x", "y"]]})
    links = {"similar": pa.table({"head": ["a"], "relation": ["like"], "tail": ["b"]})}
    tables = {"events": events, "items": items, "users": pa.table({"user_id": ["u", "v", "w"]}), "links": links}
    return Dataset(**(tables | {"order": "time"} | changes))


def test_histories_run_oldest_first():
    histories = small().histories
    assert [row.tolist() for row in histories.ragged] == [[2, 1, 2], [0, 1], []]
    assert histories.times.tolist() == [10, 30, 50, 20, 40]


def test_matrix_holds_the_newest_weight_of_each_pair():
    assert small().matrix.toarray().tolist() == [[0, 3, 5, 0], [2, 4, 0, 0], [0, 0, 0, 0]]


def test_counts_and_numbers():
    data = small()
    assert data.item_counts.tolist() == [1, 2, 2, 0]
    assert (data.n_items, data.n_users, data.n_events) == (4, 3, 5)
    assert data.item_numbers["d"] == 3
    assert data.user_numbers["v"] == 1
    assert data.user_ids.tolist() == ["u", "v", "w"]


def test_an_item_comes_when_it_is_told_to_else_with_its_first_event():
    data = small()
    assert np.array_equal(data.first_events, data.item_births, equal_nan=True)
    first = {item: min(data.event_times[data.event_items == item], default=np.nan) for item in range(4)}
    assert np.array_equal(data.first_events, list(first.values()), equal_nan=True)
    told = data.items.append_column("available_at", pa.array([5.0, None, None, 7.0]))
    assert np.array_equal(small(items=told).item_births, [5.0, first[1], first[2], 7.0], equal_nan=True)
    bare = small(events=data.events.drop_columns(["timestamp"]), order="none")
    assert np.isnan(bare.item_births).all()


def test_queries_are_asked_just_after_the_newest_event():
    queries = small().queries(np.array([2, 0]), include_seen=True)
    assert queries.users.tolist() == ["w", "u"]
    assert np.array_equal(queries.now, [np.nan, 50.0], equal_nan=True)
    assert queries.history.ragged[1].tolist() == [2, 1, 2]
    assert queries.include_seen
    assert len(small().queries()) == 3
    assert len(small().queries([])) == 0


def test_a_log_without_a_clock_has_no_times():
    assert np.isnan(small(events=small().events.drop_columns(["timestamp"]), order="row").event_times).all()


def test_dropping_events_keeps_every_number():
    data = small().with_events(small().event_items != 1)
    assert (data.n_items, data.n_users) == (4, 3)
    assert [row.tolist() for row in data.histories.ragged] == [[2, 2], [0], []]


def test_vectors_are_one_row_an_item():
    data = small().with_vectors("text", np.ones((4, 2), np.float32))
    assert data.vector("text").shape == (4, 2)
    with pytest.raises(DataError, match=r"one row an item\. Received: \(3, 2\)"):
        small().with_vectors("text", np.ones((3, 2), np.float32))
    with pytest.raises(CannotFit, match=r"no item column 'sound'\. Received: \['text'\]"):
        data.vector("sound")


# --- the fingerprint

ROWS = {
    "text": ["ä", "", None, "z" * 40, "a"],
    "number": [1.5, None, float("nan"), 0.0, 3.0],
    "flag": [True, None, False, True, True],
    "list": [["x"], [], None, ["x", None], ["y"]],
    "numbers": [[1, 2], None, [], [3], [4]],
    "struct": [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {"a": 2, "b": None}, {"a": 3, "b": ""}],
    "day": [date(2024, 1, 2), None, date(1970, 1, 1), None, date(2000, 2, 29)],
    "time": [datetime(2024, 1, 2, 3, 4, 5), None, None, None, datetime(2000, 1, 1)],
    "money": [Decimal("1.50"), None, Decimal("0.00"), None, Decimal("9.99")],
    "nothing": [None] * 5,
}
TABLE = pa.table(ROWS)


def of(table) -> str:
    return fingerprint({"t": table}, "label")


@given(st.lists(st.integers(0, 5), max_size=4))
def test_chunks_and_slices_do_not_change_the_fingerprint(cuts):
    bounds = sorted({0, 5, *cuts})
    pieces = [TABLE.slice(low, high - low) for low, high in pairwise(bounds)]
    assert of(pa.concat_tables([*pieces, TABLE.slice(0, 0)])) == of(TABLE)
    padded = pa.concat_tables([TABLE.slice(2, 2), TABLE, TABLE.slice(1, 1)]).combine_chunks()
    assert of(padded.slice(2, 5)) == of(TABLE)


@pytest.mark.parametrize("name", [name for name in ROWS if name != "nothing"])
@pytest.mark.parametrize("row", [0, 4])
def test_every_value_counts(name, row):
    values = list(ROWS[name])
    values[row] = None
    changed = pa.table({**ROWS, name: pa.array(values, TABLE[name].type)})
    assert of(changed) != of(TABLE)


def test_values_hidden_under_a_null_do_not_count():
    valid = pa.py_buffer(bytes([0b101]))
    first, second = (
        pa.Array.from_buffers(pa.int64(), 3, [valid, pa.py_buffer(np.array([7, hidden, 9]).tobytes())])
        for hidden in (1, 2)
    )
    assert of(pa.table({"x": first})) == of(pa.table({"x": second}))


def test_encodings_of_the_same_text_do_not_count():
    plain = pa.array(["a", "b", None, "a"])
    kinds = [plain, plain.cast(pa.large_string()), plain.dictionary_encode(), plain.cast(pa.string_view())]
    assert len({of(pa.table({"x": kind})) for kind in kinds}) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"x": ["ab", "c"]}, {"x": ["a", "bc"]}),
        ({"x": [["a"], ["b"]]}, {"x": [["a", "b"], []]}),
        ({"x": [""]}, {"x": [None]}),
        ({"x": [1, 2]}, {"x": [2, 1]}),
        ({"x": [1]}, {"x": [1.0]}),
        ({"x": [1]}, {"y": [1]}),
        ({"x": [1], "y": [2]}, {"y": [2], "x": [1]}),
        ({"x": [1]}, {"x": [1, 1]}),
    ],
)
def test_different_tables_differ(first, second):
    assert of(pa.table(first)) != of(pa.table(second))


def test_the_fingerprint_is_the_same_on_every_machine():
    expected = "89246b63cdda5fa814a81fc12f41a7ab3c086e13f7cbbaf04ac01c7b2f6c009f"
    assert of(pa.table({"x": ["a", None], "y": pa.array([1, 2], pa.int32())})) == expected


def test_order_and_links_belong_to_the_data():
    prints = {
        small().fingerprint,
        small(order="row").fingerprint,
        small(links={}).fingerprint,
        small(links={"events": small().links["similar"]}).fingerprint,
        small().with_events(np.array([True, True, True, True, False])).fingerprint,
    }
    assert len(prints) == 5
    assert small().with_vectors("x", np.ones((4, 1), np.float32)).fingerprint == small().fingerprint


# --- on disk


def test_what_is_saved_comes_back(tmp_path):
    small().save(tmp_path / "data")
    again = Dataset.load(tmp_path / "data")
    assert again.fingerprint == small().fingerprint
    assert again.order == "time"
    for mine, theirs in ((again.events, small().events), (again.items, small().items), (again.users, small().users)):
        assert mine.equals(theirs)
    assert again.links["similar"].equals(small().links["similar"])


@settings(max_examples=20)
@given(st.lists(st.sampled_from(sorted(ROWS)), unique=True))
def test_any_kind_of_column_survives(tmp_path_factory, columns):
    folder = tmp_path_factory.mktemp("data", numbered=True)
    items = pa.table({"item_id": list("abcde")} | {name: TABLE[name] for name in columns})
    seconds = pa.array([1, 2, 3, 4, None], pa.timestamp("s"))
    data = small(items=items.append_column("sold", seconds).append_column("kind", items["item_id"].dictionary_encode()))
    data.save(folder)
    assert Dataset.load(folder).fingerprint == data.fingerprint


def test_a_folder_that_is_no_dataset_says_how_to_make_one(tmp_path):
    with pytest.raises(DataError, match=r"not a dataset folder .*accord import"):
        Dataset.load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "order": "time"}', "null"])
def test_a_damaged_schema_is_refused(tmp_path, text):
    small().save(tmp_path)
    (tmp_path / "schema.json").write_text(text)
    with pytest.raises(DataError, match=r"schema\.json: damaged"):
        Dataset.load(tmp_path)


@pytest.mark.parametrize("change", [{"format": 2}, {"order": "random"}, {"links": [1]}, {"fingerprint": None}])
def test_another_format_is_refused(tmp_path, change):
    small().save(tmp_path)
    schema = json.loads((tmp_path / "schema.json").read_text())
    (tmp_path / "schema.json").write_text(json.dumps(schema | change))
    with pytest.raises(DataError, match=r"schema\.json: of another format"):
        Dataset.load(tmp_path)


def test_damaged_and_missing_tables_are_refused(tmp_path):
    small().save(tmp_path)
    path = tmp_path / "links-similar.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"links-similar\.parquet: not a readable Parquet file"):
        Dataset.load(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"links-similar\.parquet: not a readable Parquet file"):
        Dataset.load(tmp_path)


def test_a_table_swapped_behind_its_back_is_refused(tmp_path):
    small().save(tmp_path)
    pq.write_table(small().users.slice(0, 2), tmp_path / "users.parquet")
    with pytest.raises(DataError, match=r"do not match schema\.json"):
        Dataset.load(tmp_path)


@pytest.mark.parametrize("numbers", [[0, 1, 0, 1, 4], [0, 1, 0, 1, -1], [0, 1, 0, 1, None]])
def test_numbers_outside_the_tables_are_refused(tmp_path, numbers):
    events = small().events
    events = events.set_column(events.column_names.index("item"), "item", pa.array(numbers, pa.int32()))
    small(events=events).save(tmp_path)
    with pytest.raises(DataError, match="column 'item' must hold numbers from 0 to 3"):
        Dataset.load(tmp_path)


def test_events_without_their_numbers_are_refused(tmp_path):
    small(events=small().events.drop_columns(["user"])).save(tmp_path)
    with pytest.raises(DataError, match="no column 'user'"):
        Dataset.load(tmp_path)


def test_more_items_leave_what_the_events_say():
    data = small()
    data.histories, data.matrix, data.item_counts  # noqa: B018 - worked out before
    items = pa.concat_tables([data.items, pa.table({"item_id": ["e"], "categories": [["z"]]})])
    grown = data.with_items(items, {"v": np.ones((5, 2), np.float32)})
    assert grown.histories is data.histories
    for name in ("item_ids", "item_numbers", "item_counts"):
        again = getattr(replace(grown), name)
        assert list(getattr(grown, name)) == list(again)
    np.testing.assert_array_equal(grown.first_events, replace(grown).first_events)
    np.testing.assert_array_equal(grown.matrix.toarray(), replace(grown).matrix.toarray())
    assert (data.n_items, data.vectors) == (4, {})
    with pytest.raises(DataError, match="only grows"):
        grown.with_items(data.items, {})


def test_newer_events_come_last_in_the_columns_of_the_log():
    data = small()
    more = pa.table({"user": [3], "item": [3], "weight": [1.0], "timestamp": [60], "colour": ["red"]})
    later = data.with_newest(more, pa.table({"user_id": ["x"]}))
    assert later.histories.ragged[3].tolist() == [3]
    assert later.events.schema == data.events.schema
    assert (data.n_events, data.n_users) == (5, 3)
    with pytest.raises(DataError, match="numbers from 0 to 3"):
        data.with_newest(more.set_column(1, "item", pa.array([9])), pa.table({"user_id": ["x"]}))
