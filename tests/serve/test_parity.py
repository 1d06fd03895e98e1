"""What is served is what the pipeline says: the same list for the same history, up to scores that tie.

Scores are standard deviations, sums of about one each, in float32: beyond one the tolerance grows with the score.
"""

import numpy as np
import pytest

from accord.core import alone
from accord.core.slate import Slate
from accord.pipeline.pipeline import Pipeline

TIE = 1e-5
N = 20


def same_list(served: list[dict], slate: Slate, row: int, ids: np.ndarray) -> None:
    """Assert that both lists hold the same items, but for swaps of scores that differ by less than ``TIE``."""
    filled = slate.filled[row]
    scores = slate.column("score")[row][filled]
    ours = {place["item_id"]: place["score"] for place in served}
    theirs = dict(zip(ids[slate.items[row][filled]].tolist(), scores.tolist(), strict=True))
    assert len(ours) == len(theirs)
    np.testing.assert_allclose([place["score"] for place in served], scores, rtol=TIE, atol=TIE)
    for item in ours.keys() ^ theirs.keys():
        assert ({**ours, **theirs})[item] == pytest.approx(float(scores[-1]), rel=TIE, abs=TIE), item
    for item in ours.keys() & theirs.keys():
        assert ours[item] == pytest.approx(theirs[item], rel=TIE, abs=TIE), item


def test_served_lists_are_those_of_the_pipeline(server, pipeline: Pipeline, shop_data, monkeypatch):
    """Every user of the shop, each asked for alone through HTTP, beside all of them in one batch."""
    monkeypatch.setattr(alone, "LEAST", 1)  # as in a large catalogue
    users = [str(user) for user in shop_data.user_ids]
    now = 1.7e9
    queries = pipeline.queries(users, now=np.full(len(users), now))
    slate = pipeline.recommend(queries, N)
    for row, user in enumerate(users):
        answer = server.recommend(user_id=user, n=N, timestamp=now)
        assert answer["skipped"] == []
        same_list(answer["items"], slate, row, shop_data.item_ids)


@pytest.mark.slow
def test_a_thousand_of_a_larger_world(tmp_path, serve):
    """As above, with five sources over 6,000 items, where one query takes another way than a batch."""
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    servers = pytest.importorskip("servers")
    pipeline = servers.made_up_run(tmp_path, 6_000)
    data = pipeline.data
    server = serve(run=tmp_path / "run", store=f"sqlite:///{tmp_path / 'large.db'}")
    users = np.random.default_rng(0).choice(data.n_users, 1_000, replace=False)
    slate = pipeline.recommend(data.queries(users), N)
    for row, user in enumerate(data.user_ids[users]):
        same_list(server.recommend(user_id=str(user), n=N)["items"], slate, row, data.item_ids)
