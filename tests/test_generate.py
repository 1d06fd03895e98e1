"""The made-up logs of the benchmarks: their size, their skew, and that there is something to learn."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from accord.core.run import Run
from accord.data.importer import import_data
from accord.data.settings import ImportSettings
from accord.data.splits import leave_last
from accord.models.item_knn import ItemKNN
from accord.models.popular import Popular

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
generate = pytest.importorskip("generate")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    generate.write_log(folder, events=30_000, items=1_000, seed=3)
    return folder


def test_size_and_skew(folder):
    events, items = (pl.read_parquet(folder / f"{name}.parquet") for name in ("events", "items"))
    assert 30_000 <= events.height < 30_500
    assert items["item_id"].n_unique() == items.height == 1_000
    assert events["item_id"].is_in(items["item_id"].implode()).all()
    counts = np.sort(events["item_id"].value_counts()["count"].to_numpy())[::-1]
    assert 0.3 < counts[:100].sum() / counts.sum() < 0.7
    activity = events["user_id"].value_counts()["count"]
    assert 7 < activity.mean() < 13
    assert activity.max() > 5 * activity.median()
    gaps = events["timestamp"].diff().filter(events["user_id"] == events["user_id"].shift())
    assert (gaps.drop_nulls() >= 0).all()


def test_both_forms_hold_the_same_log(folder, tmp_path):
    generate.write_log(tmp_path, events=30_000, items=1_000, seed=3, form="csv.gz")
    as_csv = pl.read_csv(tmp_path / "events.csv.gz", schema_overrides={"user_id": pl.String, "item_id": pl.String})
    assert as_csv.equals(pl.read_parquet(folder / "events.parquet"))


def test_chunks_of_users_do_not_collide(monkeypatch):
    monkeypatch.setattr(generate, "CHUNK", 50)
    rng = np.random.default_rng(0)
    frames = list(generate.log_chunks(2_000, generate.Shelf.of(500, rng), rng))
    assert len(frames) > 2
    users = [set(frame["user_id"]) for frame in frames]
    assert len(set.union(*users)) == sum(map(len, users))


def test_neighbours_know_more_than_popularity(folder):
    settings = ImportSettings(events=(str(folder / "events.parquet"),), items=str(folder / "items.parquet"), k_core=5)
    run = Run(cache=None)
    split = leave_last(import_data(settings, run).dataset)[0]
    test = split.tests["test"]

    def hits(source) -> float:
        slate = source.fit(split.refit, run).offer(test.queries, 20)
        return float((slate.items == test.truth.values[test.truth.offsets[:-1]][:, None]).any(axis=1).mean())

    assert hits(ItemKNN()) > 1.15 * hits(Popular())
