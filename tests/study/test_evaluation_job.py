import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.errors import DataError, InputError
from accord.pipeline.spec import read_spec
from accord.study.evaluation import Evaluation, evaluate_dataset
from accord.study.splitting import SplitSettings


def strict(path: Path) -> Any:
    """JSON without the words that only some readers know."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def figure(metrics: Mapping[str, Any], system: str, metric: str = "ndcg@10", test: str = "test") -> float:
    return metrics["tests"][test]["systems"][system][metric]["value"]


def evaluated(folder: Path, out: Path | None = None, *, seed: int = 0, refit: bool = True, **split: Any) -> Evaluation:
    settings = SplitSettings.model_validate(split)
    return evaluate_dataset(folder, shop.small(), settings, shop.run(seed), out=out, refit=refit, command="accord ...")


@pytest.fixture
def folder(shop_data: Dataset, tmp_path: Path) -> Path:
    """A dataset folder of the test's own, for evaluations write into it."""
    shop_data.save(tmp_path / "data")
    return tmp_path / "data"


def test_everything_is_written_and_well_formed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    evaluation = evaluated(folder, out)
    names = ["metrics.json", "pipeline.toml", "recommendations.parquet", "report.html", "test-readings.jsonl"]
    assert sorted(path.name for path in out.iterdir()) == names
    metrics = strict(out / "metrics.json")
    assert metrics["tests"] == json.loads(json.dumps(evaluation.metrics["tests"]))
    assert metrics["dataset"]["fingerprint"] == Dataset.load(folder).fingerprint
    assert (metrics["split"]["kind"], metrics["split"]["refit"], metrics["readings"]) == ("leave-last", True, 1)
    assert {"random", "popularity", "fused", *shop.small().sources} == set(metrics["tests"]["test"]["systems"])
    assert any(entry["value"] == "inf" for entry in metrics["tuned"])
    assert set(read_spec(out / "pipeline.toml").sources) == set(evaluation.learned[0].pipeline.sources)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "accord ..." in page


def test_recommendations_are_ranked_lists_of_the_test(folder: Path, tmp_path: Path) -> None:
    evaluation = evaluated(folder, tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "recommendations.parquet")
    sources = list(evaluation.learned[0].pipeline.sources)
    assert table.column_names == ["user_id", "item_id", "rank", "score", *sources, "split"]
    assert len(table["user_id"].unique()) == figure_count(evaluation)
    rank, user = table["rank"].to_numpy(), table["user_id"].to_pylist()
    first = np.array([True] + [a != b for a, b in zip(user[1:], user[:-1], strict=True)])
    assert (rank[first] == 1).all()
    assert (np.diff(rank)[~first[1:]] == 1).all()
    assert rank.max() == 20


def figure_count(evaluation: Evaluation) -> int:
    return evaluation.metrics["tests"]["test"]["n_queries"]


def test_planted_structure_is_found_and_floors_are_low(folder: Path) -> None:
    metrics = evaluated(folder).metrics
    assert figure(metrics, "fused") > 0.2
    assert figure(metrics, "random") < figure(metrics, "popularity") < 0.6 * figure(metrics, "fused")
    assert len(metrics["examples"]) == 3
    assert all(entry["reason"] for person in metrics["examples"] for entry in person["list"])
    assert metrics["popularity_curve"]["events"][-1] == pytest.approx(1)


def test_the_same_seed_gives_the_same_figures(folder: Path) -> None:
    first, again = (evaluated(folder, split="random", seed=3) for _ in range(2))
    assert first.metrics["tests"] == again.metrics["tests"]
    assert first.recommendations.equals(again.recommendations)
    assert first.metrics["tests"] != evaluated(folder, split="random", seed=4).metrics["tests"]


def test_ablation_is_written_and_drawn_where_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    settings = SplitSettings.model_validate({})
    job = evaluate_dataset(folder, shop.small(), settings, shop.run(), out=tmp_path / "out", ablation=True)
    rows = strict(tmp_path / "out" / "metrics.json")["ablation"]["comparisons"]
    used = job.learned[0].pipeline.fuser.config.sources
    assert {row["b"] for row in rows} == {f"without {name}" for name in used}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "The list without each source" in page
    assert "ablation" not in evaluated(folder).metrics


def test_refit_is_said_and_makes_a_difference(folder: Path) -> None:
    with_them, without = evaluated(folder).metrics, evaluated(folder, refit=False).metrics
    assert (with_them["split"]["refit"], without["split"]["refit"]) == (True, False)
    assert with_them["tests"] != without["tests"]
    assert with_them["fusion"]["tried"] == without["fusion"]["tried"]


def test_looks_at_the_test_are_counted_in_the_dataset(folder: Path, tmp_path: Path) -> None:
    numbers = [evaluated(folder, tmp_path / name).metrics["readings"] for name in ("a", "a")]
    assert numbers == [1, 2]
    assert evaluated(folder, tmp_path / "c", split="temporal").metrics["readings"] == 1
    assert len((folder / "test-readings.jsonl").read_text(encoding="utf-8").splitlines()) == 3
    assert len((tmp_path / "a" / "test-readings.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    assert strict(tmp_path / "a" / "metrics.json")["readings"] == 2


def test_rolling_cuts_are_pooled_even_where_they_differ_in_their_sources(folder: Path, tmp_path: Path) -> None:
    evaluation = evaluated(folder, tmp_path / "out", split="temporal", cuts=3)
    assert evaluation.metrics["split"]["cuts"] == 3
    parts = [len(case.holdout) for case in evaluation.pools["test"].cases]
    assert len(parts) == 3
    assert figure_count(evaluation) == sum(parts)
    assert set(evaluation.recommendations["split"].to_pylist()) == {f"temporal {cut}/3" for cut in (1, 2, 3)}
    kept = {tuple(learned.pipeline.sources) for learned in evaluation.learned}
    assert len(kept) > 1, "the test needs cuts that keep different sources"
    strict(tmp_path / "out" / "metrics.json")


def test_cold_items_by_share_are_found_by_content_only(folder: Path, tmp_path: Path) -> None:
    metrics = evaluated(folder, tmp_path / "out", cold_items="0.2").metrics
    assert set(metrics["tests"]) == {"test", "cold among cold", "cold among all"}
    cold = "cold among cold"
    assert figure(metrics, "content", test=cold) > 2 * figure(metrics, "random", test=cold)
    assert figure(metrics, "fused", test=cold) > 2 * figure(metrics, "random", test=cold)
    assert figure(metrics, "knn", test=cold) == 0
    strict(tmp_path / "out" / "metrics.json")


def test_cold_items_of_a_file(folder: Path, tmp_path: Path) -> None:
    path = shop.write_ids(tmp_path / "cold.txt", [f"i{number}" for number in range(0, 80, 8)])
    metrics = evaluated(folder, cold_items=str(path)).metrics
    assert "10 items are cold" in " ".join(metrics["split"]["notes"])
    assert metrics["split"]["kind"].startswith("cold items")


def test_given_files(folder: Path, shop_data: Dataset, tmp_path: Path) -> None:
    rows = np.split(np.arange(shop_data.n_events), [900, 1100])
    files = {
        name: str(shop.write_events(tmp_path / f"{name}.csv", shop_data, part))
        for name, part in zip(("train", "valid", "test"), rows, strict=True)
    }
    metrics = evaluated(folder, tmp_path / "out", **files).metrics
    assert metrics["split"]["kind"] == "given"
    assert metrics["dataset"]["events"] == shop_data.n_events
    assert figure(metrics, "fused") > figure(metrics, "random")


def test_a_log_without_order(shop_data: Dataset, tmp_path: Path) -> None:
    shop.without_order(shop_data).save(tmp_path / "data")
    with pytest.raises(InputError, match="without order"):
        evaluated(tmp_path / "data", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    metrics = evaluated(tmp_path / "data", tmp_path / "out", split="random").metrics
    assert [entry["part"] for entry in metrics["skipped"]] == ["trending"]


def test_a_tiny_log_is_evaluated_all_the_same(shop_data: Dataset, tmp_path: Path) -> None:
    data = shop.of_events([0, 0, 0, 1, 1, 1], [0, 1, 2, 2, 1, 0], shop_data)
    data.save(tmp_path / "data")
    metrics = evaluated(tmp_path / "data", tmp_path / "out").metrics
    assert "choosing" in {entry["part"] for entry in metrics["skipped"]}
    strict(tmp_path / "out" / "metrics.json")


def test_folders_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a dataset folder"):
        evaluated(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
