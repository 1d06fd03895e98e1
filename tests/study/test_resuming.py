"""Jobs that are killed, again and again, and go on; and jobs that somebody interrupts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import shop
from accord.core.run import Run
from accord.core.state import file_digest
from accord.pipeline.artefact import load
from accord.study.resuming import beside, inside, resumable

KILLED = """
import io, itertools, os, signal, sys

moment, moments = int(sys.argv.pop(1)), itertools.count(1)

def counted(call, after=False, when=lambda *args: True):
    def wrapped(*args, **named):
        due = when(*args) and next(moments) == moment
        if due and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*args, **named)
        if due:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapped

os.fsync, os.replace, os.rename = counted(os.fsync), counted(os.replace), counted(os.rename, after=True)
io.open = counted(io.open, after=True, when=lambda path, mode="r", *more: mode[:1] in "wa")

from accord.cli.app import main
main()
"""
"""The command line in a process that kills itself at its so-and-so-manieth flush, move or opening of a file to write;
0: never."""
MOMENTS = (2, 9, 14, 7, 5, 1)


def command(job: str, data: Path, config: Path, out: Path) -> list[str]:
    return [job, str(data), "--config", str(config), "--out", str(out)]


def started(arguments: list[str], moment: int = 0) -> "subprocess.Popen[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-c", KILLED, str(moment), *arguments]
    return subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def killed_until_done(arguments: list[str]) -> tuple[int, str]:
    """How often the job was killed, and what the last run said."""
    for kills, moment in enumerate((*MOMENTS, 0)):
        process = started(arguments, moment)
        said = process.communicate(timeout=300)[1]
        if process.returncode == 0:
            return kills, said
        assert process.returncode == -signal.SIGKILL, said
    raise AssertionError("never done")


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    shop.world(20, 12, 2, 6).data.save(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.slow
def test_a_killed_evaluation_ends_with_the_same_figures(data: Path, small_config: Path, tmp_path: Path) -> None:
    process = started(command("evaluate", data, small_config, tmp_path / "whole"))
    assert process.communicate(timeout=300) and process.returncode == 0
    kills, said = killed_until_done(command("evaluate", data, small_config, tmp_path / "killed"))
    assert kills >= 5
    assert "resumed:" in said
    files = [tmp_path / name / "metrics.json" for name in ("whole", "killed")]
    whole, killed = (json.loads(path.read_text(encoding="utf-8")) for path in files)
    assert killed["resumed"]["fits"] >= 4
    apart = {"created", "command", "timings", "resumed", "readings"}
    assert {key: killed[key] for key in whole.keys() - apart} == {key: whole[key] for key in whole.keys() - apart}
    lists = [pq.read_table(tmp_path / name / "recommendations.parquet") for name in ("whole", "killed")]
    assert lists[0].equals(lists[1])
    assert killed["readings"] == whole["readings"] + 1, "a job that was killed and went on is one reading"
    assert hidden(tmp_path / "killed") == []


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_artefact(data: Path, small_config: Path, tmp_path: Path) -> None:
    process = started(command("train", data, small_config, tmp_path / "whole"))
    assert process.communicate(timeout=300) and process.returncode == 0
    kills, _ = killed_until_done(command("train", data, small_config, tmp_path / "killed"))
    assert kills >= 5
    names = [path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file()]
    assert len(names) > 8
    for name in names:
        if not name.name.startswith("card."):
            assert file_digest(tmp_path / "killed" / name) == file_digest(tmp_path / "whole" / name), name
    load(tmp_path / "killed")
    assert hidden(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("as_json", [False, True])
def test_an_interrupted_job_says_in_one_line_how_to_go_on(
    data: Path, small_config: Path, tmp_path: Path, as_json: bool
) -> None:
    arguments = command("train", data, small_config, tmp_path / "run") + ["--json"] * as_json
    process = started(arguments)
    kept = beside(tmp_path / "run")
    while process.poll() is None and not (kept.exists() and any(kept.iterdir())):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=300)[1].strip().splitlines()
    assert process.returncode == 130, said
    assert "Traceback" not in "\n".join(said)
    if as_json:
        assert json.loads(said[-1])["error"]["code"] == "interrupted"
    assert "--fresh" in said[-1]
    assert hidden(tmp_path) == [kept.name]
    assert not (tmp_path / "run").exists()


def test_the_work_folder_is_kept_by_failures_and_removed_by_success(tmp_path: Path) -> None:
    class Told:
        def __init__(self) -> None:
            self.notes: list[str] = []

        def note(self, text: str) -> None:
            self.notes.append(text)

    place, told = inside(tmp_path / "out"), Told()
    run = Run(cache=None, progress=told)  # pyright: ignore[reportArgumentType]
    with pytest.raises(KeyboardInterrupt), resumable(run, place) as job:
        assert job.keep_facts("choices", (), lambda: 1) == 1
        raise KeyboardInterrupt
    assert told.notes == []
    with resumable(run, place) as job:
        assert job.keep_facts("choices", (), lambda: 2) == 1
    assert "1 finished steps" in told.notes[0]
    assert told.notes[1:] == ["resumed: 1 choices"]
    assert not place.exists()


def test_fresh_forgets_what_was_finished(tmp_path: Path) -> None:
    run = Run(cache=None)
    with pytest.raises(KeyboardInterrupt), resumable(run, tmp_path / "work") as job:
        job.keep_facts("choices", (), lambda: 1)
        raise KeyboardInterrupt
    with resumable(run, tmp_path / "work", fresh=True) as job:
        assert job.keep_facts("choices", (), lambda: 2) == 2
        assert not job.checkpoint.taken


def test_places_lie_where_they_disturb_nothing(tmp_path: Path) -> None:
    assert inside(tmp_path / "out").parent == tmp_path / "out"
    assert beside(tmp_path / "out").parent == tmp_path
    assert beside(tmp_path / "a") != beside(tmp_path / "b")
