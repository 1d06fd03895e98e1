"""Heads in the offline jobs: judged by an evaluation, shown on its page, asked about pairs of a file."""

import json
from pathlib import Path

import numpy as np
import pytest

import rated
import shop
from accord.core.errors import InputError
from accord.data import splits
from accord.pipeline.artefact import save
from accord.pipeline.learning import learn
from accord.pipeline.pipeline import Pipeline
from accord.study import predicting
from accord.study.evaluation import evaluate_dataset
from accord.study.evaluation_page import render
from accord.study.head_section import head_section
from accord.study.predicting import predict_flat, predict_pairs
from accord.study.splitting import SplitSettings


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    run = shop.run()
    return learn(rated.spec(), splits.validation_only(rated.stars(), run.rng("validation")), run).pipeline


@pytest.fixture(scope="module")
def trained(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "live"
    save(pipeline, folder, {})
    return folder


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("data")
    rated.stars().save(folder / "stars")
    settings = SplitSettings(split="temporal", cuts=2)
    return evaluate_dataset(folder / "stars", rated.spec(), settings, shop.run(), out=folder / "out").metrics


def test_an_evaluation_judges_heads_over_all_cuts(metrics: dict) -> None:
    stars, click = metrics["heads"]["stars"], metrics["heads"]["click"]
    assert list(stars["systems"]) == ["mean", "item mean", "bias", "stars"]
    assert set(stars["systems"]["stars"]) == {"rmse", "mae"}
    assert set(click["systems"]["click"]) == {"log_loss", "auc", "brier", "ece"}
    assert click["n_queries"] >= stars["n_queries"] > 0
    assert sum(row["share"] for row in click["reliability"]) == pytest.approx(1)
    assert [row["b"] for row in stars["comparisons"]] == ["mean", "item mean", "bias"]
    json.dumps(metrics["heads"], allow_nan=False)


def test_the_page_shows_heads_and_their_reliability(metrics: dict) -> None:
    page = render(metrics)
    assert 'href="#heads"' in page and "Head stars" in page and "RMSE" in page
    assert "Expected" in page or "ECE" in page
    without = {key: value for key, value in metrics.items() if key != "heads"}
    assert "Predictions beside the ranking" not in render(without)


def test_the_section_draws_rare_events_on_a_scale_of_their_own() -> None:
    bins = [{"said": 0.001, "came": 0.002, "share": 0.5}, {"said": 0.004, "came": 0.003, "share": 0.5}]
    raw = {
        "measures": "click",
        "n": 10,
        "n_queries": 5,
        "base": 0.0025,
        "systems": {"base rate": {"auc": {"value": None}}, "buy": {"auc": {"value": 0.75}}},
        "reliability": bins,
    }
    section = head_section("buy", raw)
    assert [row.kind for row in section["table"].rows] == ["floor", "fused"]
    assert [row.cells[0].text for row in section["table"].rows] == ["–", "0.7500"]
    assert section["reliability"].rows[0].cells[0].text == "0.001"
    assert section["chart"] is None or "0.004" in section["chart"]


def test_pairs_in_any_order_and_of_many_items_a_user(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    users = [f"u{number}" for number in rng.integers(0, 12, 150)] + ["nobody"] * 3
    items = rng.integers(0, pipeline.data.n_items, len(users)).astype(np.int32)
    whole = predict_flat(pipeline, users, items, "stars", shop.run())
    for place in (0, 7, 151):
        alone = pipeline.predict(pipeline.queries([users[place]]), items[[place]][:, None], "stars")
        assert whole[place] == pytest.approx(alone[0, 0], abs=1e-5)
    monkeypatch.setattr(predicting, "WIDTH", 4)
    monkeypatch.setattr(predicting, "BATCH", 3)
    np.testing.assert_allclose(predict_flat(pipeline, users, items, "stars", shop.run()), whole, atol=1e-5)
    assert predict_flat(pipeline, [], np.empty(0, np.int32), "stars", shop.run()).shape == (0,)


def test_pairs_of_a_file_keep_its_order(trained: Path, tmp_path: Path, pipeline: Pipeline) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("item_id,user_id\ni5,u3\ni2,nobody\ni7,u3\n", encoding="utf-8")
    table = predict_pairs(trained, str(path), "stars", shop.run())
    assert table["user_id"].to_pylist() == ["u3", "nobody", "u3"]
    assert table["item_id"].to_pylist() == ["i5", "i2", "i7"]
    expected = pipeline.predict(pipeline.queries(["u3"]), np.array([[5, 7]], np.int32), "stars")[0]
    np.testing.assert_allclose(table["prediction"].to_numpy()[[0, 2]], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("user_id,thing\nu3,i5\n", "lacks a column.*item_id"),
        ("user_id,item_id\nu3,\n", "lacks its user or item"),
        ("user_id,item_id\nu3,i5\nu3,unheard\n", "1 of 2 items.*unheard"),
    ],
)
def test_odd_files_are_refused(trained: Path, tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=problem):
        predict_pairs(trained, str(path), "stars", shop.run())
