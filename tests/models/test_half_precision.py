"""Products in half precision: every network learns with them, whatever its parts, and what it says stays float32."""

import numpy as np
import pytest

pytest.importorskip("torch")

from accord.core.run import Run
from accord.models.joint import Joint
from accord.models.lightgcn import LightGCN
from accord.models.neural_cf import NeuralCF
from accord.models.sequential import Sequential
from accord.models.two_tower import TwoTower
from accord.testing.planted import checkerboard

SETTINGS = {"dim": 8, "epochs": 2, "patience": 2, "precision": "bfloat16"}
CONTENT = {"item": "content", "columns": ("minilm", "tfidf")}
KINDS = [
    (Sequential, {}),
    (Sequential, CONTENT),
    (Sequential, {"mode": "masked", "positions": "rotary"}),
    (Sequential, {"body": "gated", "loss": "sampled"}),
    (Sequential, {"body": "gru", "loss": "gbce"}),
    (Sequential, {"body": "caser", "loss": "bpr"}),
    (TwoTower, {}),
    (TwoTower, {"hidden": 8, "interests": 2, **CONTENT}),
    (TwoTower, {"pooling": "mean", "similarity": "cosine", "loss": "in_batch", "hard": 2}),
    (Joint, {}),
    (Joint, {"weights": "learned", **CONTENT}),
    (NeuralCF, CONTENT),
    (NeuralCF, {"form": "neumf"}),
    (LightGCN, {}),
    (LightGCN, {"similarity": "cosine", **CONTENT}),
]


@pytest.mark.parametrize(("kind", "changes"), KINDS, ids=str)
def test_every_network_learns_in_half_precision(kind, changes):
    data = checkerboard().data
    source = kind(**{**SETTINGS, **changes}).fit(data, Run(cache=None))
    assert np.isfinite(source.trained.losses).all()
    scores = source.scored(data.queries(np.arange(5), include_seen=True)).scores
    assert scores.dtype == np.float32 and np.isfinite(scores).all()
