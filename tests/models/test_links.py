"""Link prediction against plain loops over friends in common, and golden numbers of a graph drawn by hand."""

import math

import numpy as np
import pyarrow as pa
import pytest

from accord.core.arrays import Ints
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.data.people import people
from accord.models.links import AdamicAdar, CommonNeighbours, ResourceAllocation
from accord.testing.planted import checkerboard

RUN = Run(cache=None)
KINDS = {
    CommonNeighbours: lambda degree: degree**0,
    AdamicAdar: lambda degree: 1 / math.log(degree),
    ResourceAllocation: lambda degree: 1 / degree,
}


def network(pairs: list[tuple[int, int]], n: int) -> Dataset:
    ids = [f"p{number}" for number in range(n)]
    links = pa.table({"head": [ids[a] for a, _ in pairs], "tail": [ids[b] for _, b in pairs]})
    events = {"user": np.empty(0, np.int32), "item": np.empty(0, np.int32), "weight": np.empty(0, np.float32)}
    items = pa.table({"item_id": pa.array([], pa.string())})
    return people(Dataset(pa.table(events), items, pa.table({"user_id": ids}), {"friends": links}))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_a_plain_loop(kind):
    rng = np.random.default_rng(0)
    pairs = [(int(a), int(b)) for a, b in rng.integers(0, 30, (90, 2))]
    friends = {p: {b for a, b in pairs if a == p} | {a for a, b in pairs if b == p} for p in range(30)}
    friends = {p: those - {p} for p, those in friends.items()}
    data = network(pairs, 30)
    scores = kind().fit(data, RUN).scored(data.queries()).scores
    for u in range(30):
        for v in set(range(30)) - friends[u] - {u}:
            wanted = sum(KINDS[kind](len(friends[w])) for w in friends[u] & friends[v])
            assert scores[u, v] == pytest.approx(wanted, abs=1e-5)


def test_golden_numbers():
    data = network([(0, 1), (0, 2), (3, 1), (3, 2), (2, 4)], 5)  # 0 and 3 share 1 (2 friends) and 2 (3 friends)
    rows = {kind: kind().fit(data, RUN).score(data.queries(), np.full((5, 1), 3, np.int32))[0, 0] for kind in KINDS}
    assert rows[CommonNeighbours] == 2
    assert rows[AdamicAdar] == pytest.approx(1 / math.log(2) + 1 / math.log(3))
    assert rows[ResourceAllocation] == pytest.approx(1 / 2 + 1 / 3)


def test_friends_and_oneself_are_never_offered():
    data = network([(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (4, 2)], 5)
    offers = CommonNeighbours().fit(data, RUN).offer(data.queries(), 5)
    for user, row in enumerate(offers.items):
        seen: Ints = data.histories.ragged[user]
        assert user not in row
        assert not set(row.tolist()) & set(seen.tolist())


def test_items_that_are_no_people_cannot_be_linked():
    with pytest.raises(CannotFit, match="not people"):
        AdamicAdar().fit(checkerboard().data, RUN)
