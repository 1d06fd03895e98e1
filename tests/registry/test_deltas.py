"""Deltas beside the versions: published in one step, checked, bounded, gone with their version."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

import shop
from accord.core.errors import ArtefactError
from accord.pipeline.artefact import save
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.updating import update
from accord.registry import Registry


@pytest.fixture
def registry(trained_folder: Path, tmp_path: Path) -> Registry:
    return Registry.around(Path(shutil.copytree(trained_folder, tmp_path / "run")))


def with_events(base: Pipeline, n: int) -> Pipeline:
    events = {"user_id": ["u3"] * n, "item_id": [f"i{k}" for k in range(n)], "timestamp": [1.8e9 + k for k in range(n)]}
    return update(base, pa.table(events), shop.run())


def test_the_newest_two_stay_and_the_newest_counts(registry):
    live = registry.live()
    base, deltas = registry.load(live), registry.deltas
    assert deltas.newest(live) is None
    stamps = [deltas.stamp()]
    for n in (1, 2, 3):
        deltas.publish(with_events(base, n), live, base, {"told": n})
        stamps.append(deltas.stamp())
    assert len(set(stamps)) == 4
    newest = deltas.newest(live)
    assert newest.number == 3
    pipeline, card = deltas.load(newest, base)
    assert (pipeline.fresh, card["told"]) == (3, 3)
    assert sorted(path.name for path in (deltas.folder / live).iterdir()) == ["00000002", "00000003"]
    assert deltas.newest("another") is None


def test_what_was_altered_is_refused_and_a_damaged_pointer_is_none(registry):
    live = registry.live()
    base, deltas = registry.load(live), registry.deltas
    delta = deltas.publish(with_events(base, 1), live, base, {})
    with pytest.raises(ArtefactError, match="not the delta"):
        deltas.load(delta.model_copy(update={"sha256": "0" * 64}), base)
    deltas.path.write_text("{", encoding="utf-8")
    assert deltas.newest(live) is None
    again = deltas.publish(with_events(base, 2), live, base, {})
    assert again.number == 2
    assert deltas.load(again, base)[0].fresh == 2


def test_deltas_go_with_their_version(registry, ranked, tmp_path):
    live = registry.live()
    base, deltas = registry.load(live), registry.deltas
    delta = deltas.publish(with_events(base, 1), live, base, {})
    save(ranked, tmp_path / "other", {})
    other = registry.publish(tmp_path / "other")
    assert deltas.newest(live) == delta
    registry.promote(other)
    assert deltas.newest(live) is None
    assert not any(deltas.folder.iterdir())
    registry.rollback()
    assert deltas.newest(live) is None


def test_what_a_killed_publish_left_is_swept(registry):
    live = registry.live()
    base, deltas = registry.load(live), registry.deltas
    (deltas.folder / live / ".00000001.77.new").mkdir(parents=True)
    (deltas.folder / live / "00000001").mkdir()  # written, and never counted
    delta = deltas.publish(with_events(base, 1), live, base, {})
    assert delta.number == 2
    assert [path.name for path in (deltas.folder / live).iterdir() if path.name != "00000001"] == ["00000002"]
    (deltas.folder / "20200101T000000.000000Z-00000000").mkdir()
    deltas.discard(live)
    assert [path.name for path in deltas.folder.iterdir()] == [live]
