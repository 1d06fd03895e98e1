"""From files to a dataset: what stays, what is refused, what is stated."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.core.dataset import Dataset
from accord.core.errors import DataError
from accord.core.run import Run
from accord.data.filters import k_core
from accord.data.importer import Imported, import_data
from accord.data.kinds import prices
from accord.data.pooling import pool_texts
from accord.data.scripts import scripts
from accord.data.settings import ImportSettings
from accord.data.times import read_times


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def bring(folder: Path, log: str, catalogue: str | None = None, people: str | None = None, **more: Any) -> Imported:
    """Write the texts as files and import them."""
    (folder / "events.csv").write_text(log, encoding="utf-8")
    values: dict[str, Any] = {"events": (str(folder / "events.csv"),)} | more
    for name, text, ending in (("items", catalogue, "jsonl"), ("users", people, "csv")):
        if text is not None:
            (folder / f"{name}.{ending}").write_text(text, encoding="utf-8")
            values[name] = str(folder / f"{name}.{ending}")
    return import_data(ImportSettings(**values), Run())


def pairs(data: Dataset) -> list[tuple[str, str]]:
    users, items = data.user_ids[data.event_users], data.item_ids[data.event_items]
    return list(zip(users.tolist(), items.tolist(), strict=True))


LOG = "user_id,item_id,timestamp\nb,y,300\na,x,100\na,y,200\n"


def test_events_are_sorted_by_time_and_ids_are_text(folder: Path) -> None:
    data = bring(folder, "user_id,item_id,timestamp\n2,01,300\n1,7,100\n1,8,300\n").dataset
    assert pairs(data) == [("1", "7"), ("2", "01"), ("1", "8")]
    assert data.order == "time"
    assert data.event_times.tolist() == [100, 300, 300]
    assert data.events.schema.field("user").type == pa.int32()
    assert data.events.schema.field("weight").type == pa.float32()


def test_bad_rows_stand_in_the_rejects_beside_good_ones(folder: Path) -> None:
    log = "user_id,item_id,timestamp,value\na,x,100,1\n,x,100,1\nb,  ,100,1\nc,z,soon,1\nd,z,100,much\n"
    log += "e,z,100,inf\nf,w,101,\n"
    imported = bring(folder, log)
    assert pairs(imported.dataset) == [("a", "x"), ("f", "w")]
    found = pl.DataFrame(pl.from_arrow(imported.rejects))
    assert found.select("row", "reason").rows() == [
        (2, "user_id is missing"),
        (3, "item_id is missing"),
        (4, "timestamp is missing, or not in the unit of its column"),
        (5, "value is not a number"),
        (6, "value is not finite"),
    ]
    assert set(found["source"]) == {str(folder / "events.csv")}
    assert json.loads(found["raw"][2]) == {"user_id": "c", "item_id": "z", "timestamp": "soon", "value": "1"}
    assert imported.report["counts"]["rows"] == 7
    assert imported.report["counts"]["rejected"] == 5


def test_a_missing_column_stops_and_names_what_there_is(folder: Path) -> None:
    with pytest.raises(DataError, match=r"events.csv: there is no column 'item_id'.*'thing'.*--map item_id=COLUMN"):
        bring(folder, "user_id,thing\na,x\n")
    assert pairs(bring(folder, "user_id,thing\na,x\n", map={"item_id": "thing"}).dataset) == [("a", "x")]
    with pytest.raises(DataError, match=r"--map item_id: no source has the column 'ting'.*user_id, thing"):
        bring(folder, "user_id,thing\na,x\n", map={"item_id": "ting"})


def test_well_known_names_are_found_and_stated(folder: Path) -> None:
    imported = bring(folder, "userId,movieId,rating,ts\na,x,4,100\n")
    columns = {row["column"]: row["from"] for row in imported.report["columns"] if row["table"] == "events"}
    assert columns == {"user_id": ["userId"], "item_id": ["movieId"], "value": ["rating"], "timestamp": ["ts"]}


def test_map_wins_over_a_column_of_our_name(folder: Path) -> None:
    data = bring(folder, "user_id,item_id,sku,user\na,x,s1,u\n", map={"item_id": "sku"}).dataset
    assert pairs(data) == [("a", "s1")]
    assert data.events["raw_item_id"].to_pylist() == ["x"]
    assert data.events["raw_user"].to_pylist() == ["u"]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ((1700000000, 1700000001), "seconds"),
        ((1700000000000, 1700000001000), "milliseconds"),
        ((1700000000000000, 1700000001000000), "microseconds"),
        ((1700000000000000000, 1700000001000000000), "nanoseconds"),
        (("2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z"), "ISO 8601"),
        (("2023-11-14 22:13:20", "2023-11-14 22:13:21"), "ISO 8601"),
        (("2023-11-14T23:13:20.000+01:00", "2023-11-14T22:13:21"), "ISO 8601"),
    ],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_times_are_detected_and_stated(written: tuple[Any, Any], kind: str, *, as_text: bool) -> None:
    values = [str(value) for value in written] if as_text else list(written)
    times = read_times(pl.Series("t", values))
    assert times.read_as == kind
    assert times.seconds.to_list() == [1700000000.0, 1700000001.0]


@given(st.lists(st.integers(631152000, 4102444800), min_size=1, max_size=30), st.sampled_from([1, 1000, 1_000_000]))
def test_one_moment_reads_the_same_in_every_unit(seconds: list[int], factor: int) -> None:
    numbers = read_times(pl.Series("t", [second * factor for second in seconds])).seconds
    iso = [str(np.datetime64(second, "s")) for second in seconds]
    assert numbers.to_list() == seconds == read_times(pl.Series("t", iso)).seconds.to_list()


def test_dates_years_and_other_units() -> None:
    assert read_times(pl.Series("t", ["19700102", "19700103"])).seconds.to_list() == [86400, 172800]
    assert read_times(pl.Series("t", ["1970-01-02", "1970-01-03"])).seconds.to_list() == [86400, 172800]
    assert read_times(pl.Series("t", [1970, 1971])).seconds.to_list() == [0, 365 * 86400]
    mixed = read_times(pl.Series("t", [1700000000000, 1700000001000, 1700000002, 0]))
    assert mixed.seconds.to_list() == [1700000000.0, 1700000001.0, None, None]
    assert read_times(pl.Series("t", ["soon", "later", "1"])).read_as is None


def test_order_falls_back_to_rows_and_says_so(folder: Path) -> None:
    imported = bring(folder, "user_id,item_id\nb,y\na,x\n")
    assert imported.dataset.order == "row"
    assert pairs(imported.dataset) == [("b", "y"), ("a", "x")]
    assert "order of the rows" in imported.report["order"]["why"]
    assert any("There are no times" in sentence for sentence in imported.report["advice"])
    assert bring(folder, LOG, order="none").dataset.order == "none"
    assert "timestamp" not in bring(folder, LOG, order="row").dataset.events.column_names
    with pytest.raises(DataError, match="no column of times"):
        bring(folder, "user_id,item_id\nb,y\n", order="time")


def test_sources_with_other_columns_fuse_into_one_log(folder: Path) -> None:
    second = folder / "buys.jsonl"
    second.write_text('{"uid": "a", "item_id": "z", "timestamp": 150000, "event": "buy", "shop": 7}\n{"uid": ""}\n')
    other = folder / "views.csv"
    other.write_text("user_id,item_id,timestamp,shop\na,q,1970-01-01T00:00:01Z,web\n")
    sources = (str(folder / "events.csv"), str(second), str(other))
    imported = bring(folder, LOG, events=sources, weights={"buy": 3.0})
    assert pairs(imported.dataset) == [("a", "q"), ("a", "x"), ("a", "y"), ("b", "y"), ("a", "z")]
    assert imported.dataset.event_weights.tolist() == [1, 1, 1, 1, 3]
    assert imported.dataset.events["shop"].to_pylist() == ["web", None, None, None, "7"]
    assert imported.rejects["source"].to_pylist() == [str(second)]
    assert [source["rows"] for source in imported.report["sources"]] == [3, 2, 1]


def test_some_sources_without_times_leave_no_order(folder: Path) -> None:
    other = folder / "other.csv"
    other.write_text("user_id,item_id\na,q\n")
    sources = (str(folder / "events.csv"), str(other))
    assert bring(folder, LOG, events=sources).dataset.order == "none"
    other.write_text("user_id,item_id,timestamp\n")
    assert bring(folder, LOG, events=sources).dataset.order == "time"


def test_cold_items_and_unlisted_items_both_have_a_row(folder: Path) -> None:
    items = '{"item_id": "cold", "title": "C", "price": "$1,200.50"}\n{"item_id": "x", "title": "X", "price": 3}\n'
    users = "user_id,age\nb,30\nnew,20\n"
    imported = bring(folder, LOG, items, users)
    data = imported.dataset
    assert data.item_ids.tolist() == ["cold", "x", "y"]
    assert data.items["title"].to_pylist() == ["C", "X", None]
    assert data.items["price"].to_pylist() == [1200.5, 3, None]
    assert data.items["price_missing"].to_pylist() == [False, False, True]
    assert data.user_ids.tolist() == ["b", "new", "a"]
    assert imported.report["counts"]["cold_items"] == 1
    z = np.array(data.items["price_z"].to_pylist())
    np.testing.assert_allclose([z.mean(), z.std()], [0, 1], atol=1e-6)
    assert z[2] == pytest.approx(0, abs=1e-6)  # the median of two is their mean
    assert "age_missing" in data.users.column_names


def test_item_columns_get_the_type_they_deserve(folder: Path) -> None:
    (folder / "items.csv").write_text(
        "item_id,title,genres,actors,year,brand_id,zip,available_at,note,image\n"
        "x,1984, Drama | War|Drama ,A|B,1995,12,01234,2020-01-01,nan,a.png\n"
        'y,,"[""War"", ""Sci-Fi""]",C,1996,13,99999,,  ,b.png\n'
        "x,again,,,,,,,,\n"
    )
    imported = bring(folder, LOG, items=str(folder / "items.csv"))
    items = imported.dataset.items
    assert items["title"].to_pylist() == ["1984", None]
    assert items["genres"].to_pylist() == [["Drama", "War"], ["War", "Sci-Fi"]]
    assert items["actors"].to_pylist() == [["A", "B"], ["C"]]
    assert items["year"].to_pylist() == [1995, 1996]
    assert items["brand_id"].to_pylist() == ["12", "13"]
    assert items["zip"].to_pylist() == ["01234", "99999"]
    assert items["available_at"].to_pylist() == [1577836800.0, None]
    assert items["note"].to_pylist() == [None, None]
    assert "year_missing" not in items.column_names
    assert imported.rejects["reason"].to_pylist() == ["item_id was given before"]


def test_values_and_texts_of_odd_types_are_read_or_refused(folder: Path) -> None:
    odd = folder / "odd.jsonl"
    odd.write_text(
        '{"user_id": "a", "item_id": "x", "value": [4], "text": ["one", "two"]}\n'
        '{"user_id": true, "item_id": 2.0, "value": " 3 ", "text": 7}\n'
        '{"user_id": "c", "item_id": "z", "value": [1, 2], "text": null}\n'
    )
    imported = bring(folder, LOG, events=(str(odd),))
    assert imported.dataset.events["value"].to_pylist() == [4, 3]
    assert imported.dataset.events["text"].to_pylist()[0] == "one\ntwo"
    assert imported.rejects["reason"].to_pylist() == ["value is not a number"]


def test_prices_in_many_hands() -> None:
    written = ["$12.50", "1,299", "9,99", "EUR 1'000.5", "free", None, "inf"]
    assert prices(pl.Series("price", written)).to_list() == [12.5, 1299, 9.99, 1000.5, None, None, None]


def test_long_texts_are_cut_and_long_ids_refused(folder: Path) -> None:
    long = "é" * 30_000
    imported = bring(folder, f"user_id,item_id,text\na,x,{long}\n{long},x,hi\n", order="row")
    assert len(imported.dataset.events["text"].to_pylist()[0]) == 20_000
    assert imported.rejects["reason"].to_pylist() == ["user_id is longer than 512 characters"]
    assert len(imported.rejects["raw"].to_pylist()[0]) == 2_000


def test_exact_repeats_go_and_later_repeats_stay(folder: Path) -> None:
    log = "user_id,item_id,timestamp,value\na,x,100,1\na,x,100,2\na,x,200,3\n"
    imported = bring(folder, log)
    assert imported.dataset.events["value"].to_pylist() == [2, 3]
    assert imported.report["removed"] == [{"step": "exact duplicates", "events": 1}]
    assert bring(folder, log, dedupe="none").dataset.n_events == 3
    assert bring(folder, log, dedupe="first").dataset.event_times.tolist() == [100]
    last = bring(folder, log, dedupe="sum").dataset
    assert (last.event_times.tolist(), last.event_weights.tolist()) == ([200], [2])
    assert bring(folder, "user_id,item_id\na,x\na,x\n").dataset.n_events == 2


def test_threshold_keeps_events_without_a_value(folder: Path) -> None:
    log = "user_id,item_id,value\na,x,5\na,y,3\nb,z,\n"
    assert pairs(bring(folder, log, min_value=4).dataset) == [("a", "x"), ("b", "z")]


def test_centring_gives_negative_weights_below_the_users_mean(folder: Path) -> None:
    imported = bring(folder, "user_id,item_id,value\na,x,5\na,y,2\nb,x,4\nb,z,\n", center=True)
    assert imported.dataset.event_weights.tolist() == [1.5, -1.5, 0, 1]
    assert any("negative weight" in sentence for sentence in imported.report["advice"])


def test_robots_are_refused_with_their_events(folder: Path) -> None:
    log = "user_id,item_id\nr,x\nr,y\nr,z\na,x\n"
    imported = bring(folder, log, '{"item_id": "z"}\n', "user_id\nr\na\n", max_events=2)
    assert pairs(imported.dataset) == [("a", "x")]
    assert imported.dataset.user_ids.tolist() == ["a"]
    assert imported.dataset.item_ids.tolist() == ["z", "x"]
    assert imported.rejects["row"].to_pylist() == [1, 2, 3]
    assert json.loads(imported.rejects["raw"].to_pylist()[2]) == {"user_id": "r", "item_id": "z"}


def test_k_core_leaves_cold_items_but_not_those_it_removed(folder: Path) -> None:
    log = "user_id,item_id\na,x\na,y\nb,x\nb,y\nc,y\nc,z\n"
    imported = bring(folder, log, '{"item_id": "z"}\n{"item_id": "cold"}\n', k_core=2)
    assert pairs(imported.dataset) == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    assert imported.dataset.item_ids.tolist() == ["cold", "x", "y"]
    assert imported.dataset.user_ids.tolist() == ["a", "b"]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=60), st.integers(1, 4))
def test_k_core_is_the_largest_part_where_all_have_k(rows: list[tuple[int, int]], k: int) -> None:
    users, items = (np.array(column, dtype=np.int32) for column in zip(*rows, strict=True))
    keep = k_core(users, items, k)
    plain = list(rows)
    while True:
        left = [(u, i) for u, i in plain if sum(u == v for v, _ in plain) >= k and sum(i == j for _, j in plain) >= k]
        if left == plain:
            break
        plain = left
    assert [row for row, kept in zip(rows, keep, strict=True) if kept] == plain


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 50)), min_size=1, max_size=30))
def test_no_event_is_lost_or_made_up(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int]]
) -> None:
    log = "user_id,item_id,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in rows)
    data = bring(tmp_path_factory.mktemp("law"), log, dedupe="none").dataset
    wanted = sorted(rows, key=lambda row: row[2])
    assert list(zip(pairs(data), data.event_times.tolist(), strict=True)) == [((u, i), t) for u, i, t in wanted]


def test_nothing_left_says_why(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no event is left.*1 rows: user_id is missing"):
        bring(folder, "user_id,item_id\n,x\n")
    with pytest.raises(DataError, match="9-core"):
        bring(folder, LOG, k_core=9)


def test_links_of_two_and_three_columns(folder: Path) -> None:
    (folder / "friends.csv").write_text("user_id,friend_id\na,b\na,b\na,\n")
    (folder / "graph.csv").write_text("film,role,person\nx,actor,p\n")
    imported = bring(folder, LOG, links={"friends": str(folder / "friends.csv"), "graph": str(folder / "graph.csv")})
    assert imported.dataset.links["friends"].to_pylist() == [{"head": "a", "relation": "friends", "tail": "b"}]
    assert imported.dataset.links["graph"].to_pylist() == [{"head": "x", "relation": "actor", "tail": "p"}]
    assert imported.rejects["reason"].to_pylist() == ["tail is missing"]
    (folder / "one.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match="two or three columns"):
        bring(folder, LOG, links={"one": str(folder / "one.csv")})


def test_the_dataset_survives_a_round_trip_with_its_fingerprint(folder: Path) -> None:
    items = '{"item_id": "x", "title": "X", "tags": ["a"], "price": 3}\n'
    data = bring(folder, LOG, items).dataset
    data.save(folder / "out")
    again = Dataset.load(folder / "out")
    assert again.fingerprint == data.fingerprint == bring(folder, LOG, items).dataset.fingerprint


def test_report_counts_what_is_there(folder: Path) -> None:
    items = (
        '{"item_id": "x", "title": "The War!"}\n{"item_id": "y", "title": "the war"}\n'
        '{"item_id": "k", "title": "戦争とアリス"}\n{"item_id": "n"}\n'
    )
    report = bring(folder, LOG, items).report
    assert json.loads(json.dumps(report)) == report
    assert report["duplicate_items"] == {
        "groups": 1,
        "items": 2,
        "examples": [{"title": "The War!", "item_ids": ["x", "y"]}],
    }
    assert report["span"]["days"] == pytest.approx(200 / 86400)
    assert report["events_per_user"]["mean"] == 1.5
    assert report["sparsity"]["density"] == pytest.approx(3 / 8)
    assert report["popularity"][-1] == {"items": 1.0, "events": 1.0}
    assert report["languages"][0] == {"script": "Latin", "texts": 2, "share": pytest.approx(2 / 3, abs=1e-4)}
    assert next(text for text in report["text"] if text["column"] == "title")["missing_share"] == 0.25
    assert any("only 3 events" in sentence for sentence in report["advice"])


def test_scripts_are_told_apart() -> None:
    texts = ["hello world", "你好，世界", "こんにちは世界", "안녕하세요", "Привет", "مرحبا", "123", None]
    found = {row["script"] for row in scripts([pl.Series("t", texts)])}
    assert found == {"Latin", "Han", "Japanese", "Hangul", "Cyrillic", "Arabic"}


def test_weights_that_match_nothing_are_named(folder: Path) -> None:
    advice = bring(folder, LOG, weights={"buy": 2}).report["advice"]
    assert any("--weight buy has no effect" in sentence for sentence in advice)


def test_review_texts_are_pooled_from_the_given_events_only(folder: Path) -> None:
    log = "user_id,item_id,timestamp,text\na,x,2,late\nb,x,1,early\nc,y,3,\n"
    data = bring(folder, log, '{"item_id": "z"}\n').dataset
    assert pool_texts(data)["text"].to_pylist() == [None, "early late", None]
    assert pool_texts(data, limit_chars=7)["text"].to_pylist() == [None, "early l", None]
    past = data.with_events(data.event_times < 2)
    assert pool_texts(past)["text"].to_pylist() == [None, "early", None]


def test_pooling_without_reviews_keeps_the_catalogues_own_text(folder: Path) -> None:
    data = bring(folder, LOG, '{"item_id": "x", "text": "own"}\n').dataset
    assert pool_texts(data)["text"].to_pylist() == ["own", None]


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValueError, match="dedupe"):
        ImportSettings(events=("a",), dedupe="some")  # pyright: ignore[reportArgumentType]
