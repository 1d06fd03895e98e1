"""Versions and refreshes from the command line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import shop
from accord.data import splits
from accord.data.store import Event, SqliteStore, seed
from accord.pipeline.artefact import save
from accord.pipeline.learning import learn
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import spec_of
from accord.registry import Registry
from commands import call

KNN = 'name = "knn"\nhide = 0.0\n[sources.knn]\nkind = "item_knn"\n[sources.popular]\nkind = "popular"\n'
POOR = 'name = "poor"\nhide = 0.0\n[sources.popular]\nkind = "popular"\n'


@pytest.fixture
def run(pipeline: Pipeline, trained_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_folder, tmp_path / "live"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of the older events and a store that has the newer ones too."""
    folder, data, job = tmp_path_factory.mktemp("made"), shop.shop(), shop.run()
    known = int(0.6 * data.n_events)
    old = data.with_events([True] * known + [False] * (data.n_events - known))  # type: ignore[arg-type]
    learned = learn(spec_of(KNN, "knn"), splits.validation_only(old, job.rng("validation")), job)
    save(learned.pipeline, folder / "run", {"target": "items"})
    store = SqliteStore(folder / "run.store.db")
    seed(store, learned.pipeline.data)
    users, items = data.user_ids[data.event_users], data.item_ids[data.event_items]
    times = data.event_times.tolist()
    store.append_events([Event(f"e{n}", users[n], items[n], timestamp=times[n]) for n in range(known, data.n_events)])
    store.close()
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "made")) / "run"


def test_versions_from_publish_to_prune(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(["models", "list", run])
    assert "accord models publish" in capsys.readouterr().out
    call(["models", "publish", run, "--live", "--json"])
    first = json.loads(capsys.readouterr().out)["version"]
    other = Path(shutil.copytree(run, tmp_path / "other"))
    poor = learn(spec_of(POOR, "poor"), splits.validation_only(shop.shop(), shop.run().rng("v")), shop.run())
    save(poor.pipeline, other, {"note": "poor"})
    call(["models", "publish", run, other, "--note", "an experiment"])
    assert "a candidate" in capsys.readouterr().out
    second = Registry.beside(run).versions()[-1].version
    call(["models", "promote", run, second])
    assert capsys.readouterr().out == f"{second} is live now.\n"
    call(["models", "list", run])
    shown = capsys.readouterr().out
    assert all(word in shown for word in (first, second, "live", "retired", "an experiment"))
    call(["models", "rollback", run, "--json"])
    assert json.loads(capsys.readouterr().out) == {"live": first, "previous": second}
    call(["models", "show", run, second])
    assert json.loads(capsys.readouterr().out)["card"]["note"] == "poor"
    call(["models", "list", run, "--json"])
    assert json.loads(capsys.readouterr().out)["live"] == first
    call(["models", "prune", run, "--keep", 0])
    assert capsys.readouterr().out == f"Removed 1 versions: {second}.\n"
    call(["models", "promote", run, Registry.beside(run).publish(other)])
    call(["models", "prune", run, "--only-live", "--json"])
    assert [one.stage for one in Registry.beside(run).versions()] == ["live"]
    call(["models", "rollback", run], 2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rollback"], "accord models publish"),
        (["promote", "20260101T000000.000000Z-00000000"], "no such version"),
        (["show"], "no such version"),
    ],
)
def test_what_cannot_be_done_is_said(
    run: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call(["models", arguments[0], run, *arguments[1:]], 2)
    assert told in capsys.readouterr().err


def test_a_refresh_in_one_line_and_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(["refresh", place, "--quiet"])
    out = capsys.readouterr().out
    assert out.startswith("Promoted 2")
    assert out.count("\n") == 1
    assert "held-back queries" in out
    call(["refresh", place, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["new_events"]) == ("skipped", 0)


def test_a_worse_candidate_ends_with_code_3(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "poor.toml").write_text(POOR, encoding="utf-8")
    call(["refresh", place, "--config", tmp_path / "poor.toml", "--quiet"], 3)
    assert "worse by more than one standard error" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--store", "nowhere.db"], "there is no store"),
        (["--every", "soon"], "not an interval"),
        (["--preset", "fast", "--config", "x.toml"], "either --preset or --config"),
    ],
)
def test_a_refresh_that_cannot_be(
    place: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call(["refresh", place, *arguments], 2)
    assert told in capsys.readouterr().err


def test_a_schedule_goes_on_after_failures_and_stops_when_told(place: Path) -> None:
    registry = Registry.around(place)
    good = registry.path.read_text(encoding="utf-8")
    registry.path.write_text("{", encoding="utf-8")
    program = "from accord.cli import main; main()"
    arguments = [sys.executable, "-c", program, "refresh", str(place), "--every", "1s", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline())]
        assert (lines[0]["outcome"], lines[0]["failures"]) == ("failed", 1)
        registry.path.write_text(good, encoding="utf-8")
        while lines[-1]["outcome"] != "skipped":
            lines.append(json.loads(process.stdout.readline()))
        assert "promoted" in [line["outcome"] for line in lines]
        assert lines[-1]["failures"] >= 1
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
