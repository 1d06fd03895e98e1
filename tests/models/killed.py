"""A fit of a neural source that is killed, and goes on where it was."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from accord.core.checkpoint import Checkpoint
from accord.core.dataset import Dataset
from accord.core.roles import Recommender
from accord.core.run import Run
from accord.learn.judged import ndcg_at_10

KILLED_AT = 4
"""The epoch after which the fit is killed."""


def check_going_on(make: Callable[[], Recommender], data: Dataset, folder: Path, monkeypatch) -> None:
    """A fit that is killed and started again learns what one that was left alone learns."""
    whole = make().fit(data, Run(cache=None)).state()
    with monkeypatch.context() as patched:
        patched.setattr("accord.models.neural.ndcg_at_10", _killing_at(KILLED_AT))
        with pytest.raises(KeyboardInterrupt):
            make().fit(data, Run(cache=None, checkpoint=Checkpoint(folder)))
    run = Run(cache=None, checkpoint=Checkpoint(folder))
    again = make().fit(data, run).state()
    assert run.checkpoint.told()
    assert again.keys() == whole.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(again[name], values)


def _killing_at(call: int):
    calls = []

    def judged(scores, wanted) -> float:
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return ndcg_at_10(scores, wanted)

    return judged
