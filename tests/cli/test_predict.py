import json
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import rated
import shop
from commands import call


def test_train_then_predict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rated.stars().save(tmp_path / "data")
    config, run, pairs = tmp_path / "heads.toml", str(tmp_path / "run"), tmp_path / "pairs.csv"
    config.write_text(shop.SMALL + rated.HEADS, encoding="utf-8")
    pairs.write_text("user_id,item_id\nu1,i2\nnobody,i3\n", encoding="utf-8")
    call(["train", str(tmp_path / "data"), "--config", str(config), "--out", run, "--quiet"])
    capsys.readouterr()
    asked = ["predict", run, "--pairs", str(pairs), "--head"]
    call([*asked, "stars", "--out", str(tmp_path / "new" / "stars.csv"), "--json"])
    told = json.loads(capsys.readouterr().out)
    table = pyarrow.csv.read_csv(tmp_path / "new" / "stars.csv")
    assert table.column_names == ["user_id", "item_id", "prediction"]
    assert told["pairs"] == 2
    assert told["mean"] == pytest.approx(sum(table["prediction"].to_pylist()) / 2, rel=1e-4)
    call([*asked, "click", "--out", str(tmp_path / "click.parquet")])
    assert "2 pairs" in capsys.readouterr().out
    assert all(0 < value < 1 for value in pq.read_table(tmp_path / "click.parquet")["prediction"].to_pylist())
    call([*asked, "taste", "--out", str(tmp_path / "x.csv"), "--json"], 2)
    assert "stars, click" in json.loads(capsys.readouterr().err)["error"]["message"]
    call([*asked, "stars", "--out", str(tmp_path / "x.txt")], 2)
    assert ".csv or .parquet" in capsys.readouterr().err
