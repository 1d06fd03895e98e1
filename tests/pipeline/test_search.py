from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.run import Run
from accord.data import splits
from accord.data.holdout import Split
from accord.models.item_knn import ItemKNN
from accord.models.popular import Popular
from accord.pipeline.fusion import halves
from accord.pipeline.search import tune
from accord.pipeline.spec import Search

FITS: list[Any] = []


class Counting(ItemKNN):
    """Notes with which configuration it is fitted."""

    def _fit(self, data: Dataset, run: Run) -> None:
        FITS.append(self.config)
        super()._fit(data, run)


@pytest.fixture
def split(shop_data: Dataset) -> Split:
    FITS.clear()
    return splits.leave_last(shop_data)[0]


def searched(split: Split, **values: list[Any]) -> Search:
    return Search(values={name.replace("__", "."): options for name, options in values.items()})


def test_the_best_value_on_half_a_is_taken(split: Split) -> None:
    source = Counting(k=1).fit(split.train, shop.run())
    best, tried = tune(searched(split, knn__k=[5, 20]), {"knn": source}, split, shop.run())
    assert [entry["value"] for entry in tried] == [1, 5, 20]
    chosen = max(tried, key=lambda entry: entry["ndcg@10"])
    assert chosen["chosen"]
    assert sum(entry["chosen"] for entry in tried) == 1
    assert best["knn"].config.k == chosen["value"] > 1


def test_values_read_late_are_not_refitted(split: Split) -> None:
    source = Counting(k=10).fit(split.train, shop.run())
    best, tried = tune(searched(split, knn__tau=[1.0, 3.0], knn__last=[5, 9]), {"knn": source}, split, shop.run())
    assert len(FITS) == 1
    assert len(tried) == 6
    assert (best["knn"].weights != source.weights).nnz == 0
    tune(searched(split, knn__k=[3, 10]), {"knn": source}, split, shop.run())
    assert [config.k for config in FITS] == [10, 3]


def test_a_later_parameter_starts_from_the_best_earlier_value(split: Split) -> None:
    source = Counting(k=1).fit(split.train, shop.run())
    best, _ = tune(searched(split, knn__k=[20], knn__shrink=[0.0, 1.0]), {"knn": source}, split, shop.run())
    assert [config.k for config in FITS] == [1, 20, 20, 20]
    assert best["knn"].config.k == 20


def test_half_b_and_the_test_are_not_looked_at(split: Split) -> None:
    """Truths of half B and of the test may say anything: every value measured stays the same."""
    source = Counting(k=10).fit(split.train, shop.run())
    search = searched(split, knn__tau=[1.0, 4.0, 16.0], knn__k=[2, 30])
    _, before = tune(search, {"knn": source}, split, shop.run())
    _, unseen = halves(split.valid, shop.run(), 10_000)
    truth = split.valid.truth
    values = truth.values.copy()
    hit = np.isin(truth.rows, unseen)
    values[hit] = (values[hit] + 17) % split.train.n_items
    altered = replace(split, valid=replace(split.valid, truth=replace(truth, values=values)), tests={})
    _, after = tune(search, {"knn": source}, altered, shop.run())
    assert after == before
    seen = replace(truth, values=np.where(hit, truth.values, (truth.values + 17) % split.train.n_items))
    _, other = tune(search, {"knn": source}, replace(split, valid=replace(split.valid, truth=seen)), shop.run())
    assert other != before


def test_a_large_catalogue_is_searched_in_late_values_only(split: Split) -> None:
    source = Counting(k=10).fit(split.train, shop.run())
    search = searched(split, knn__tau=[1.0], knn__k=[3]).model_copy(update={"max_items": 79})
    _, tried = tune(search, {"knn": source}, split, shop.run())
    assert {entry["parameter"] for entry in tried} == {"tau"}


def test_absent_sources_and_values_that_do_not_apply_are_passed_over(split: Split) -> None:
    timeless = replace(split, train=shop.without_order(split.train))
    source = Popular().fit(timeless.train, shop.run())
    search = searched(split, trending__half_life=[3.0], popular__half_life=[3.0])
    best, tried = tune(search, {"popular": source}, timeless, shop.run())
    assert best == {"popular": source}
    assert [entry["value"] for entry in tried] == [None]


def test_infinity_is_told_as_a_word(split: Split) -> None:
    source = Counting(tau=2.0).fit(split.train, shop.run())
    _, tried = tune(searched(split, knn__tau=[float("inf")]), {"knn": source}, split, shop.run())
    assert [entry["value"] for entry in tried] == [2.0, "inf"]


def test_nothing_to_search_costs_nothing(split: Split) -> None:
    run = shop.run()
    source = Counting().fit(split.train, run)
    best, tried = tune(Search(), {"knn": source}, split, run)
    assert (best, tried) == ({"knn": source}, [])
    assert not run.timings
