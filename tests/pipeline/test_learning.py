from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit, InputError
from accord.core.part import State
from accord.core.run import Run
from accord.data import splits
from accord.data.holdout import Split
from accord.encode.tfidf import Tfidf
from accord.fuse.weighted import Weighted
from accord.pipeline.learning import FEWEST, Learned, learn
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import spec_of


def states(pipeline: Pipeline) -> dict[str, State]:
    """All learned arrays of a pipeline by part."""
    parts = {**pipeline.sources, **pipeline.encoders, "fuser": pipeline.fuser, "fallback": pipeline.fallback}
    return {name: part.state() for name, part in parts.items()}


def same(a: Pipeline, b: Pipeline) -> bool:
    left, right = states(a), states(b)
    configs = [[part.config for part in (*p.sources.values(), p.fuser)] for p in (a, b)]
    return (
        configs[0] == configs[1]
        and left.keys() == right.keys()
        and all(
            left[part].keys() == right[part].keys()
            and all(array.tobytes() == right[part][name].tobytes() for name, array in left[part].items())
            for part in left
        )
    )


def with_items(data: Dataset, rows: np.ndarray, items: np.ndarray) -> Dataset:
    """The log with other items, and other review texts, in the given event rows."""
    numbers = data.event_items.copy()
    numbers[rows] = items
    events = data.events.set_column(data.events.column_names.index("item"), "item", pa.array(numbers))
    if "text" in events.column_names:
        texts = events["text"].to_pylist()
        for row in rows:
            texts[row] = "entirely different words leak leak"
        events = events.set_column(events.column_names.index("text"), "text", pa.array(texts))
    return replace(data, events=events)


def rows_of_test(data: Dataset, kind: str) -> np.ndarray:
    if kind == "temporal":
        return np.arange(round(0.9 * data.n_events), data.n_events)
    newest = {int(user): row for row, user in enumerate(data.event_users)}
    return np.array(sorted(newest.values()))


def reviewed(data: Dataset) -> Dataset:
    """Each event with a review that names its item and its buyer."""
    texts = [f"thing{item} by buyer{user % 7}" for user, item in zip(data.event_users, data.event_items, strict=True)]
    return replace(data, events=data.events.append_column("text", pa.array(texts)))


def cut(data: Dataset, kind: str) -> Split:
    return splits.temporal(data)[0] if kind == "temporal" else splits.leave_last(data)[0]


@pytest.mark.parametrize("kind", ["leave-last", "temporal"])
@pytest.mark.parametrize("refit", [True, False])
def test_altered_test_events_change_nothing_that_is_learned(shop_data: Dataset, kind: str, *, refit: bool) -> None:
    data = reviewed(shop_data)
    rows = rows_of_test(data, kind)
    altered = with_items(data, rows, np.random.default_rng(5).integers(0, data.n_items, len(rows)).astype(np.int32))
    before = learn(shop.small(), cut(data, kind), shop.run(), refit=refit)
    after = learn(shop.small(), cut(altered, kind), shop.run(), refit=refit)
    assert same(before.pipeline, after.pipeline)
    assert (before.tried, before.tuned, before.dropped) == (after.tried, after.tuned, after.dropped)
    queries = before.pipeline.data.queries()
    assert before.pipeline.data.events.equals(after.pipeline.data.events)
    lists = [learned.pipeline.recommend(queries, 10).items.tolist() for learned in (before, after)]
    assert lists[0] == lists[1]


def test_altered_training_events_do_change_what_is_learned(shop_data: Dataset) -> None:
    """The check above can fail."""
    altered = with_items(shop_data, np.arange(40), np.zeros(40, np.int32))
    learned = [learn(shop.small(), cut(data, "leave-last"), shop.run()) for data in (shop_data, altered)]
    assert not same(learned[0].pipeline, learned[1].pipeline)


def test_refit_adds_the_validation_events_and_nothing_else_changes(shop_data: Dataset) -> None:
    split = splits.leave_last(shop_data)[0]
    with_them = learn(shop.small(), split, shop.run(), keep_all=True)
    without = learn(shop.small(), split, shop.run(), refit=False, keep_all=True)
    assert with_them.tried == without.tried
    assert with_them.pipeline.fuser.config == without.pipeline.fuser.config
    assert with_them.pipeline.data.n_events == split.refit.n_events
    assert without.pipeline.data.n_events == split.train.n_events
    for learned, data in ((with_them, split.refit), (without, split.train)):
        sources = {**learned.pipeline.sources, **learned.alone}
        weights = np.bincount(data.event_items, weights=data.event_weights, minlength=data.n_items)
        np.testing.assert_allclose(sources["popular"].popularity, np.log1p(weights), rtol=1e-5)
        again = type(sources["knn"])(sources["knn"].config).fit(data, shop.run())
        np.testing.assert_array_equal(sources["knn"].weights.toarray(), again.weights.toarray())


def test_learning_twice_gives_the_same(shop_data: Dataset) -> None:
    split = splits.leave_last(shop_data)[0]
    assert same(learn(shop.small(), split, shop.run(3)).pipeline, learn(shop.small(), split, shop.run(3)).pipeline)


def test_cold_items_are_placed_by_content(learned: Learned) -> None:
    fuser = learned.pipeline.fuser
    assert isinstance(fuser, Weighted)
    cold = dict(zip(fuser.config.sources, fuser.weights[1], strict=True))
    assert max(cold, key=cold.__getitem__) == "content"


def test_dropped_sources_are_kept_apart_for_reports_only(shop_data: Dataset) -> None:
    split = splits.leave_last(shop_data)[0]
    bare, whole = (learn(shop.small(), split, shop.run(), keep_all=keep) for keep in (False, True))
    assert bare.alone == {}
    assert set(whole.alone) == set(shop.small().sources) - set(whole.pipeline.sources)
    assert set(whole.alone) == set(whole.dropped)
    assert set(bare.pipeline.sources) == set(bare.pipeline.fuser.config.sources)
    queries = split.tests["test"].queries
    assert bare.pipeline.recommend(queries, 5).items.tolist() == whole.pipeline.recommend(queries, 5).items.tolist()


def test_data_without_text_skips_what_reads_text_and_names_it(shop_data: Dataset) -> None:
    bare = replace(shop_data, items=shop_data.items.select(["item_id"]))
    learned = learn(shop.small(), splits.leave_last(bare)[0], shop.run())
    assert set(learned.skipped) == {"tfidf", "attributes", "content"}
    assert "tfidf" in learned.skipped["content"]
    assert learned.pipeline.encoders == {}
    assert learned.pipeline.recommend(learned.pipeline.data.queries(), 5).filled.all()


def test_data_without_order_skips_what_needs_it_and_names_it(shop_data: Dataset) -> None:
    data = shop.without_order(shop_data)
    learned = learn(shop.small(), splits.random_split(data, np.random.default_rng(0))[0], shop.run())
    assert set(learned.skipped) == {"trending"}
    assert "clock" in learned.skipped["trending"]
    assert learned.pipeline.recommend(learned.pipeline.data.queries(), 5).filled.all()


def test_no_source_that_applies_is_an_error_naming_each(shop_data: Dataset) -> None:
    spec = spec_of('[sources.trending]\nkind = "popular"\nhalf_life = 3.0', "t")
    split = splits.validation_only(shop.without_order(shop_data), np.random.default_rng(0))
    with pytest.raises(InputError, match=r"no source applies.*trending.*clock"):
        learn(spec, split, shop.run())


@pytest.mark.parametrize(
    ("users", "items"),
    [
        ([0] * 6, [0, 1, 2, 3, 4, 5]),
        ([0], [3]),
        (list(range(30)), list(range(30))),
        ([0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 2, 0]),
    ],
    ids=["one person", "one event", "one event each", "two events each"],
)
def test_where_nothing_can_be_held_back_all_sources_count_alike(
    shop_data: Dataset, users: list[int], items: list[int]
) -> None:
    data = shop.of_events(users, items, shop_data)
    run = shop.run()
    learned = learn(shop.small(), splits.validation_only(data, run.rng("validation")), run)
    fuser = learned.pipeline.fuser
    assert isinstance(fuser, Weighted)
    assert fuser.config.normalise == "z"
    np.testing.assert_allclose(fuser.weights, 1 / len(fuser.config.sources), rtol=1e-6)
    assert set(fuser.config.sources) | set(learned.skipped) >= set(shop.small().sources)
    assert "held-back" in learned.skipped["choosing"]
    assert learned.tried == []
    assert learned.pipeline.data.n_events == len(users)
    slate = learned.pipeline.recommend(learned.pipeline.queries(["u0", "nobody"]), 5)
    assert slate.filled.all()


@pytest.mark.parametrize("deeper", [False, True])
def test_a_log_of_one_person_is_learned_from(shop_data: Dataset, *, deeper: bool) -> None:
    """Many questions of one person make no two halves."""
    wide = shop.world(40, 60, 3, 8).data
    items = np.random.default_rng(0).permutation(150).tolist()
    split = splits.leave_last(shop.of_events([3] * 150, items, wide))[0]
    split = splits.deeper_validation(split, 100) if deeper else split
    assert (len(split.valid) >= FEWEST) == deeper
    learned = learn(shop.small(), split, shop.run())
    assert "people" in learned.skipped["choosing"]
    assert learned.pipeline.recommend(learned.pipeline.queries(["u3", "nobody"]), 5).filled.any(axis=1).all()


def test_where_an_encoder_cannot_learn_without_some_items_the_fusion_stays_as_it_is(
    shop_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = splits.leave_last(shop_data)[0]
    plain = learn(shop.small(), split, shop.run()).pipeline.fuser
    learned = Tfidf.learn

    def from_all_alone(self: Tfidf, data: Dataset, run: Run) -> Tfidf:
        if data.n_events < split.train.n_events:
            raise CannotFit("too few events")
        return learned(self, data, run)

    monkeypatch.setattr(Tfidf, "learns_from_events", True)
    monkeypatch.setattr(Tfidf, "learn", from_all_alone)
    found = learn(shop.small(), split, shop.run())
    assert found.skipped["tfidf, for weights of items without events"] == "too few events."
    assert found.pipeline.fuser.config.sources == plain.config.sources
    assert isinstance(found.pipeline.fuser, Weighted)
    np.testing.assert_array_equal(found.pipeline.fuser.weights[0], found.pipeline.fuser.weights[1])


def test_a_person_of_one_event_among_others_is_no_trouble(shop_data: Dataset) -> None:
    lonely = shop_data.with_events((shop_data.event_users != 7) | (np.arange(shop_data.n_events) % 8 == 0))
    learned = learn(shop.small(), splits.leave_last(lonely)[0], shop.run())
    assert "choosing" not in learned.skipped
