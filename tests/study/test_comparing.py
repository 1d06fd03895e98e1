"""Pipelines side by side: the figures of each, what is compared with what, and jobs that are killed."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shop
from accord.core.checkpoint import Checkpoint
from accord.core.errors import AccordError, DataError, InputError
from accord.core.run import Run, Silent, peak_mib
from accord.evaluate.significance import holm, mean_and_error
from accord.pipeline.spec import PipelineSpec, spec_of
from accord.study import comparing
from accord.study.apart import measured_apart
from accord.study.comparing import compare_dataset, frontier, named_specs
from accord.study.evaluation import evaluate_dataset
from accord.study.measured import Measured, measured, read, write
from accord.study.measuring import Job
from accord.study.meter import Meter
from accord.study.readings import READINGS
from accord.study.resuming import inside
from accord.study.splitting import SplitSettings

POPULAR = 'name = "popular"\n[sources.popular]\nkind = "popular"\n'
NEAR = 'name = "near"\n[sources.popular]\nkind = "popular"\n[sources.knn]\nkind = "item_knn"\nk = 20\n'
COST = {
    "fit_seconds": 1.0,
    "fit_cpu_seconds": 1.0,
    "fit_peak_mib": 100.0,
    "killed": 0,
    "list_ms": 1.0,
}


def specs() -> dict[str, PipelineSpec]:
    return {name: spec_of(text, name) for name, text in (("popular", POPULAR), ("near", NEAR))}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared") / "data"
    shop.world(20, 12, 2, 6).data.save(folder)
    return folder


@pytest.fixture(scope="module")
def compared(data: Path) -> tuple[dict[str, Any], Path]:
    """Two pipelines, each in a process of its own."""
    out = data.parent / "out"
    return compare_dataset(data, specs(), SplitSettings(), shop.run(3), out, command="accord compare ..."), out


def job(data: Path, out: Path, spec: str = POPULAR, **more: Any) -> Job:
    return Job(folder=str(data), name="popular", spec=spec, settings=SplitSettings(), out=str(out), **more)


def in_this_process(calls: list[str]) -> Any:
    """Measures without a process of its own, and notes whom."""

    def measure(asked: Job, progress: Silent) -> Measured:
        calls.append(asked.name)
        spec = spec_of(asked.spec, asked.name)
        found = evaluate_dataset(Path(asked.folder), spec, asked.settings, shop.run(asked.seed))
        return measured(found, COST)

    return measure


def test_every_pipeline_has_the_figures_of_its_own_evaluation(
    compared: tuple[dict[str, Any], Path], data: Path
) -> None:
    comparison, out = compared
    for name, spec in specs().items():
        alone = evaluate_dataset(data, spec, SplitSettings(), shop.run(3)).metrics["tests"]["test"]["systems"]["fused"]
        found = comparison["tests"]["test"]["systems"][name]
        shared = found.keys() & alone.keys()
        assert {"ndcg@10", "recall@20", "coverage@10", "auc", "novelty@10"} <= shared
        assert {key: found[key] for key in shared} == {key: alone[key] for key in shared}
        written = json.loads((out / "pipelines" / name / "metrics.json").read_text(encoding="utf-8"))
        assert written["tests"]["test"]["systems"]["fused"] == alone


def test_differences_are_paired_and_corrected_over_one_family(
    compared: tuple[dict[str, Any], Path], data: Path
) -> None:
    rows = compared[0]["tests"]["test"]["comparisons"]
    assert [(row["a"], row["b"], row["metric"]) for row in rows] == [
        ("popular", "near", "ndcg@10"),
        ("popular", "near", "recall@10"),
    ]
    values = [
        evaluate_dataset(data, spec, SplitSettings(), shop.run(3)).pools["test"].per_query("fused")["ndcg@10"]
        for spec in specs().values()
    ]
    mean, error = mean_and_error(values[0] - values[1])
    assert rows[0]["difference"] == pytest.approx(mean)
    assert rows[0]["high"] - rows[0]["low"] == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert [row["p_holm"] for row in rows] == holm(np.array([row["p"] for row in rows])).tolist()


def test_costs_are_those_of_a_process_of_its_own(compared: tuple[dict[str, Any], Path]) -> None:
    for one in compared[0]["pipelines"].values():
        cost = one["cost"]
        assert 0 < cost["fit_seconds"] < cost["total_seconds"]
        assert 0 < cost["fit_cpu_seconds"] < cost["total_cpu_seconds"]
        assert 50 < cost["fit_peak_mib"] <= cost["total_peak_mib"] < 2_000
        assert 0 < cost["list_ms"] <= cost["list_ms_p95"]
        assert (cost["lists"], cost["killed"]) == (compared[0]["tests"]["test"]["n_queries"], 0)


def test_a_large_caller_is_no_peak_of_the_process_that_it_starts() -> None:
    held = np.ones(50_000_000)
    program = "from accord.core.run import peak_mib; print(peak_mib())"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert float(told) < held.nbytes / 2**20 < peak_mib()


def test_each_pipeline_is_one_reading_of_the_test(compared: tuple[dict[str, Any], Path], data: Path) -> None:
    logged = [json.loads(line) for line in (data / READINGS).read_text(encoding="utf-8").splitlines()]
    assert [(line["number"], line["preset"]) for line in logged] == [(1, "popular"), (2, "near")]
    assert {line["command"] for line in logged} == {"accord compare ..."}
    assert [one["readings"] for one in compared[0]["pipelines"].values()] == [1, 2]


def test_what_is_written_is_what_is_returned_and_nothing_is_left_behind(
    compared: tuple[dict[str, Any], Path],
) -> None:
    comparison, out = compared
    assert json.loads((out / "comparison.json").read_text(encoding="utf-8")) == json.loads(json.dumps(comparison))
    assert (comparison["against"], comparison["seed"], comparison["split"]["kind"]) == ("popular", 3, "leave-last")
    assert sorted(path.name for path in out.iterdir()) == ["comparison.json", "pipelines", "report.html"]
    assert [path for path in out.rglob("*") if path.name.startswith(".")] == []
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "accord compare ..." in page


def test_a_comparison_goes_on_with_what_is_missing(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, calls = replace(shop.run(), checkpoint=Checkpoint(inside(tmp_path))), list[str]()
    works = in_this_process(calls)

    def dies(asked: Job, progress: Silent) -> Measured:
        if asked.name == "near":
            raise KeyboardInterrupt
        return works(asked, progress)

    monkeypatch.setattr(comparing, "measured_apart", dies)
    with pytest.raises(KeyboardInterrupt):
        compare_dataset(data, specs(), SplitSettings(), run, tmp_path)
    assert not (tmp_path / "comparison.json").exists()
    monkeypatch.setattr(comparing, "measured_apart", works)
    comparison = compare_dataset(data, specs(), SplitSettings(), run, tmp_path, against="near", command="again")
    assert calls == ["popular", "near"]
    assert comparison["tests"]["test"]["comparisons"][0]["a"] == "near"
    whole = compare_dataset(data, specs(), SplitSettings(), shop.run(), tmp_path / "whole", against="near")
    assert whole["tests"] == comparison["tests"]
    compare_dataset(data, specs(), SplitSettings(split="temporal"), run, tmp_path)
    assert calls[4:] == ["popular", "near"], "another split is another job"


def test_queries_of_another_log_are_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    works = in_this_process([])

    def after_a_change(asked: Job, progress: Silent) -> Measured:
        shop.world(24, 12, 2, 6).data.save(tmp_path / "other")
        return works(asked.model_copy(update={"folder": str(tmp_path / "other")}), progress)

    monkeypatch.setattr(comparing, "measured_apart", after_a_change)
    with pytest.raises(DataError, match="popular: its test queries are not those"):
        compare_dataset(data, specs(), SplitSettings(), shop.run(), tmp_path / "out")


def test_several_cuts_are_pooled(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "measured_apart", in_this_process([]))
    settings = SplitSettings(split="temporal", cuts=2)
    comparison = compare_dataset(data, specs(), settings, shop.run(), tmp_path)
    alone = evaluate_dataset(data, specs()["near"], settings, shop.run()).metrics["tests"]["test"]
    assert comparison["tests"]["test"]["n_queries"] == alone["n_queries"]
    assert comparison["tests"]["test"]["systems"]["near"]["ndcg@10"] == alone["systems"]["fused"]["ndcg@10"]


def test_what_is_measured_survives_being_written(data: Path) -> None:
    found = measured(evaluate_dataset(data, specs()["near"], SplitSettings(), shop.run()), COST)
    again = read(write(found))
    assert again.facts == json.loads(json.dumps(found.facts))
    before, after = found.answers["test"][0], again.answers["test"][0]
    assert np.array_equal(before.slate.items, after.slate.items)
    assert np.array_equal(before.counts, after.counts)
    assert after.slate.columns.keys() == {"score"}
    assert np.array_equal(after.slate.facts["eligible"], before.slate.facts["eligible"])


def test_an_error_of_the_process_is_told_with_the_name_of_the_pipeline(data: Path, tmp_path: Path) -> None:
    nothing = '[sources.text]\nkind = "content"\ncolumn = "none"\n'
    with pytest.raises(InputError, match="popular: no source applies to this data") as caught:
        measured_apart(job(data, tmp_path, nothing, result=str(tmp_path / "r.safetensors")), Silent())
    assert "text" in caught.value.problem


def test_a_process_that_dies_is_told(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = tmp_path / "python"
    killed.write_text("#!/bin/sh\nkill -9 $$\n", encoding="utf-8")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(AccordError, match=r"popular: its process was killed by signal 9\. .*goes on"):
        measured_apart(job(data, tmp_path, result=str(tmp_path / "r.safetensors")), Silent())


def test_a_process_whose_caller_is_dead_ends(data: Path, tmp_path: Path) -> None:
    asked = job(data, tmp_path / "out", result=str(tmp_path / "r.safetensors"))
    command = [sys.executable, "-m", "accord.study.measuring"]
    done = subprocess.run(
        command, input=json.dumps(asked.model_dump(mode="json")) + "\n", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done.stderr
    assert not (tmp_path / "r.safetensors").exists()


def test_killed_attempts_at_the_same_job_count(tmp_path: Path) -> None:
    path = tmp_path / "spent.json"
    with Meter(path, "job") as meter:
        assert meter.before["killed"] == 0
    noted = json.loads(path.read_text(encoding="utf-8"))["spent"]
    assert noted["killed"] == 1
    assert noted["seconds"] > 0
    with Meter(path, "job") as again:
        assert again.before == noted
    assert json.loads(path.read_text(encoding="utf-8"))["spent"]["seconds"] > noted["seconds"]
    assert Meter(path, "job").before["killed"] == 2
    assert Meter(path, "another").before["killed"] == 0


@pytest.mark.parametrize(
    "points, best",
    [
        ({"a": (1, 1), "b": (2, 2)}, ["b"]),
        ({"a": (1, 2), "b": (2, 1)}, ["a", "b"]),
        ({"a": (1, 2), "b": (1, 1), "c": (0, 2)}, ["a"]),
        ({"a": (1, 1), "b": (1, 1)}, ["a", "b"]),
        ({"a": (3, -9), "b": (2, -1), "c": (2, -2), "d": (0, 0)}, ["a", "b", "d"]),
    ],
)
def test_the_frontier_is_what_nobody_beats(points: dict[str, tuple[float, ...]], best: list[str]) -> None:
    assert frontier(points) == best


def test_names_are_those_of_presets_and_files(small_config: Path, tmp_path: Path) -> None:
    assert list(named_specs(["fast"], [small_config])) == ["fast", "small"]
    other = tmp_path / "fast.toml"
    other.write_text(POPULAR, encoding="utf-8")
    with pytest.raises(InputError, match=r"same name.*'fast'"):
        named_specs(["fast"], [other])
    with pytest.raises(InputError, match="at least two"):
        named_specs([], [small_config])


def test_a_pipeline_to_compare_with_must_be_compared(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--against.*One of: popular, near"):
        compare_dataset(data, specs(), SplitSettings(), Run(cache=None), tmp_path / "out", against="best")
    assert not (tmp_path / "out").exists()
