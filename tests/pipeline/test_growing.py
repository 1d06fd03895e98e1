"""New items are shown to the right people, edits count, and nothing that was there changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.data import splits
from accord.pipeline.artefact import load
from accord.pipeline.growing import edit, grow
from accord.pipeline.learning import learn
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import spec_of
from accord.testing.planted import Planted

RICH = (
    shop.SMALL.partition("[search.values]")[0]
    + """
[sources.ease]
kind = "ease"
side = { tfidf = 2.0 }

[sources.slit]
kind = "slit"
side = { tfidf = 2.0 }

[sources.bridge]
kind = "bridge"

[sources.ridge]
kind = "bridge_ridge"

[sources.by_genre]
kind = "popular_by"
by = "genres"

[heads.click]
kind = "click"
"""
)


@pytest.fixture(scope="module")
def world() -> Planted:
    return shop.world()


@pytest.fixture(scope="module")
def rich(world: Planted) -> Pipeline:
    run = shop.run()
    split = splits.validation_only(world.data, run.rng("validation"))
    return learn(spec_of(RICH, "rich.toml"), split, run, keep_all=True).pipeline


def title_of(world: Planted, group: int) -> str:
    """The words of an item of the group, in another order."""
    rows = np.flatnonzero(world.item_groups == group)
    words = (
        world.data.items["title"][int(rows[0])].as_py().split()
        + world.data.items["title"][int(rows[1])].as_py().split()
    )
    return " ".join(reversed(words))


def everybody(pipeline: Pipeline) -> Queries:
    return pipeline.data.queries()


def test_an_item_with_only_a_title_reaches_its_people(rich: Pipeline, world: Planted) -> None:
    for group in range(4):
        grown = grow(rich, [("novelty", {"title": title_of(world, group)})], shop.run())
        number = grown.data.item_numbers["novelty"]
        assert number == rich.data.n_items
        cold = np.append(world.cold, number).astype(np.int32)
        slate = grown.recommend(replace(everybody(grown), candidates=cold), 4)
        shown = (slate.items == number).any(axis=1)
        assert shown[world.user_groups == group].mean() > 0.9
        assert shown[world.user_groups != group].mean() < 0.5


def test_the_old_pipeline_answers_as_before(rich: Pipeline, world: Planted) -> None:
    before = rich.recommend(everybody(rich), 10)
    grown = grow(rich, [("a", {"title": title_of(world, 0)}), ("b", {})], shop.run())
    after = rich.recommend(everybody(rich), 10)
    np.testing.assert_array_equal(before.items, after.items)
    assert rich.data.n_items == 80
    old = grown.recommend(replace(everybody(grown), candidates=np.arange(80, dtype=np.int32)), 10)
    assert (old.items == before.items).mean() > 0.95


def test_a_history_of_new_items_is_understood(rich: Pipeline, world: Planted) -> None:
    grown = grow(rich, [("novelty", {"title": title_of(world, 2)})], shop.run())
    slate = grown.recommend(Queries.of([[grown.data.item_numbers["novelty"]]]), 5)
    assert (world.item_groups[slate.items[0]] == 2).mean() > 0.7
    parts = grown.similar(np.array([80], np.int32), 5)
    assert (world.item_groups[parts.items[0]] == 2).mean() > 0.7
    assert np.isfinite(grown.predict(Queries.of([[1, 80]]), np.array([[80, 2]], np.int32), "click")).all()


def test_items_one_by_one_are_the_same_as_all_at_once(rich: Pipeline, world: Planted) -> None:
    items = [(f"new{n}", {"title": title_of(world, n % 4), "genres": [f"genre{n % 4}"]}) for n in range(4)]
    whole, single = grow(rich, items, shop.run()), rich
    for item in items:
        single = grow(single, [item], shop.run())
    ours, theirs = (one.recommend(everybody(rich), 20) for one in (whole, single))
    np.testing.assert_allclose(ours.column("score"), theirs.column("score"), atol=1e-4)
    assert (ours.items == theirs.items).mean() > 0.99


def test_a_loaded_pipeline_grows_as_the_one_in_memory(pipeline: Pipeline, trained_folder: Path, world: Planted) -> None:
    item = [("novelty", {"title": title_of(world, 1)})]
    loaded = load(trained_folder)
    assert sorted(loaded.data.vectors) == sorted({name for one in pipeline.sources.values() for name in one.reads})
    ours, theirs = (grow(one, item, shop.run()).recommend(everybody(pipeline), 20) for one in (loaded, pipeline))
    np.testing.assert_array_equal(ours.items, theirs.items)


def test_a_pipeline_saved_without_columns_encodes_them_anew(rich: Pipeline, world: Planted) -> None:
    bare = replace(rich, data=replace(rich.data, vectors={}))
    item = [("novelty", {"title": title_of(world, 1)})]
    ours, theirs = (grow(one, item, shop.run()).recommend(everybody(rich), 20) for one in (bare, rich))
    np.testing.assert_array_equal(ours.items, theirs.items)


def test_an_edit_moves_a_cold_item(pipeline: Pipeline, world: Planted) -> None:
    number = int(world.cold[0])
    was = int(world.item_groups[number])
    now = (was + 1) % 4
    name = pipeline.data.item_ids[number]
    edited = edit(pipeline, [(name, {"title": title_of(world, now), "genres": [f"genre{now}"]})], shop.run())
    assert edited.data.n_items == pipeline.data.n_items
    assert edited.data.items["title"][number].as_py() == title_of(world, now)
    queries = replace(everybody(pipeline), candidates=world.cold)
    shown = [(one.recommend(queries, 3).items == number).any(axis=1) for one in (pipeline, edited)]
    assert shown[0][world.user_groups == was].mean() > 0.9
    assert shown[1][world.user_groups == now].mean() > shown[0][world.user_groups == now].mean() + 0.3


def test_an_edit_of_a_new_item_is_as_if_it_had_come_so(rich: Pipeline, world: Planted) -> None:
    first = grow(rich, [("a", {"title": title_of(world, 0)}), ("b", {"title": title_of(world, 3)})], shop.run())
    edited = grow(first, [("a", {"title": title_of(world, 2)})], shop.run())
    direct = grow(rich, [("a", {"title": title_of(world, 2)}), ("b", {"title": title_of(world, 3)})], shop.run())
    queries = Queries.of([[80, 5], [81], [7, 9, 80]])
    for name, source in edited.sources.items():
        ours, theirs = source._scores(queries), direct.sources[name]._scores(queries)
        np.testing.assert_allclose(ours, theirs, atol=2e-4 * np.abs(theirs).max(), err_msg=name)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"price": "dear"}, "numbers"),
        ({"price": True}, "numbers"),
        ({"title": ["a", "b"]}, "text"),
        ({"genres": {"a": 1}}, "lists of text"),
    ],
)
def test_what_does_not_fit_is_refused(rich: Pipeline, fields: dict, told: str) -> None:
    with pytest.raises(InputError, match=f"novelty.*{next(iter(fields))}.*{told}"):
        grow(rich, [("novelty", fields)], shop.run())


def test_plain_values_are_brought_to_the_types_of_the_catalogue(rich: Pipeline) -> None:
    fields = {"title": 1984, "price": 7, "genres": "single", "colour": "unknown to the catalogue"}
    row = grow(rich, [("novelty", fields)], shop.run()).data.items.slice(80).to_pylist()[0]
    assert (row["title"], row["price"], row["genres"], row["brand"]) == ("1984", 7.0, ["single"], None)
    assert "colour" not in row


def test_ids_are_checked(rich: Pipeline) -> None:
    for name in ("", "x" * 10_000):
        with pytest.raises(InputError, match="id of 1 to"):
            grow(rich, [(name, {})], shop.run())
    with pytest.raises(InputError, match=r"no such item.*nowhere"):
        edit(rich, [("nowhere", {})], shop.run())
    assert grow(rich, [], shop.run()) is rich


def test_only_the_new_items_are_encoded(rich: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    kind = type(rich.encoders["tfidf"])
    original = kind.encode
    monkeypatch.setattr(
        kind, "encode", lambda self, items, run: seen.append(items.num_rows) or original(self, items, run)
    )
    grow(rich, [("a", {"title": "word1 word2"}), ("b", {"title": "word3"})], shop.run())
    assert seen == [2]


def test_a_dataset_only_grows(world: Planted) -> None:
    data: Dataset = world.data
    with pytest.raises(InputError, match="only grows"):
        data.with_items(data.items.slice(0, 3), {})
