"""The comparison with other libraries: what its table says of two systems."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from accord.core.arrays import Ragged
from accord.core.queries import Queries
from accord.data.holdout import Holdout

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import peer_systems
import peers

TEST = Holdout(Queries.of([[0], [1], [2], [3]]), Ragged.of([[5], [6], [7], [8]]))
OURS = np.array([[5, 1], [4, 6], [1, 3], [8, -1]], np.int32)
THEIRS = np.array([[1, 5], [4, 9], [3, 1], [8, 2]], np.int32)


def written(folder: Path, name: str, items: np.ndarray, first: float = 0.0) -> Path:
    scores = np.where(items < 0, np.nan, first - np.arange(items.shape[1], dtype=np.float32))
    np.savez(folder / f"{name}.npz", items=items, scores=scores)
    return folder / name


def test_lists_are_judged_by_place(tmp_path):
    values = peers.judged(written(tmp_path, "ours", OURS), TEST, 4)
    np.testing.assert_allclose(values["recall@10"], [1, 1, 0, 1])
    np.testing.assert_allclose(values["ndcg@10"], [1, 1 / np.log2(3), 0, 1], rtol=1e-6)


def test_shared_places_do_not_count_empty_ones(tmp_path):
    ours, theirs = written(tmp_path, "ours", OURS), written(tmp_path, "theirs", THEIRS, first=0.5)
    assert peers.shared(theirs, ours) == pytest.approx(6 / 7)
    assert peers.shared(ours, ours) == 1


def test_another_item_of_the_same_score_at_the_end_is_no_difference(tmp_path):
    for name, items in (("ours", [[1, 2], [1, 2]]), ("theirs", [[1, 3], [4, 1]])):
        np.savez(tmp_path / f"{name}.npz", items=np.array(items, np.int32), scores=np.array([[2.0, 1.0], [2.0, 1.5]]))
    assert peers.shared(tmp_path / "theirs", tmp_path / "ours") == 1
    np.savez(tmp_path / "theirs.npz", items=np.array([[1, 3], [4, 1]]), scores=np.array([[2.0, 1.0], [2.0, 1.9]]))
    assert peers.shared(tmp_path / "theirs", tmp_path / "ours") == 0.75


def test_only_intervals_that_hold_zero_are_marked():
    zeros, ones = np.zeros(50), np.ones(50)
    same, better = peers.differences({"recall@10": zeros, "ndcg@10": ones}, {"recall@10": zeros, "ndcg@10": zeros})
    assert same.startswith("= +0.0000")
    assert better.startswith("+1.0000")


def test_every_system_has_files_of_its_own():
    names = [system.file for system in peers.systems(100)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("system", [s for s in peers.systems(4) if s.library == "accord"], ids=lambda s: s.file)
def test_our_own_systems_run_from_a_task(tmp_path, monkeypatch, system):
    from scipy.sparse import csr_matrix, save_npz

    from accord.testing.planted import checkerboard

    if system.settings["kind"] == "ials":
        pytest.importorskip("implicit")
    data = checkerboard(seed=5).data
    data.save(tmp_path / "dataset")
    save_npz(tmp_path / "matrix.npz", csr_matrix(data.matrix))
    np.save(tmp_path / "users.npy", np.arange(6))
    task = {"library": "accord", "settings": system.settings, "most": 4}
    (tmp_path / "task").write_text(json.dumps({**task, "folder": str(tmp_path), "out": str(tmp_path / "out")}))
    monkeypatch.setattr(sys, "argv", ["peer_systems.py", str(tmp_path / "task")])
    peer_systems.main()
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures["users"] == 4
    assert figures["peak_mib"] > 0.99 * figures["before_mib"] > 0  # the system counts both in its own coarse way
    assert peers.lists(tmp_path / "out").items.shape == (4, 10)
