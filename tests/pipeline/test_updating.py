"""New events count without a fit, and small deltas hold what has changed."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, InputError
from accord.pipeline.artefact import load, save
from accord.pipeline.delta import load_delta, save_delta
from accord.pipeline.growing import grow
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.updating import update

LATER = 1.8e9


def events_of(users: list[str], items: list[str], **more: list) -> pa.Table:
    times = LATER + 60.0 * np.arange(len(users))
    return pa.table({"user_id": users, "item_id": items, "timestamp": times} | more)


def same_lists(one: Pipeline, other: Pipeline) -> None:
    queries = one.data.queries()
    ours, theirs = one.recommend(queries, 12), other.recommend(queries, 12)
    np.testing.assert_array_equal(ours.items, theirs.items)
    np.testing.assert_array_equal(ours.column("score"), theirs.column("score"))


def test_events_reach_histories_counts_and_sources(pipeline: Pipeline) -> None:
    updated = update(pipeline, events_of(["u3", "somebody new", "u3"], ["i1", "i1", "i2"]), shop.run())
    data: Dataset = updated.data
    assert data.n_users == pipeline.data.n_users + 1
    assert data.histories.ragged[data.user_numbers["u3"]][-2:].tolist() == [1, 2]
    assert updated.queries(["somebody new"]).history.items.tolist() == [1]
    assert updated.fresh == 3
    assert updated.data.event_weights[-3:].tolist() == [1, 1, 1]
    assert pipeline.fresh == 0
    warm = pipeline.events > 0
    gained = updated.events - pipeline.events
    assert gained.sum() == sum(warm[[1, 1, 2]])
    assert (updated.events[~warm] == 0).all()
    for name, source in updated.sources.items():
        again = type(source)(source.config).fit(updated.data, shop.run())
        if name in ("popular", "trending"):
            np.testing.assert_array_equal(source._scores(data.queries()), again._scores(data.queries()))


def test_two_updates_are_the_same_as_one(pipeline: Pipeline) -> None:
    both = events_of(["u3", "u4", "u5", "u3"], ["i5", "i6", "i7", "i8"])
    twice = update(update(pipeline, both.slice(0, 2), shop.run()), both.slice(2), shop.run())
    same_lists(twice, update(pipeline, both, shop.run()))


def test_events_are_put_in_the_order_of_their_times(pipeline: Pipeline) -> None:
    late = events_of(["u3", "u3"], ["i5", "i6"]).set_column(2, "timestamp", pa.array([LATER + 9, LATER]))
    updated = update(pipeline, late, shop.run())
    assert updated.data.histories.ragged[3][-2:].tolist() == [6, 5]


def test_what_is_unknown_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(InputError, match=r"no such item.*nothing"):
        update(pipeline, events_of(["u1"], ["nothing"]), shop.run())
    with pytest.raises(InputError, match="no column 'item_id'"):
        update(pipeline, pa.table({"user_id": ["u1"]}), shop.run())
    assert update(pipeline, events_of([], []), shop.run()) is pipeline


@pytest.fixture(scope="module")
def changed(trained_folder: Path) -> Pipeline:
    """The saved pipeline, with two new items, an edit, and events on them."""
    items = [("new", {"title": "word1 word2 word3"}), ("newer", {"title": "word9"}), ("i4", {"title": "word17"})]
    grown = grow(load(trained_folder), items, shop.run())
    return update(grown, events_of(["u3", "u8", "a new user"], ["new", "i4", "i4"]), shop.run())


def test_a_delta_gives_the_pipeline_back(changed: Pipeline, trained_folder: Path, tmp_path: Path) -> None:
    save_delta(changed, trained_folder, tmp_path / "delta")
    back = load_delta(trained_folder, tmp_path / "delta")
    assert back.fresh == changed.fresh
    assert back.data.item_ids.tolist() == changed.data.item_ids.tolist()
    assert back.data.items.to_pylist() == changed.data.items.to_pylist()
    np.testing.assert_array_equal(back.events, changed.events)
    same_lists(back, changed)
    more = [("last", {"title": "word2 word3"})]
    same_lists(grow(back, more, shop.run()), grow(changed, more, shop.run()))


def test_a_delta_of_nothing_is_the_base(trained_folder: Path, tmp_path: Path) -> None:
    save_delta(load(trained_folder), trained_folder, tmp_path / "delta")
    assert not list((tmp_path / "delta" / "parts").iterdir())
    same_lists(load_delta(trained_folder, tmp_path / "delta"), load(trained_folder))


def test_a_delta_fits_its_own_base_alone(changed: Pipeline, trained_folder: Path, tmp_path: Path) -> None:
    save_delta(changed, trained_folder, tmp_path / "delta")
    save(load(trained_folder), tmp_path / "other", {"note": "another card"})
    with pytest.raises(ArtefactError, match="another artefact"):
        load_delta(tmp_path / "other", tmp_path / "delta")
    with pytest.raises(ArtefactError, match="something lies there"):
        save_delta(changed, trained_folder, tmp_path / "delta")
    for path in sorted((tmp_path / "delta").rglob("*")):
        if path.is_file():
            damaged = tmp_path / "damaged"
            shutil.rmtree(damaged, ignore_errors=True)
            shutil.copytree(tmp_path / "delta", damaged)
            with (damaged / path.relative_to(tmp_path / "delta")).open("ab") as file:
                file.write(b"\n")
            with pytest.raises(ArtefactError):
                load_delta(trained_folder, damaged)


def test_a_pipeline_of_another_origin_is_refused(trained_folder: Path, tmp_path: Path) -> None:
    base = load(trained_folder)
    other = replace(base, data=replace(base.data, events=base.data.events.slice(1)))
    with pytest.raises(InputError, match="not grown or updated from"):
        save_delta(other, trained_folder, tmp_path / "delta")
    assert not (tmp_path / "delta").exists()


def test_a_changed_pipeline_is_saved_whole_too(changed: Pipeline, tmp_path: Path) -> None:
    save(changed, tmp_path / "whole", {})
    back = load(tmp_path / "whole")
    assert back.fresh == changed.fresh
    np.testing.assert_array_equal(back.events, changed.events)
    same_lists(back, changed)
