"""What many tests share: the small shop as a folder, and a pipeline trained on it."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import shop
from accord.core.dataset import Dataset
from accord.data import splits
from accord.fuse.rank import Rank
from accord.pipeline.artefact import save
from accord.pipeline.learning import Learned, learn
from accord.pipeline.pipeline import Pipeline

# how long it takes to draw an example says something of the machine alone
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def shop_data() -> Dataset:
    return shop.shop()


@pytest.fixture(scope="session")
def shop_folder(shop_data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shop"
    shop_data.save(folder)
    return folder


@pytest.fixture(scope="session")
def learned(shop_data: Dataset) -> Learned:
    """The small pipeline, learned on all events of the shop."""
    run = shop.run()
    return learn(shop.small(), splits.validation_only(shop_data, run.rng("validation")), run, keep_all=True)


@pytest.fixture(scope="session")
def pipeline(learned: Learned) -> Pipeline:
    """With all sources, also those that the fusion does without, at weight nought: every kind has to be kept fresh."""
    found = learned.pipeline
    sources = found.sources | learned.alone
    return replace(found, sources=sources, fuser=found.fuser.with_sources(tuple(sources)))


@pytest.fixture(scope="session")
def ranked(pipeline: Pipeline) -> Pipeline:
    """The same sources fused by their ranks."""
    return replace(pipeline, fuser=Rank(sources=tuple(pipeline.sources)))


@pytest.fixture(scope="session")
def trained_folder(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The saved pipeline; tests copy it before they change it."""
    folder = tmp_path_factory.mktemp("runs") / "live"
    save(pipeline, folder, {"note": "made by the tests"})
    return folder


@pytest.fixture
def small_config(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(shop.SMALL, encoding="utf-8")
    return path
