import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from accord.core import checkpoint as module
from accord.core.checkpoint import Checkpoint, facts_of, facts_state
from accord.core.errors import ArtefactError
from accord.core.part import State


class Step:
    """A step that counts how often it is made."""

    def __init__(self, size: int = 3) -> None:
        self.made, self.size = 0, size

    def __call__(self) -> State:
        self.made += 1
        return {"b": np.arange(self.size, dtype=np.float32), "a": np.array(7), "empty": np.empty((0, 2))}


def keep(step: Step, folder: Path, *parts: Any, limit: int = module.LIMIT) -> State:
    return Checkpoint(folder, limit).keep("steps", parts, step, lambda state: state, lambda state: state)


def test_a_finished_step_is_taken_over_with_its_arrays_in_order(tmp_path: Path) -> None:
    step = Step()
    first, again = (keep(step, tmp_path / "new" / "work", 1) for _ in range(2))
    assert step.made == 1
    assert list(again) == ["b", "a", "empty"]
    for name, array in first.items():
        assert (again[name].dtype, again[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(again[name], array)


def test_other_parts_kinds_and_code_are_never_taken_for_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Step()
    for parts in ((1,), (2,), (1, None), ("1",), ([1],)):
        keep(step, tmp_path, *parts)
    assert step.made == 5
    Checkpoint(tmp_path).keep("others", (1,), step, lambda state: state, lambda state: state)
    assert step.made == 6
    monkeypatch.setattr(module, "code_digest", lambda: "newer")
    keep(step, tmp_path, 1)
    assert step.made == 7


@pytest.mark.parametrize("harm", ["cut", "changed", "empty", "link", "unfinished"])
def test_a_torn_or_altered_file_is_made_again(tmp_path: Path, harm: str) -> None:
    step = Step(500)
    keep(step, tmp_path, 1)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    if harm == "link":
        shutil.move(path, tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    elif harm == "unfinished":
        path.rename(path.with_name(f"{path.name[:40]}.1.tmp"))
    else:
        path.write_bytes({"cut": content[:-1], "changed": content[:-1] + b"\xff", "empty": b""}[harm])
    keep(step, tmp_path, 1)
    assert step.made == 2
    keep(step, tmp_path, 1)
    assert step.made == 2


def test_facts_are_kept_as_they_are(tmp_path: Path) -> None:
    facts = {"a": [1, 0.1 + 0.2, float("inf"), None, True], "é": "中"}
    made: list[int] = []
    for _ in range(2):
        kept = Checkpoint(tmp_path).keep_facts("facts", (), lambda: made.append(1) or facts)
        assert kept == facts
    assert len(made) == 1
    assert facts_of(facts_state(facts)) == facts
    with pytest.raises(ArtefactError):
        facts_of({})


def test_without_a_folder_nothing_is_kept_or_digested() -> None:
    step = Step()
    for _ in range(2):
        Checkpoint().keep("steps", (object(),), step, lambda state: state, lambda state: state)
    assert step.made == 2
    assert Checkpoint().steps == 0


def test_what_was_taken_over_is_told(tmp_path: Path) -> None:
    for _ in range(2):
        store = Checkpoint(tmp_path)
        for part in (1, 2):
            store.keep("fits", (part,), Step(), lambda state: state, lambda state: state)
        store.keep_facts("choices", (), lambda: 1)
    assert store.told() == "2 fits, 1 choices"
    assert store.steps == 3
    store.clear()
    assert store.steps == 0
    assert not tmp_path.exists()


def test_a_step_that_comes_up_again_in_one_job_is_not_taken_over(tmp_path: Path) -> None:
    job, step = Checkpoint(tmp_path), Step()
    for _ in range(2):
        job.keep("fits", (1,), step, lambda state: state, lambda state: state)
    half = job.progress("training", (1,))
    half.write(step())
    assert half.read() is not None
    assert (step.made, job.told()) == (2, "")
    again = Checkpoint(tmp_path)
    for _ in range(2):
        again.keep("fits", (1,), step, lambda state: state, lambda state: state)
    assert again.progress("training", (1,)).read() is not None
    assert (step.made, again.told()) == (2, "1 fits, 1 training")


def test_what_is_quicker_made_than_written_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPEED", 1)
    step = Step(1 << 19)
    for _ in range(2):
        keep(step, tmp_path, 1)
    assert step.made == 2
    store = Checkpoint(tmp_path)
    store.keep("steps", (1,), step, lambda state: state, lambda state: state, spent=1e9)
    keep(step, tmp_path, 1)
    assert step.made == 3


def test_the_disk_used_is_bounded_and_old_jobs_make_way(tmp_path: Path) -> None:
    step = Step(10_000)
    keep(step, tmp_path, "old", limit=100_000)
    (tmp_path / "torn.1.tmp").write_bytes(b"x" * 50_000)
    os.utime(tmp_path / "torn.1.tmp", (1, 1))
    store = Checkpoint(tmp_path, limit=100_000)
    for part in (1, 2, 3, 4):
        store.keep("steps", (part,), step, lambda state: state, lambda state: state)
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 100_000 + 1_000
    assert step.made == 5
    for part in (1, 2):
        keep(step, tmp_path, part)
    assert step.made == 5, "what this job has made stays"
    keep(step, tmp_path, "old", limit=100_000)
    assert step.made == 6


def test_a_full_or_unwritable_disk_does_not_stop_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Step()
    (tmp_path / "file").write_text("x", encoding="utf-8")
    keep(step, tmp_path / "file" / "work", 1)

    def full(*_: Any) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_state", full)
        keep(step, tmp_path / "work", 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    keep(step, tmp_path / "work", 1)
    assert step.made == 3
    assert list((tmp_path / "work").iterdir()) == []
