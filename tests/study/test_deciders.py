"""Which sources decide the lists: a mix that is known, told for each third of the people."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import shop
from accord.core.arrays import Floats
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.fuse.base import HISTORY, Fuser
from accord.fuse.softmax import Softmax
from accord.pipeline.pipeline import Pipeline
from accord.study.deciders import deciders, deciders_table
from accord.study.evaluation import evaluate_dataset
from accord.study.evaluation_page import render
from accord.study.splitting import SplitSettings

LONG = 6
"""Histories from here on are long."""


class ByLength(Fuser):
    """Three parts of knn and one of popularity where histories are long, popularity alone elsewhere."""

    @property
    def tells_parts(self) -> bool:
        return True

    def contributions(self, slate: Slate) -> Floats:
        long = np.asarray(slate.facts[HISTORY] >= LONG)[:, None]
        parts = np.zeros((*slate.items.shape, len(self.config.sources)), np.float32)
        for name, short, longer in (("popular", 1.0, -1.0), ("knn", 0.0, 3.0)):
            parts[:, :, self.config.sources.index(name)] = np.where(long, longer, short)
        return parts


def test_shares_are_those_of_the_mix_and_depend_on_the_history(pipeline: Pipeline) -> None:
    mixed = replace(pipeline, fuser=ByLength(sources=tuple(pipeline.sources)))
    queries = Queries.of([[0]] * 25 + [[0, 1, 2]] * 12 + [list(range(8))] * 12)
    short, medium, long = deciders(mixed, queries, shop.run())
    assert [one["lists"] for one in (short, medium, long)] == [20, 12, 12]
    assert short["shares"]["popular"] == medium["shares"]["popular"] == 1
    assert long["shares"]["knn"] == pytest.approx(0.75)  # what is taken away counts as what is added
    assert long["shares"]["popular"] == pytest.approx(0.25)
    told = deciders_table([short, medium, long])
    assert [row.name for row in told.rows][:2] == ["popular", "knn"]
    assert [cell.text for cell in told.rows[1].cells] == ["0 %", "0 %", "75 %"]
    assert told.columns == ["Short", "Medium", "Long"]
    assert "long: 8 to 8 events in the history, 12 lists." in told.note


def test_a_mix_that_tells_no_parts_is_taken_apart_too(pipeline: Pipeline) -> None:
    fused = replace(pipeline, fuser=Softmax(sources=tuple(pipeline.sources)))
    for one in deciders(fused, fused.data.queries(np.arange(8)), shop.run()):
        assert set(one["shares"]) == set(pipeline.sources)
        assert sum(one["shares"].values()) == pytest.approx(1)


def test_the_page_tells_who_decides(shop_folder: Path) -> None:
    found = evaluate_dataset(shop_folder, shop.small(), SplitSettings(), shop.run(), inside="off")
    told = found.metrics["fusion"]["deciders"]
    assert told
    assert all(sum(one["shares"].values()) == pytest.approx(1) for one in told)
    asked = found.metrics["fusion"]["asked"]
    page = render(found.metrics)
    assert f"Held back: {asked['queries']} queries of {asked['people']} people." in page
    assert "Which sources decide, by length of history" in page
    assert told[0]["meaning"] in page


def test_nothing_is_told_of_nobody(pipeline: Pipeline) -> None:
    assert deciders(pipeline, pipeline.data.queries(np.arange(0)), shop.run()) == []
    assert deciders_table([]).rows == []
