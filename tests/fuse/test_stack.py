"""The stack finds what a weighted sum cannot, keeps quiet where there is nothing, and trusts no stranger's trees."""

from dataclasses import replace

import numpy as np
import pytest
from lists import by_age

from accord.core.arrays import Ragged
from accord.core.columns import SCORE
from accord.core.errors import ArtefactError
from accord.core.queries import Queries
from accord.core.run import Run
from accord.core.slate import Slate
from accord.fuse.base import EVENTS, Fuser, Panel
from accord.fuse.features import OWN, VIEWS, feature_names, features, reciprocal_ranks
from accord.fuse.stack import ROUNDS, Stack, StackConfig, best_places, gains_by_source, reordered
from accord.fuse.trees import Trees, check
from accord.fuse.weighted import Weighted

RUN = Run(cache=None)
WIDTH, QUERIES = 20, 1_200
NAMES = ("left", "right")


def world(seed=0, *, signal=True, queries=QUERIES) -> Panel:
    """A true item is in the middle of both sources' scores: no weighted sum can say so."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(2, queries, WIDTH)).astype(np.float32)
    distance = (scores**2).sum(axis=0) if signal else rng.random((queries, WIDTH))
    events = rng.integers(1, 50, (queries, WIDTH)).astype(np.float32)
    events[:, :2] = 0
    distance[:, :2] = np.inf  # cold items are never true here
    items = np.argsort(rng.random((queries, 3 * WIDTH)), axis=1)[:, :WIDTH].astype(np.int32)
    true = items[np.arange(queries), distance.argmin(axis=1)]
    facts = {"eligible": np.full(queries, 3.0 * WIDTH), "history": rng.integers(1, 9, queries).astype(float)}
    for name, values in zip(NAMES, scores, strict=True):
        facts |= {f"{name}.mean": np.zeros(queries), f"{name}.spread": np.ones(queries)}
        facts |= {f"{name}.low": values.min(axis=1) - 1.0, f"{name}.high": values.max(axis=1) + 1.0}
    columns = dict(zip(NAMES, scores, strict=True)) | {EVENTS: events}
    return Panel(Slate(items, columns, facts), Ragged.of([[item] for item in true]), queries)


@pytest.fixture(scope="module")
def stack() -> Stack:
    return Stack(sources=NAMES, min_leaf=20).fit(world(), RUN)


@pytest.mark.parametrize("objective", ["lambdarank", "binary"])
def test_both_objectives_order_places(objective):
    stack = Stack(sources=NAMES, min_leaf=20, objective=objective, bags=1).fit(world(), RUN)
    assert stack.value(world(seed=1)) > stack.base.value(world(seed=1)) + 0.2


def test_an_interaction_is_found_that_a_weighted_sum_cannot_find(stack):
    fresh = world(seed=1)
    assert len(stack.trees) == stack.config.bags
    assert stack.trial[1] > 4 * stack.trial[2] > 0
    assert stack.value(fresh) > 2 * Weighted(sources=NAMES).fit(world(), RUN).value(fresh)
    assert stack.value(fresh) - stack.base.value(fresh) == pytest.approx(stack.trial[1], abs=0.05)
    assert stack.tried["kept"] and stack.tried["trees"] in ROUNDS


def test_boosters_are_tried_together_as_they_serve():
    """Trees as large as these know much by heart; what several of them have in common holds."""
    grown = StackConfig(sources=NAMES, min_leaf=2, leaves=64, lr=0.3)
    one, many = (Stack(grown.model_copy(update={"bags": bags})).fit(world(), RUN) for bags in (1, 8))
    assert many.trial[1] > one.trial[1] + 0.003


def test_where_there_is_nothing_to_find_the_base_stays():
    stack = Stack(sources=NAMES, min_leaf=20).fit(world(signal=False), RUN)
    assert stack.trees == ()
    fresh = world(seed=1, signal=False)
    assert stack.value(fresh) == pytest.approx(stack.base.value(fresh), abs=1e-12)
    assert gains_by_source(stack) == {}


def test_few_queries_teach_no_trees():
    stack = Stack(sources=NAMES).fit(world(queries=300), RUN)
    assert stack.trees == ()
    assert stack.tried == {"kind": "stack", "kept": False}


def test_trees_only_deal_out_the_scores_of_the_base(stack):
    slate = world(seed=1).slate
    queries = Queries.of([[]] * len(slate))
    before, after = stack.base(queries, slate).column(SCORE), stack(queries, slate).column(SCORE)
    np.testing.assert_array_equal(np.sort(before, axis=1), np.sort(after, axis=1))
    cold = slate.column(EVENTS) == 0
    np.testing.assert_array_equal(before[cold], after[cold])
    assert (before != after)[~cold].mean() > 0.5


def test_parts_sum_to_the_score(stack):
    slate = world(seed=1).slate
    score = stack(Queries.of([[]] * len(slate)), slate).column(SCORE)
    np.testing.assert_allclose(stack.contributions(slate).sum(axis=2), score, atol=1e-5)


def test_parts_of_some_places_are_those_of_all(stack):
    slate = world(seed=1, queries=30).slate
    places = np.argsort(np.random.default_rng(0).random(slate.items.shape), axis=1)[:, :5]
    wanted = np.take_along_axis(stack.contributions(slate), places[:, :, None], axis=1)
    np.testing.assert_array_equal(stack.contributions_at(slate, places), wanted)


def test_a_move_is_told_of_the_source_that_made_it():
    """The truth is in the middle of "left" alone: what the trees move is left's doing."""
    panel = world()
    panel.slate.columns["right"][:] = np.random.default_rng(9).normal(size=panel.slate.items.shape)
    scores = np.abs(panel.slate.column("left")) + 9 * (panel.slate.column(EVENTS) == 0)
    true = np.take_along_axis(panel.slate.items, scores.argmin(axis=1)[:, None], axis=1)
    panel = replace(panel, truth=Ragged.of(true.tolist()), memo={})
    stack = Stack(sources=NAMES, min_leaf=20).fit(panel, RUN)
    assert stack.trees
    moves = np.abs(stack.contributions(panel.slate) - stack.base.contributions(panel.slate)).sum(axis=(0, 1))
    assert moves[0] > 4 * moves[1]


def test_the_same_after_saving(stack):
    fresh = world(seed=2).slate
    loaded = Stack(stack.config).load_state(stack.state())
    np.testing.assert_array_equal(loaded.contributions(fresh), stack.contributions(fresh))
    assert loaded.tried == stack.tried


def test_scores_do_not_depend_on_the_batch(stack, monkeypatch):
    slate = world(seed=2, queries=40).slate
    whole = stack(Queries.of([[]] * 40), slate).column(SCORE)
    monkeypatch.setattr("accord.fuse.stack.PLACES", 60)
    np.testing.assert_array_equal(whole, stack(Queries.of([[]] * 40), slate).column(SCORE))


def test_over_keeps_a_learned_base_and_its_sources():
    base = Weighted(sources=("right",), normalise="minmax")
    stack = Stack.over(base, StackConfig(sources=NAMES))
    assert stack.base is base
    assert stack.config.base == {"kind": "weighted", "sources": ("right",), "normalise": "minmax", "k": 10}
    slate = world().slate
    np.testing.assert_allclose(stack.contributions(slate)[:, :, 0], 0)


def test_a_source_that_is_gone_says_nothing(stack):
    without = stack.with_sources(("right",))
    slate = world(seed=1).slate
    lacking = replace(slate, columns={name: values for name, values in slate.columns.items() if name != "left"})
    score = without(Queries.of([[]] * len(slate)), lacking).column(SCORE)
    np.testing.assert_allclose(without.contributions(lacking).sum(axis=2), score, atol=1e-5)
    assert without.value(world(seed=1)) < stack.value(world(seed=1)) - 0.1
    loaded = Stack(without.config).load_state(without.state())
    np.testing.assert_array_equal(loaded.contributions(lacking), without.contributions(lacking))


def test_the_best_warm_places_come_first():
    slate = Slate(np.array([[3, 1, 2, -1]], np.int32), {EVENTS: np.array([[5, 0, 5, np.nan]], np.float32)})
    places, there = best_places(slate, np.array([[1.0, 9.0, 2.0, 0.0]], np.float32), top=3)
    assert places[0, :2].tolist() == [2, 0]
    assert there.tolist() == [[True, True, False]]
    base = np.array([[1.0, 9.0, 2.0, 0.0]], np.float32)
    moved = reordered(base, places, np.array([[0.1, 0.2, -np.inf]]))
    assert moved.tolist() == [[2.0, 9.0, 1.0, 0.0]]


def test_features_are_free_of_scale_and_named():
    panel = world(queries=5)
    base = panel.slate.column("left")
    places = best_places(panel.slate, base, 10)[0]
    found = features(panel.slate, NAMES, NAMES, base, places)
    names = feature_names(NAMES)
    assert found.shape == (5, 10, len(names)) and len(names) == len(VIEWS) * 2 + len(OWN)
    doubled = replace(
        panel.slate,
        columns=panel.slate.columns | {"left": 3 * panel.slate.column("left") + 7},
        facts=panel.slate.facts
        | {"left.mean": 3 * panel.slate.facts["left.mean"] + 7, "left.spread": 3 * panel.slate.facts["left.spread"]}
        | {f"left.{end}": 3 * panel.slate.facts[f"left.{end}"] + 7 for end in ("low", "high")},
    )
    np.testing.assert_allclose(features(doubled, NAMES, NAMES, base, places), found, atol=1e-4)
    assert reciprocal_ranks(np.array([[2.0, np.nan, 5.0]], np.float32)).tolist() == [[0.5, 0.0, 1.0]]


def edited(stack: Stack, old: str, new: str) -> str:
    text = stack.trees[0].text
    first = text.index("Tree=0")
    line = next(line for line in text[first:].splitlines() if line.startswith(old))
    return text[:first] + text[first:].replace(line, new(line) if callable(new) else new, 1)


def worded(change):
    return lambda line: line.split("=")[0] + "=" + " ".join(change(line.split("=")[1].split()))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("split_feature", lambda words: ["99", *words[1:]]),
        ("split_feature", lambda words: ["-1", *words[1:]]),
        ("left_child", lambda words: ["77", *words[1:]]),
        ("left_child", lambda words: ["0", *words[1:]]),
        ("leaf_value", lambda words: words[1:]),
        ("threshold", lambda words: ["nan", *words[1:]]),
        ("num_leaves", lambda _: ["5000000"]),
        ("num_cat", lambda _: ["1"]),
        ("decision_type", lambda words: [*words, "2"]),
    ],
)
def test_damaged_trees_are_refused(stack, name, change):
    text = edited(stack, name, worded(change))
    assert text != stack.trees[0].text
    with pytest.raises(ArtefactError, match="damaged"):
        check(text, stack.n_features)


def test_cut_foreign_or_unsuitable_text_is_refused(stack):
    text = stack.trees[0].text
    for wrong in ("", text[:-1], text[: len(text) // 2], text + "x", text.replace("version", "vers\x00ion"), "tree\n"):
        with pytest.raises(ArtefactError):
            check(wrong, stack.n_features)
    with pytest.raises(ArtefactError, match="features"):
        Trees(text, stack.n_features + 1)
    with pytest.raises(ArtefactError, match="trial"):
        Stack(stack.config).load_state({name: array for name, array in stack.state().items() if name != "trial"})
    state = stack.state() | {"trees.0": np.frombuffer(b"import os", np.uint8)}
    with pytest.raises(ArtefactError, match="damaged"):
        Stack(stack.config).load_state(state)


def test_a_tree_with_a_loop_is_refused(stack):
    """Every node is the child of exactly one, and yet a part of them is a ring that the root does not reach."""
    text = edited(stack, "num_leaves", "num_leaves=4")
    for name, values in {"left_child": "-1 2 1", "right_child": "-2 -3 -4"}.items():
        line = next(line for line in text[text.index("Tree=0") :].splitlines() if line.startswith(name))
        text = text.replace(line, f"{name}={values}", 1)
    with pytest.raises(ArtefactError):
        check(text, stack.n_features)


def test_how_old_an_item_is_says_whom_to_believe():
    panel, judge = by_age(QUERIES), by_age(seed=1)
    stack = Stack(sources=("young", "old"), min_leaf=20, bags=1).fit(panel, RUN)
    assert stack.value(judge) > stack.base.value(judge) + 0.1
    assert gains_by_source(stack)["age"] > 0.1


class ByHeart(Fuser):
    """Knows the answers of every list that it has learned from; of others it says what the first source says."""

    flexible = True

    def with_sources(self, sources: tuple[str, ...]):
        other = ByHeart(self.config.model_copy(update={"sources": sources}))
        other.known = self.known
        return other

    def fit(self, panel: Panel, run: Run, *, draft: bool = False):
        self.known = {panel.slate.items[row].tobytes(): truth for row, truth in enumerate(panel.truth.values)}
        return self

    def contributions(self, slate: Slate) -> np.ndarray:
        parts = np.zeros((*slate.items.shape, len(self.config.sources)), np.float32)
        parts[:, :, 0] = slate.column(self.config.sources[0])
        for row, items in enumerate(slate.items):
            parts[row, items == self.known.get(items.tobytes(), -9), 0] += 99.0
        return parts


def test_a_base_that_knows_the_answers_is_judged_and_learned_from_by_what_it_says_of_others():
    stack = Stack(sources=NAMES, min_leaf=20, bags=1)
    stack.base = ByHeart(sources=NAMES).fit(world(), RUN)
    assert stack.base.value(world()) == pytest.approx(1.0)
    stack.fit_trees(world(), RUN)
    assert stack.trial[0] < 0.5  # of lists that it has not seen
    assert stack.trees and stack.value(world(seed=1)) > stack.base.value(world(seed=1)) + 0.2


def test_items_without_events_keep_the_scores_of_the_base_that_is_served():
    panel = world()
    panel = Panel(panel.slate, Ragged.of([[row[0]] for row in panel.slate.items]), len(panel))  # they alone came up
    stack = Stack(sources=NAMES, min_leaf=20, bags=1)
    stack.base = ByHeart(sources=NAMES).fit(panel, RUN)
    scores = stack._honest_scores(panel, np.arange(len(panel)) % 3, RUN)
    assert np.array_equal(scores, stack.base.contributions(panel.slate).sum(axis=2))


def test_a_base_is_judged_over_the_sources_that_it_learned_from():
    """Sources of items without events alone have no part in what the folds teach."""
    pytest.importorskip("torch")
    panel = world()
    panel = replace(panel, slate=panel.slate.with_column("fresh", panel.slate.column("left")))
    gate = {"kind": "gate", "epochs": 2}
    stack = Stack(sources=NAMES, min_leaf=20, bags=1, base=gate).fit(world(), RUN).with_sources((*NAMES, "fresh"))
    assert stack.base.warm == NAMES
    folds = panel.parts(3, np.random.default_rng(0))
    plain = Stack(sources=NAMES, min_leaf=20, bags=1, base=gate).fit(world(), RUN)
    wanted = plain._honest_scores(panel, folds, RUN)
    np.testing.assert_allclose(stack._honest_scores(panel, folds, RUN), wanted, atol=1e-5)
