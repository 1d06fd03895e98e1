"""Before there is a trained pipeline: popularity and content of whatever there is."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.pipeline.starting import starting_pipeline


@pytest.fixture(scope="module")
def world():
    return shop.world()


def test_a_history_brings_up_items_that_say_the_same(world):
    pipeline = starting_pipeline(world.data, shop.run())
    slate = pipeline.recommend(Queries.of([[int(item)] for item in world.cold]), 5)
    groups = world.item_groups[slate.items]
    assert (groups == world.item_groups[world.cold][:, None]).mean() > 0.9


def test_somebody_new_gets_what_is_popular(world):
    pipeline = starting_pipeline(world.data, shop.run())
    best = pipeline.recommend(Queries.of([[]]), 3).items[0]
    weight = world.data.matrix.sum(axis=0)
    assert weight[best].min() >= np.sort(weight)[-3]


def test_a_store_with_items_alone_is_enough(world):
    empty = replace(world.data, events=world.data.events.slice(0, 0))
    slate = starting_pipeline(empty, shop.run()).recommend(Queries.of([[]]), 5)
    assert slate.filled.all()


def test_a_store_without_texts_is_enough():
    items = pa.table({"item_id": ["a", "b", "c"]})
    events = pa.table(
        {
            "user": np.array([0, 1], np.int32),
            "item": np.array([2, 2], np.int32),
            "weight": np.ones(2, np.float32),
            "timestamp": np.array([1e9, 2e9]),
        }
    )
    data = Dataset(events, items, pa.table({"user_id": ["x", "y"]}), order="time")
    pipeline = starting_pipeline(data, shop.run())
    assert list(pipeline.sources) == ["popular"]
    assert pipeline.recommend(Queries.of([[]]), 3).items[0, 0] == 2
