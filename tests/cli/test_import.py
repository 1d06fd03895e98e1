"""The commands ``import`` and ``datasets``, without the rest of the command line."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from accord.cli import datasets, import_data
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.data import named

LOG = "uid,item_id,timestamp,event\na,x,1000,view\n,x,1000,view\nb,y,2000,buy\n"


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    import_data.register(app)
    datasets.register(app)
    return app


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    path.write_text(LOG, encoding="utf-8")
    return path


def test_import_writes_the_folder_and_says_what_it_found(app: typer.Typer, log: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--map", "user_id=uid", "--weight", "buy=3", "--out", str(out), "--quiet"]
    result = CliRunner().invoke(app, ["import", "--events", str(log), *options], catch_exceptions=False)
    assert result.exit_code == 0
    assert "2 events of 2 users on 2 items" in result.output
    assert "refused 1 events rows: user_id is missing" in result.output
    assert Dataset.load(out).event_weights.tolist() == [1, 3]
    assert pq.read_table(out / "rejects.parquet")["row"].to_pylist() == [2]
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["counts"]["events"] == 2
    assert "<html" in (out / "report.html").read_text(encoding="utf-8")


def test_import_as_json_prints_the_report_alone(app: typer.Typer, log: Path, tmp_path: Path) -> None:
    options = ["--events", str(log), "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, ["import", *options], catch_exceptions=False)
    assert json.loads(result.stdout)["counts"]["events"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--map", "user_id"], "--map: two names with = between"),
        (["--map", "user_id=id"], "no source has the column 'id'"),
        (["--dedupe", "some"], "accord import.dedupe"),
        (["--weight", "buy=much"], "accord import.weights.buy"),
        (["--items", "none.csv"], "none.csv: there is no such file"),
    ],
)
def test_bad_options_name_themselves(
    app: typer.Typer, log: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    command = ["import", "--events", str(log), "--out", str(tmp_path / "out"), "--quiet", *options]
    with pytest.raises(InputError) as caught:
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_import_from_another_systems_files(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("7::1::5::100\n8::2::3::50\n", encoding="utf-8")
    command = ["import", "--from", "movielens", str(tmp_path), "--min-value", "4", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*command, "--quiet"], catch_exceptions=False)
    assert "1 events of 1 users on 1 items" in result.output
    assert Dataset.load(tmp_path / "out").item_ids.tolist() == ["1"]


@pytest.mark.parametrize(
    "options", [[], ["films"], ["--from", "movielens"], ["films", "--from", "movielens", "--events", "log.csv"]]
)
def test_import_wants_files_of_one_kind(app: typer.Typer, tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(InputError, match=r"--events FILE"):
        CliRunner().invoke(app, ["import", *options, "--out", str(tmp_path / "out")], catch_exceptions=False)


def test_out_that_cannot_be_written_says_so(app: typer.Typer, log: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        CliRunner().invoke(app, ["import", "--events", str(log), "--out", str(log), "--quiet"], catch_exceptions=False)


def test_datasets_list_names_home_and_terms(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["datasets", "list"], catch_exceptions=False)
    assert "ml-100k" in result.output
    assert "https://grouplens.org/datasets/movielens/100k/" in result.output
    rows = json.loads(CliRunner().invoke(app, ["datasets", "list", "--json"], catch_exceptions=False).stdout)
    assert set(rows[0]) == {"name", "about", "size", "home", "terms"}


def test_datasets_fetch_says_where_the_files_lie(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "fetch", lambda *_: tmp_path)
    (tmp_path / "events.csv").write_text("user_id,item_id\na,x\n", encoding="utf-8")
    (tmp_path / "items.jsonl").write_text('{"item_id": "x"}\n', encoding="utf-8")
    (tmp_path / "users.csv").write_text("user_id\na\n", encoding="utf-8")
    command = ["datasets", "fetch", "ml-100k", "--out", str(tmp_path / "out"), "--json"]
    found = json.loads(CliRunner().invoke(app, command, catch_exceptions=False).stdout)
    assert found["files"] == str(tmp_path)
    assert Dataset.load(tmp_path / "out").n_events == 1


@pytest.mark.parametrize("command", [["import"], ["datasets", "list"], ["datasets", "fetch"]])
def test_help_shows_examples(app: typer.Typer, command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "accord" in result.output
    assert "Example" in result.output
