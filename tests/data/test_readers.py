"""Readers: strangers' files, good rows kept and bad rows named."""

import gzip
import sqlite3
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accord.core.errors import DataError
from accord.data.readers import read, shown
from accord.data.rejects import ROW


def _write(path: Path, content: str | bytes) -> str:
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return str(path)


@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz"])
def test_csv_keeps_good_rows_and_their_places(tmp_path: Path, name: str) -> None:
    rows = read(_write(tmp_path / name, 'user_id,item_id,text\na,x,"one, two"\n\nb,y,"l1\nl2"\nc,z\n'), "events")
    assert rows.frame["user_id"].to_list() == ["a", "b", "c"]
    assert rows.frame["text"].to_list() == ["one, two", "l1\nl2", None]
    assert rows.frame[ROW].to_list() == [1, 3, 4]
    assert rows.rejects.height == 0
    assert rows.format == name.removeprefix("e.")


def test_csv_refuses_only_the_row_with_too_many_fields(tmp_path: Path) -> None:
    rows = read(_write(tmp_path / "e.csv", "user_id,item_id\na,x\nb,y,z\nc,w,\n"), "events")
    assert rows.frame["user_id"].to_list() == ["a", "c"]
    assert rows.rejects.select("row", "reason").rows() == [(2, "the row has more fields than the header")]
    assert "z" in rows.rejects["raw"][0]


@pytest.mark.parametrize("bad", ['2,"open', '2,"abc"d'])
def test_csv_loses_only_the_line_with_a_slipped_quote(tmp_path: Path, bad: str) -> None:
    rows = read(_write(tmp_path / "e.csv", f'a,b\n1,"x, y"\n{bad}\n3,de"f\n4,\n'), "events")
    assert rows.frame.rows() == [(1, "1", "x, y"), (3, "3", 'de"f'), (4, "4", None)]
    assert rows.rejects.select("row", "reason", "raw").rows() == [(2, "the quotes do not match", bad)]


def test_tsv_semicolons_bom_windows_lines_and_broken_utf8(tmp_path: Path) -> None:
    assert read(_write(tmp_path / "e.tsv", "a\tb\n1\t2,3\n"), "events").frame["b"].to_list() == ["2,3"]
    rows = read(_write(tmp_path / "e.csv", b"\xef\xbb\xbfa;b\r\n1;caf\xe9\r\n"), "events")
    assert rows.columns == ["a", "b"]
    assert rows.frame["b"][0].startswith("caf")


def test_repeated_and_nameless_headers_stay_apart(tmp_path: Path) -> None:
    assert read(_write(tmp_path / "e.csv", "a,,a\n1,2,3\n"), "events").columns == ["a", "column_2", "a_3"]


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz"])
def test_jsonl_names_the_line_of_what_is_not_json(tmp_path: Path, name: str) -> None:
    text = '{"user_id": 1, "tags": ["a", 2]}\nnot json\n\n[1]\n{"user_id": "b", "tags": null, "x": {"y": 1}}\n'
    rows = read(_write(tmp_path / name, text), "events")
    assert rows.frame["user_id"].to_list() == ["1", "b"]
    assert rows.frame["tags"].to_list() == [["a", "2"], None]
    assert rows.frame["x"].to_list() == [None, '{"y": 1}']
    assert rows.frame[ROW].to_list() == [1, 5]
    assert rows.rejects.select("row", "reason").rows() == [
        (2, "the line is not JSON"),
        (4, "the line is not a JSON object"),
    ]


def test_good_jsonl_keeps_lists_and_flattens_nested_ones(tmp_path: Path) -> None:
    rows = read(_write(tmp_path / "i.jsonl", '{"item_id": 1, "c": [["a"], ["b", "c"]]}\n\n{"item_id": 2}\n'), "items")
    assert rows.frame["c"].to_list() == [["a", "b", "c"], None]
    assert rows.frame[ROW].to_list() == [1, 3]


def test_deeply_nested_json_is_one_bad_line(tmp_path: Path) -> None:
    deep = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"
    rows = read(_write(tmp_path / "e.jsonl", '{"a": "1"}\n' + deep + "\n"), "events")
    assert (rows.frame.height, rows.rejects["row"].to_list()) == (1, [2])


@pytest.mark.parametrize("name", ["e.parquet", "e.parquet.gz"])
def test_parquet_keeps_types_and_names_byte_columns(tmp_path: Path, name: str) -> None:
    frame = pl.DataFrame({"user_id": [1, 2], "tags": [["a"], None], "b": [b"\xff\xfe", b"\xff"], "s": [b"x", b"y"]})
    frame.write_parquet(tmp_path / "plain")
    rows = read(_write(tmp_path / name, (tmp_path / "plain").read_bytes()), "events")
    assert rows.columns == ["user_id", "tags", "s"]
    assert rows.dropped == ("b",)
    assert rows.frame["s"].to_list() == ["x", "y"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        "create table events (user_id integer, item_id text, value);"
        "insert into events values (1, 'a', 3), (2, 'b', 'bad'), (3, 'c', null);"
        "create view late as select * from events where user_id > 1;"
    )
    connection.commit()
    connection.close()
    return path


def test_sql_reads_tables_and_views_of_mixed_types(shop: Path) -> None:
    rows = read(f"sqlite:///{shop}?table=events", "events")
    assert rows.frame.drop(ROW).rows() == [(1, "a", "3"), (2, "b", "bad"), (3, "c", None)]
    assert not rows.ordered
    assert read(f"sqlite:///{shop}?table=late", "events").frame["user_id"].to_list() == [2, 3]


def test_sql_takes_no_statement_for_a_table(shop: Path) -> None:
    with pytest.raises(DataError, match=r"no such table.*There are: events, late"):
        read(f"sqlite:///{shop}?table=events; drop table events", "events")
    with pytest.raises(DataError, match="names no table"):
        read(f"sqlite:///{shop}", "events")


def test_a_missing_sqlite_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read(f"sqlite:///{tmp_path / 'none.db'}?table=events", "events")
    assert not (tmp_path / "none.db").exists()


def test_passwords_are_never_shown() -> None:
    assert shown("postgresql://me:se@cret@host/db?table=t") == "postgresql://me:***@host/db?table=t"
    assert shown("sqlite:///a.db?table=t") == "sqlite:///a.db?table=t"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.xlsx", b"x", "format of this file is not known"),
        ("e.csv", b"", "empty"),
        ("e.csv", b"\xff\xfea\x00,\x00b\x00", "not UTF-8"),
        ("e.parquet", b"no parquet", "cannot be read"),
        ("e.parquet.gz", b"", "cannot be read"),
    ],
)
def test_files_that_cannot_be_read_say_why(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(_write(tmp_path / name, content), "events")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_name_with_brackets_is_no_pattern(tmp_path: Path, ending: str) -> None:
    for name, value in (("e[1]", 1), ("e1", 2)):
        path = str(tmp_path / f"{name}.{ending}")
        frame = pl.DataFrame({"a": [value], "b": [0]})
        {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[ending](path)
    assert [int(value) for value in read(str(tmp_path / f"e[1].{ending}"), "events").frame["a"]] == [1]


@pytest.mark.parametrize("name", ["e.csv.gz", "e.jsonl.gz"])
def test_a_damaged_gzip_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"a,b\n1,2\n" * 1000)[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read(str(path), "events")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read(str(tmp_path / "none.csv"), "events")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8), max_size=8))
@pytest.mark.parametrize("name", ["e.csv", "e.jsonl"])
def test_no_line_of_text_can_stop_the_sound_rows(tmp_path: Path, name: str, junk: list[str]) -> None:
    sound = "u,i" if name == "e.csv" else '{"a": "u", "b": "i"}'
    first = ["a,b"] if name == "e.csv" else []
    rows = read(_write(tmp_path / name, "\n".join([*first, sound, *junk]) + "\n"), "events")
    assert rows.frame.select("a", "b").row(0) == ("u", "i")
