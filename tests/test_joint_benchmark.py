"""Joint training beside training apart: the script's sums, its choice on validation, and its table."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from accord.core.checkpoint import Checkpoint
from accord.core.run import Run
from accord.data.splits import leave_last
from accord.models.ease import Ease
from accord.models.item_knn import ItemKNN
from accord.testing.planted import checkerboard

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import joint

SPLIT = leave_last(checkerboard().data)[0]
SETTINGS = {"dim": 8, "epochs": 4, "patience": 0, "batch": 60, "lr": 1e-2, "average": 0.9}


def test_a_sum_with_one_part_is_that_part():
    one, other = (kind().fit(SPLIT.train, Run(cache=None)) for kind in (Ease, ItemKNN))
    asked = SPLIT.valid.queries
    for share, source in ((0.0, one), (1.0, other)):
        np.testing.assert_array_equal(
            joint.summed(one, other, share)(asked).items, source.recommend(asked, joint.DEPTH).items
        )
    scored = [source.scored(asked) for source in (one, other)]
    parts = [(told.scores - told.facts["mean"][:, None]) / told.facts["spread"][:, None] for told in scored]
    slate = joint.summed(one, other, 0.3)(asked)
    wanted = np.take_along_axis(0.7 * parts[0] + 0.3 * parts[1], slate.items, axis=1)
    np.testing.assert_allclose(slate.column("score"), wanted, atol=1e-4)


def test_the_share_is_chosen_on_validation():
    one, other = (kind().fit(SPLIT.train, Run(cache=None)) for kind in (Ease, ItemKNN))
    share, lists = joint.chosen(lambda share: joint.summed(one, other, share), SPLIT)
    reached = joint.judged_in(lists, SPLIT, SPLIT.valid)["ndcg@10"].mean()
    for tried in joint.SHARES:
        assert joint.judged_in(joint.summed(one, other, tried), SPLIT, SPLIT.valid)["ndcg@10"].mean() <= reached
    assert share in joint.SHARES


def test_the_whole_is_measured_kept_and_told(tmp_path):
    kept = Checkpoint(tmp_path)
    read = joint.measure(SPLIT, SETTINGS, [0, 1], kept)
    again = joint.measure(SPLIT, SETTINGS, [0, 1], Checkpoint(tmp_path))
    for name, seeds in read.values.items():
        for one, other in zip(seeds, again.values[name], strict=True):
            np.testing.assert_array_equal(one["ndcg@10"], other["ndcg@10"])
    assert again.seconds == read.seconds
    assert not np.array_equal(read.values[joint.READER][0]["ndcg@10"], read.values[joint.READER][1]["ndcg@10"])
    text = joint.table("planted", read, "digest", 3, 1.0)
    for system in (joint.MEAN, joint.READER, joint.FUSED, joint.JOINT, joint.LEARNED):
        assert f"| {system} | " in text
    mean = np.mean([values["ndcg@10"].mean() for values in read.values[joint.JOINT]])
    assert f"{mean:.4f} (" in text
    assert "reading 3" in text
