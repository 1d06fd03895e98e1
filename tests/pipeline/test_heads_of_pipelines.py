"""Heads inside a pipeline: learned beside the ranking, saved, and asked about anybody."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rated
import shop
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, InputError
from accord.core.history import History
from accord.core.queries import Queries
from accord.data import splits
from accord.data.holdout import Split
from accord.evaluate import prediction
from accord.pipeline.artefact import load, save
from accord.pipeline.heads import predicted
from accord.pipeline.learning import Learned, learn
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import spec_of


@pytest.fixture(scope="module")
def data() -> Dataset:
    return rated.stars()


@pytest.fixture(scope="module")
def split(data: Dataset) -> Split:
    return splits.random_split(data, np.random.default_rng(3))[0]


@pytest.fixture(scope="module")
def learned(split: Split) -> Learned:
    return learn(rated.spec(), split, shop.run())


@pytest.fixture(scope="module")
def pipeline(learned: Learned) -> Pipeline:
    return learned.pipeline


def pairs(pipeline: Pipeline, n: int = 40, width: int = 6) -> tuple[Queries, np.ndarray]:
    items = np.random.default_rng(5).integers(0, pipeline.data.n_items, (n, width)).astype(np.int32)
    return pipeline.queries([f"u{number}" for number in range(n - 1)] + ["nobody"]), items


def test_the_lists_are_those_of_a_pipeline_without_heads(pipeline: Pipeline, split: Split) -> None:
    bare = learn(shop.small(), split, shop.run()).pipeline
    queries = split.tests["test"].queries
    assert bare.heads == {}
    plain, beside = (each.recommend(queries, 10) for each in (bare, pipeline))
    assert plain.items.tolist() == beside.items.tolist()
    assert plain.column("score").tobytes() == beside.column("score").tobytes()


def test_ratings_beat_every_floor_on_the_test(pipeline: Pipeline, split: Split, data: Dataset) -> None:
    found = predicted(pipeline, "stars", split.tests["test"], data, shop.run())
    known = found.cells.known
    truth = found.cells.outcomes[known]
    errors = {name: prediction.rmse(truth, values[known]) for name, values in found.values.items()}
    assert list(errors) == ["mean", "item mean", "bias", "stars"]
    assert errors["bias"] < errors["item mean"] < errors["mean"]
    assert errors["stars"] < 1.03 * errors["bias"]  # the rest is chance in this world
    assert errors["stars"] < 0.7 * errors["mean"]


def test_clicks_beat_the_base_rate_on_the_test(pipeline: Pipeline, split: Split, data: Dataset) -> None:
    found = predicted(pipeline, "click", split.tests["test"], data, shop.run())
    known = found.cells.known
    truth, weights = found.cells.outcomes[known], found.cells.weights[known]
    losses = {name: prediction.log_loss(truth, v[known], weights) for name, v in found.values.items()}
    assert losses["click"] < 0.9 * losses["base rate"]
    mean = np.average(found.values["click"][known], weights=weights)
    assert mean == pytest.approx(np.average(truth, weights=weights), rel=0.25)


def test_a_prediction_is_the_same_in_any_batch_and_under_any_rule(pipeline: Pipeline) -> None:
    queries, items = pairs(pipeline)
    ruled = replace(queries, candidates=items[0, :2].copy(), include_seen=False)
    for head in pipeline.heads:
        whole = pipeline.predict(queries, items, head)
        assert whole.dtype == np.float32 and np.isfinite(whole).all()
        alone = [pipeline.predict(queries.take(np.array([row])), items[[row]], head)[0] for row in range(len(items))]
        np.testing.assert_allclose(np.stack(alone), whole, atol=1e-5)
        np.testing.assert_array_equal(pipeline.predict(ruled, items, head), whole)
        turned = pipeline.predict(queries, items[:, ::-1].copy(), head)
        np.testing.assert_allclose(turned[:, ::-1], whole, atol=1e-6)


def test_a_stranger_with_the_same_rated_history_gets_the_same(pipeline: Pipeline, data: Dataset) -> None:
    queries, items = pairs(pipeline)
    known = pipeline.predict(queries, items, "stars")
    events = pipeline.data.events
    cells = zip(pipeline.data.event_users, pipeline.data.event_items, strict=True)
    values = dict(zip(cells, events["value"].to_numpy(), strict=True))
    history = queries.history
    marks = np.array([values[cell] for cell in zip(history.rows, history.items, strict=True)], np.float32)
    strangers = replace(queries, users=np.array([f"new{n}" for n in range(len(queries))], dtype=object))
    found = pipeline.predict(strangers, items, "stars", marks)
    once = np.arange(len(queries)) % 5 != 0  # every fifth user rates his first item again; only the newest mark counts
    np.testing.assert_allclose(found[once], known[once], atol=1e-5)
    silent = pipeline.predict(strangers, items, "stars")
    assert np.abs(silent - known).max() > 0.1


def test_mild_histories_get_milder_predictions(pipeline: Pipeline) -> None:
    history = History.of([[3, 9, 20], [3, 9, 20], []])
    queries = replace(Queries.of([[3, 9, 20], [3, 9, 20], []]), history=history)
    items = np.tile(np.arange(30, 60, dtype=np.int32), (3, 1))
    mild, strict, nobody = pipeline.predict(queries, items, "stars", np.array([5, 5, 5, 1, 1, 1], np.float32))
    assert mild.mean() > nobody.mean() > strict.mean()


def test_saved_and_loaded_predicts_the_same(pipeline: Pipeline, tmp_path: Path) -> None:
    save(pipeline, tmp_path / "run", {})
    assert {path.name for path in (tmp_path / "run" / "parts").glob("heads-*")} == {
        "heads-stars.safetensors",
        "heads-click.safetensors",
    }
    loaded = load(tmp_path / "run")
    queries, items = pairs(pipeline)
    for head in pipeline.heads:
        assert loaded.predict(queries, items, head).tobytes() == pipeline.predict(queries, items, head).tobytes()
    (tmp_path / "run" / "parts" / "heads-stars.safetensors").write_bytes(b"changed")
    with pytest.raises(ArtefactError, match="hash"):
        load(tmp_path / "run")


def test_learning_twice_gives_the_same(learned: Learned, split: Split) -> None:
    again = learn(rated.spec(), split, shop.run()).pipeline
    for name, head in learned.pipeline.heads.items():
        for key, array in head.state().items():
            assert array.tobytes() == again.heads[name].state()[key].tobytes()


def test_impressions_serve_the_click_head_and_no_ratings_skip_the_rating_head() -> None:
    data = rated.impressions()
    split = splits.random_split(data, np.random.default_rng(3))[0]
    learned = learn(rated.spec(), split, shop.run())
    assert set(learned.pipeline.heads) == {"click"}
    assert "no ratings that differ" in learned.skipped["heads.stars"]
    found = predicted(learned.pipeline, "click", split.tests["test"], data, shop.run())
    known = found.cells.known
    losses = {name: prediction.log_loss(found.cells.outcomes[known], v[known]) for name, v in found.values.items()}
    assert list(losses) == ["base rate", "item rate", "click"]
    assert losses["click"] < losses["item rate"] < losses["base rate"]


def test_where_nothing_can_be_held_back_heads_know_the_log_alone() -> None:
    data = rated.stars()
    data = data.with_events(data.event_users == 0)
    learned = learn(rated.spec(), splits.validation_only(data, np.random.default_rng(0)), shop.run())
    queries, items = pairs(learned.pipeline, 4)
    for head in learned.pipeline.heads:
        assert np.isfinite(learned.pipeline.predict(queries, items, head)).all()


def test_odd_questions_are_refused(pipeline: Pipeline) -> None:
    queries, items = pairs(pipeline)
    with pytest.raises(InputError, match=r"no such head.*'taste'.*stars, click"):
        pipeline.predict(queries, items, "taste")
    with pytest.raises(InputError, match="one row"):
        pipeline.predict(queries, items[:2], "stars")
    with pytest.raises(InputError, match="known item numbers"):
        pipeline.predict(queries, np.full_like(items, pipeline.data.n_items), "stars")
    assert pipeline.predict(queries.take(np.arange(0)), items[:0], "stars").shape == (0, 6)


def test_a_wrong_head_is_named_before_any_work() -> None:
    with pytest.raises(InputError, match=r"heads\.mine.*'stars'"):
        spec_of(shop.SMALL + '\n[heads.mine]\nkind = "stars"', "t")
    with pytest.raises(InputError, match=r"heads\.mine\.damp_items"):
        spec_of(shop.SMALL + '\n[heads.mine]\nkind = "rating"\ndamp_items = -1', "t")
