"""Vectors reach the fuser alike in panels and lists, and a pipeline whose fuser reads them is saved, grown and told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

import shop
from accord.core.checkpoint import Checkpoint
from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.core.roles import Recommender
from accord.core.slate import Slate
from accord.core.space import Space
from accord.data import splits
from accord.fuse.base import AGE, Panel
from accord.fuse.stack import Stack, StackConfig
from accord.pipeline.artefact import load, save
from accord.pipeline.columns import read_columns
from accord.pipeline.delta import load_delta, save_delta
from accord.pipeline.growing import grow
from accord.pipeline.learning import Learned, learn
from accord.pipeline.pipeline import Pipeline, panel
from accord.pipeline.reasons import explain
from accord.pipeline.resume_fusion import kept_fuser
from accord.pipeline.sources import DAY, ItemFacts, best_of, gather, score_all
from accord.pipeline.spaces import TAU, Spaces, read_by_fusers
from accord.pipeline.spec import spec_of
from accord.study.evaluation import fusion_of

LEARNED = (
    shop.SMALL.partition("[[fusers]]")[0]
    + """
[encoders.dense]
kind = "projection"
of = "tfidf"
dim = 6

[sources.ials]
kind = "ials"
dim = 8
epochs = 3

[[fusers]]
kind = "weighted"

[[fusers]]
kind = "bilinear"
vectors = ["dense", "ials"]
fewest = 10
epochs = 3
"""
)


class Turned(Recommender):
    """A source of planted vectors."""

    item_vectors = np.arange(12, dtype=np.float32).reshape(6, 2)

    def user_vectors(self, queries: Queries) -> np.ndarray:
        return np.full((len(queries), 2), 3, np.float32)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """A pipeline whose fuser has a network that does say something."""
    pytest.importorskip("torch")
    pytest.importorskip("implicit")
    import torch

    run = shop.run()
    world = shop.world()
    split = splits.validation_only(world.data, run.rng("validation"))
    learned = learn(spec_of(LEARNED, "learned.toml"), split, run, keep_all=True)
    names = [entry["kind"] for entry in learned.tried]
    assert names[1].startswith("bilinear (vectors=")
    found = replace(learned.pipeline, sources=learned.pipeline.sources | learned.alone)
    from accord.fuse.bilinear import Bilinear

    fuser = Bilinear(sources=tuple(found.sources), vectors=("dense", "ials"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = fuser.Net(fuser.config, {"dense": found.data.vector("dense").shape[1]}).eval()
        torch.nn.init.normal_(net.left, std=0.2)
        torch.nn.init.normal_(net.left_rest, std=0.2)
    fuser.nets, fuser.gains = (net,), np.ones(1, np.float32)
    return replace(found, fuser=fuser)


def everybody(pipeline: Pipeline) -> Queries:
    return pipeline.data.queries()


def test_spaces_follow_their_lists() -> None:
    space = Space(np.zeros((5, 2), np.float32), np.arange(6, dtype=np.float32).reshape(3, 2), fixed=True)
    slate = Slate(np.zeros((3, 4), np.int32), spaces={"text": space})
    some = slate.rows(np.array([2, 0]))
    np.testing.assert_array_equal(some.spaces["text"].users, [[4, 5], [0, 1]])
    both = Slate.stacked([some, slate.rows(np.array([1]))])
    np.testing.assert_array_equal(both.spaces["text"].users, [[4, 5], [0, 1], [2, 3]])
    assert both.spaces["text"].items is space.items
    assert both.head(2).take(np.zeros((3, 1), np.int64)).spaces == both.spaces


def test_a_history_is_the_mean_of_its_items_the_newest_first() -> None:
    data = replace(shop.shop(), vectors={"dense": np.eye(80, dtype=np.float32)})
    spaces = Spaces.named(("dense", "unknown"), data, {}, {})
    found = spaces.of(Queries.of([[3, 5, 3], []]))
    assert found.keys() == {"dense"}
    wanted = np.zeros((2, 80))
    old = np.exp(-1 / TAU)
    wanted[0, 3], wanted[0, 5] = 1 / (1 + old), old / (1 + old)
    np.testing.assert_allclose(found["dense"].users, wanted, rtol=1e-5)
    assert found["dense"].fixed


def test_vectors_of_sources_and_what_has_none() -> None:
    data = replace(shop.shop(), vectors={"sparse": csr_array(np.eye(80, dtype=np.float32))})
    space = Spaces.named(("turned",), data, {"turned": Turned()}, {}).of(Queries.of([[1]]))["turned"]
    assert not space.fixed
    np.testing.assert_array_equal(space.users, [[3, 3]])
    assert space.items is Turned.item_vectors
    with pytest.raises(InputError, match=r"has no vectors.*ials"):
        Spaces.named(("plain",), data, {"plain": Recommender()}, {})
    with pytest.raises(InputError, match=r"sparse.*dense"):
        Spaces.named(("sparse",), data, {}, {})


def test_a_column_that_a_refit_would_turn_is_not_offered(pipeline: Pipeline) -> None:
    texts = pa.array(["so"] * pipeline.data.n_events)
    told = replace(pipeline.data, events=pipeline.data.events.append_column("text", texts))
    assert Spaces.named(("dense",), pipeline.data, {}, pipeline.encoders).columns
    assert not Spaces.named(("dense",), told, {}, pipeline.encoders).columns


def test_an_unknown_name_is_refused() -> None:
    pytest.importorskip("torch")
    with pytest.raises(InputError, match=r"no such encoder or source.*dnese.*dense"):
        read_by_fusers(spec_of(LEARNED.replace('vectors = ["dense"', 'vectors = ["dnese"'), "typo.toml"))


def test_panels_and_lists_are_given_the_same(pipeline: Pipeline) -> None:
    asked = everybody(pipeline).take(np.arange(30))
    truth = replace(asked.history.ragged, values=asked.history.ragged.values)
    seen = replace(asked, include_seen=True)
    found: Panel = panel(pipeline.sources, seen, truth, pipeline.known, 40, pipeline.spaces)
    fused = pipeline.fuser(seen, found.slate)
    listed = pipeline.score(seen, found.slate.items)
    np.testing.assert_allclose(listed.column("score"), fused.column("score"), atol=1e-4)
    bare = replace(found.slate, spaces={})
    assert np.nanmax(np.abs(pipeline.fuser(seen, bare).column("score") - fused.column("score"))) > 0.01
    assert not pipeline.recommend(asked, 5).spaces


def test_saved_and_loaded_it_says_the_same(pipeline: Pipeline, tmp_path: Path) -> None:
    assert "dense" in read_columns(pipeline)
    save(pipeline, tmp_path / "model", {})
    loaded = load(tmp_path / "model")
    ours, theirs = (one.recommend(everybody(one), 10) for one in (pipeline, loaded))
    np.testing.assert_array_equal(ours.items, theirs.items)
    np.testing.assert_array_equal(ours.column("score"), theirs.column("score"))


def test_new_items_have_their_vectors(pipeline: Pipeline, tmp_path: Path) -> None:
    title = pipeline.data.items["title"][3].as_py()
    save(pipeline, tmp_path / "model", {})
    base = load(tmp_path / "model")
    grown = grow(base, [("novelty", {"title": title})], shop.run())
    assert len(grown.spaces.columns["dense"]) == len(grown.spaces.tables["ials"]) == base.data.n_items + 1
    np.testing.assert_allclose(grown.spaces.columns["dense"][-1], base.spaces.columns["dense"][3], atol=1e-5)
    assert np.isfinite(grown.recommend(everybody(grown), 81).column("score")).any()
    save_delta(grown, tmp_path / "model", tmp_path / "delta")
    again = load_delta(tmp_path / "model", tmp_path / "delta")
    ours, theirs = (one.recommend(everybody(one), 10) for one in (grown, again))
    np.testing.assert_array_equal(ours.items, theirs.items)


def test_reasons_and_similar_items_are_told(pipeline: Pipeline) -> None:
    asked = everybody(pipeline).take(np.arange(3))
    slate = pipeline.recommend(asked, 3)
    reasons = explain(pipeline, asked, slate)
    assert [len(row) for row in reasons] == [3, 3, 3]
    assert pipeline.similar(np.array([1, 2], np.int32), 4).filled.all()


def test_trees_over_it_read_the_same_vectors(pipeline: Pipeline) -> None:
    stack = Stack.over(pipeline.fuser, StackConfig(sources=pipeline.fuser.config.sources))
    assert stack.reads == ("dense", "ials")
    asked = everybody(pipeline).take(np.arange(5))
    ours, theirs = (replace(pipeline, fuser=one).recommend(asked, 5) for one in (pipeline.fuser, stack))
    np.testing.assert_array_equal(ours.items, theirs.items)


def test_an_interrupted_job_takes_it_over(pipeline: Pipeline, tmp_path: Path) -> None:
    run = replace(shop.run(), checkpoint=Checkpoint(tmp_path))
    kept_fuser(run, ("one",), lambda: pipeline.fuser)

    def never() -> None:
        raise AssertionError("it was kept")

    again = kept_fuser(run, ("one",), never)  # pyright: ignore[reportArgumentType]
    assert again.config == pipeline.fuser.config
    for name, array in pipeline.fuser.state().items():
        np.testing.assert_array_equal(again.state()[name], array)


def test_fusers_are_told_how_old_items_are_and_when_and_where_they_are_asked_for(pipeline: Pipeline) -> None:
    places = np.array(["home", None, "work"], object)
    queries = everybody(pipeline).take(np.arange(3))
    queries = replace(queries, now=np.array([0.0, 1e9, np.nan]), context={"place": places})
    born = np.full(pipeline.data.n_items, 1e9 - 3 * DAY)
    born[::2] = np.nan
    scored = score_all(pipeline.sources, queries)
    slate = gather(queries, scored, best_of(scored, 40), ItemFacts(pipeline.events, born))
    ages = slate.column(AGE)
    told = (slate.items % 2 == 1) & slate.filled
    assert told.any()
    assert (ages[0][told[0]] == 0).all()  # nothing is younger than new
    assert (ages[1][told[1]] == 3).all()
    assert np.isnan(ages[2]).all() and np.isnan(ages[~told]).all()
    np.testing.assert_array_equal(slate.facts["now"], queries.now)
    assert np.isnan(slate.facts["context.place"]).tolist() == [False, True, False]


def test_a_report_tells_the_weights_below_a_network_and_that_it_corrects_them(pipeline: Pipeline) -> None:
    for fuser in (pipeline.fuser, Stack.over(pipeline.fuser, StackConfig(sources=pipeline.fuser.config.sources))):
        told = fusion_of(Learned(replace(pipeline, fuser=fuser)))
        assert told["correction"] == {"kind": "bilinear", "gains": [1.0]}
        assert set(told["weights"]["warm"]) == set(pipeline.fuser.config.sources)
