"""Words find the items whose content fits them, in any language that an encoder knows."""

from dataclasses import replace

import numpy as np
import pytest

import shop
from accord.core.errors import InputError
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.starting import starting_pipeline
from accord.pipeline.wording import fitting


@pytest.fixture(scope="module")
def world():
    return shop.world()


@pytest.fixture(scope="module")
def starting(world) -> Pipeline:
    return starting_pipeline(world.data, shop.run())


def test_the_best_fits_say_the_words(world, starting: Pipeline):
    title = world.data.items["title"][7].as_py()
    fits = fitting(starting, title, shop.run())
    assert int(np.argmax(fits)) == 7
    assert fits.max() == pytest.approx(1)
    assert fits.min() == 0
    best = np.argsort(-fits)[:10]
    assert (world.item_groups[best] == world.item_groups[7]).mean() >= 0.9


def test_words_that_nobody_uses_fit_nothing(starting: Pipeline):
    assert not fitting(starting, "unheard", shop.run()).any()


def test_a_pipeline_without_texts_says_so(starting: Pipeline):
    mute = replace(starting, data=replace(starting.data, items=starting.data.items.select(["item_id", "price"])))
    with pytest.raises(InputError, match="text: the pipeline reads no texts"):
        fitting(mute, "word1", shop.run())
    with pytest.raises(InputError, match="text: the pipeline reads no texts"):
        fitting(replace(starting, encoders={}), "word1", shop.run())
