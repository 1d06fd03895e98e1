import json
from pathlib import Path

import pytest

from accord.core.dataset import Dataset
from commands import call


@pytest.fixture
def data(shop_data: Dataset, tmp_path: Path) -> Path:
    shop_data.save(tmp_path / "data")
    return tmp_path / "data"


def test_the_table_the_report_and_the_progress(
    data: Path, small_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    call(["evaluate", str(data), "--config", str(small_config), "--out", str(out), "--no-refit"])
    told = capsys.readouterr()
    for word in ("random", "popularity", "knn", "content", "fused", "NDCG@10", "segment", "report.html"):
        assert word in told.out
    assert "fit knn" in told.err
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["split"]["refit"] is False
    assert metrics["preset"] == "small"


def test_json_stands_alone_on_standard_output(
    data: Path, small_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    options = ["--split", "temporal", "--seed", "7", "--json"]
    call(["evaluate", str(data), "--config", str(small_config), "--out", str(tmp_path / "out"), *options])
    told = capsys.readouterr()
    assert told.err == ""
    metrics = json.loads(told.out, parse_constant=refuse)
    assert (metrics["split"]["kind"], metrics["seed"], metrics["readings"]) == ("temporal", 7, 1)


def test_a_bad_split_stops_before_anything_is_written(
    data: Path, small_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", str(data), "--config", str(small_config), "--out", str(tmp_path / "out")]
    call([*command, "--cold-items", "2"], 2)
    assert "shares must be above 0" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
