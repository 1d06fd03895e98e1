"""What every source must keep. Inherit in three lines::

class TestMine(SourceContract):
    name = "mine"
    places_cold = True
"""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from accord.core import alone, catalog
from accord.core.arrays import Floats, Ints, Matrix, Ragged
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit, InputError
from accord.core.queries import Queries
from accord.core.roles import Explains, Grows, Recommender, Updates
from accord.core.run import Run
from accord.core.scored import Scored
from accord.core.slate import EMPTY
from accord.core.state import load_state, save_state
from accord.testing.planted import GROUPS, Planted, checkerboard, with_arrivals

RUN = Run(cache=None)


class SourceContract:
    """Tests of one registered source; see the module for how to inherit them."""

    name: ClassVar[str]
    """The registered name."""
    settings: ClassVar[dict[str, Any]] = {}
    """Configuration to test, where the default does not suit a catalogue of 48 items."""
    brief: ClassVar[dict[str, Any]] = {}
    """What makes a fit short where it only matters that it goes through: one epoch of a network."""
    late: ClassVar[dict[str, Any]] = {"tau": 2.0, "last": 3}
    """Another value for every configuration field that the source reads when scoring only."""
    personal: ClassVar[bool] = True
    """Whether people with different histories get different lists."""
    places_cold: ClassVar[bool] = False
    """Whether the source knows where an item without events belongs."""
    exact: ClassVar[bool] = True
    """Whether the numbering of users and items changes nothing; a source that draws a number for each sets False."""
    tolerance: ClassVar[float] = 1e-5
    """How far two scores that should be the same may differ, beside the largest of the source."""
    grown_tolerance: ClassVar[float] = 1e-5
    """The same for a source that has grown, beside one that was fitted with the new items: statistics that content
    of new items would change (a mean, weights between items with events) stay as they were."""
    updated_tolerance: ClassVar[float] = 1e-5
    """The same for a source that was updated, beside one that was fitted with the new events."""

    @classmethod
    def make(cls, **settings: Any) -> Recommender:
        """A new source, not fitted; ``settings`` go before those of the class."""
        return catalog.find("sources", cls.name)(**{**cls.settings, **settings})

    @staticmethod
    def plant() -> Planted:
        """Make the world that the source is fitted on: users of a group touch only items of that group."""
        return checkerboard()

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls) -> Planted:
        """The planted world."""
        return cls.plant()

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, world: Planted) -> Recommender:
        """One source fitted on it."""
        return cls.make().fit(world.data, RUN)

    @pytest.fixture(scope="class")
    @classmethod
    def again(cls) -> tuple[Dataset, Recommender]:
        """Another such source, and its own copy of the data."""
        data = cls.plant().data
        return data, cls.make().fit(data, RUN)

    def same(self, one: Floats, other: Floats) -> None:
        """Assert that scores agree, and that opinions are missing in the same cells."""
        scale = max(1e-3, float(np.nanmax(np.abs(other), initial=0.0)))
        np.testing.assert_allclose(one, other, rtol=0, atol=self.tolerance * scale)

    def test_offers(self, fitted: Recommender, world: Planted) -> None:
        """Offered items are eligible and distinct, best first, and short lists are padded at the end."""
        asked = questions(world)
        for some in (asked, replace(asked, candidates=world.cold), replace(asked, include_seen=True)):
            slate = fitted.offer(some, fitted.n_items + 3)
            allowed = np.zeros((len(some), fitted.n_items))
            some.eligible(fitted.n_items).fill(allowed, -1.0)
            for row, (items, scores) in enumerate(zip(slate.items, slate.column("score"), strict=True)):
                n = int((items != EMPTY).sum())
                assert (items[:n] != EMPTY).all()
                assert len(set(items[:n].tolist())) == n
                assert not allowed[row, items[:n]].any()
                assert (np.diff(scores[:n]) <= 0).all()
                assert np.isnan(scores[n:]).all()
                assert n in (0, (allowed[row] == 0).sum())

    def test_score_agrees_with_offer(self, fitted: Recommender, world: Planted) -> None:
        """Asked for the score of an offered item, the source says the same again."""
        asked = questions(world)
        slate = fitted.offer(asked, 7)
        self.same(fitted.score(asked, slate.items), slate.column("score"))

    def test_any_history(self, fitted: Recommender, world: Planted) -> None:
        """None, one, or hundreds of events: every score is a finite number."""
        for some in (questions(world), Queries.of([[]]), Queries.of([])):
            scores = fitted.scored(replace(some, include_seen=True, exclude=None)).scores
            assert scores.shape == (len(some), world.data.n_items)
            assert scores.dtype == np.float32
            assert np.isfinite(scores).all()

    def test_deterministic(self, fitted: Recommender, again: tuple[Dataset, Recommender], world: Planted) -> None:
        """A second fit with the same seed gives the same scores."""
        self.same(scores_of(again[1], world), scores_of(fitted, world))

    def test_saved_and_loaded(self, fitted: Recommender, world: Planted, tmp_path: Path) -> None:
        """Configuration and arrays are all there is: they give exactly the same scores."""
        save_state(tmp_path / "part.safetensors", fitted.state())
        loaded = type(fitted)(**fitted.config.model_dump(mode="python"))
        loaded.load_state(load_state(tmp_path / "part.safetensors"))
        np.testing.assert_array_equal(scores_of(loaded, world), scores_of(fitted, world))

    def test_batches(self, fitted: Recommender, world: Planted) -> None:
        """A list does not depend on who else asks, nor on the order in which they ask."""
        asked, whole = questions(world), scores_of(fitted, world)
        order = np.random.default_rng(1).permutation(len(asked))
        self.same(every_score(fitted, asked.take(order)), whole[order])
        for row in range(0, len(asked), 7):
            self.same(every_score(fitted, asked.take(np.array([row]))), whole[[row]])

    def test_alone(self, fitted: Recommender, world: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody who asks alone in a large catalogue is told what is told in a batch, at every depth."""
        asked = questions(world)
        shown = np.arange(fitted.n_items) % 7 != 3
        for some in (asked, replace(asked, open=shown), replace(asked, include_seen=True, exclude=None)):
            whole = fitted.scored(some)
            with monkeypatch.context() as patch:
                patch.setattr(alone, "LEAST", 1)
                patch.setattr("accord.models.linear.FEW", 1)
                for row in range(0, len(some), 5):
                    self.as_in_the_batch(fitted.scored(some.take(np.array([row]))), whole, row)

    def as_in_the_batch(self, one: Scored, whole: Scored, row: int) -> None:
        """Assert that one query's facts, scores and lists are those of a row of a batch."""
        every = np.arange(whole.scores.shape[1], dtype=np.int32)[None]
        shown = np.isfinite(whole.scores[row])
        np.testing.assert_array_equal(np.isfinite(one.scores[0]), shown)
        self.same(one.scores[:, shown], whole.scores[[row]][:, shown])
        scale = max(1e-3, float(np.abs(whole.scores[row][shown]).max(initial=0.0)))
        for name, values in one.facts.items():
            assert values[0] == pytest.approx(whole.facts[name][row], rel=1e-4, abs=1e-5 * scale), name
        silent = whole.facts["spread"][row] == 0
        np.testing.assert_array_equal(np.isnan(one.at(every)), np.isneginf(whole.scores[[row]]) | silent)
        for m in (1, 4, every.shape[1]):
            self.same(one.offer(m).column("score"), whole.offer(m).column("score")[[row]])
            items = one.offer(m).items
            self.same(one.at(items), one.offer(m).column("score"))
            assert len(set(items[items != EMPTY].tolist())) == int((items != EMPTY).sum())

    def test_scores_are_fresh(self, fitted: Recommender, world: Planted) -> None:
        """What must not be shown is hidden in the scores' own array, so it must not be the source's."""
        asked = questions(world)
        scores = fitted._scores(asked)
        before = scores.copy()
        scores[:] = 7
        np.testing.assert_array_equal(fitted._scores(asked), before)

    def test_order_of_users_does_not_matter(self, fitted: Recommender, world: Planted) -> None:
        """Users under other numbers leave the scores as they are."""
        if not self.exact:
            pytest.skip("draws a number for each user or item")
        events = world.data.events
        new = np.random.default_rng(2).permutation(world.data.n_users).astype(np.int32)
        moved = events.set_column(events.column_names.index("user"), "user", pa.array(new[world.data.event_users]))
        users = world.data.users.take(np.argsort(new).tolist())
        source = self.make().fit(replace(world.data, events=moved, users=users), RUN)
        self.same(scores_of(source, world), scores_of(fitted, world))

    def test_numbers_of_items_are_no_signal(self, fitted: Recommender, world: Planted) -> None:
        """Items under other numbers get the scores they had."""
        if not self.exact:
            pytest.skip("draws a number for each user or item")
        new = np.random.default_rng(3).permutation(world.data.n_items).astype(np.int32)
        source = self.make().fit(world.renumbered(new).data, RUN)
        again = every_score(source, renumbered(questions(world), new))
        self.same(again[:, new], scores_of(fitted, world))

    def test_data_stays_as_it_was(self, again: tuple[Dataset, Recommender]) -> None:
        """Fitting changes neither the tables nor the encoded columns nor the matrix."""
        data, source = again
        untouched = self.plant().data
        source.offer(data.queries(), 5)
        assert replace(data).fingerprint == untouched.fingerprint
        np.testing.assert_array_equal(data.matrix.toarray(), untouched.matrix.toarray())
        for name, vectors in untouched.vectors.items():
            np.testing.assert_array_equal(dense(data.vectors[name]), dense(vectors))

    def test_parts_sum_to_the_score(self, fitted: Recommender, world: Planted) -> None:
        """What each event of the history adds makes up the score."""
        if not isinstance(fitted, Explains):
            pytest.skip("not a sum over the history")
        asked = questions(world)
        slate = fitted.offer(asked, 6)
        parts = fitted.parts(asked, slate.items)
        assert parts.shape == (*slate.items.shape, asked.history.lengths.max())
        past_the_end = np.arange(parts.shape[2]) >= asked.history.lengths[:, None]
        assert not parts.transpose(0, 2, 1)[past_the_end].any()
        self.same(np.where(slate.filled, parts.sum(axis=2), np.nan), slate.column("score"))

    def test_what_is_read_late(self, fitted: Recommender, world: Planted) -> None:
        """A value that is read when scoring only gives the same with the old arrays as with a new fit."""
        assert fitted.read_late <= set(self.late), "give every field of read_late another value in `late`"
        for field in sorted(fitted.read_late):
            source = self.make(**{field: self.late[field]})
            again = self.make(**{field: self.late[field]}).fit(world.data, RUN)
            self.same(scores_of(source.load_state(fitted.state()), world), scores_of(again, world))

    @pytest.fixture(scope="class")
    @classmethod
    def later(cls, world: Planted) -> Planted:
        """The world with eight more items, which nobody has touched."""
        return with_arrivals(world, 8)

    def test_grown_is_as_if_fitted(self, fitted: Recommender, later: Planted) -> None:
        """A source that has grown says of all items what a fit on the larger catalogue would say."""
        assert isinstance(fitted, Grows)
        grown, again = fitted.grow(later.data), self.make().fit(later.data, RUN)
        assert grown.n_items == later.data.n_items
        ours, theirs = scores_of(grown, later), scores_of(again, later)
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
        scale = max(1e-3, float(np.nanmax(np.abs(theirs), initial=0.0)))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=self.grown_tolerance * scale)

    def test_growing_in_steps(self, fitted: Recommender, world: Planted, later: Planted) -> None:
        """Five items and then three, or one and then none, are the same as all eight at once."""
        whole, grown = fitted.grow(later.data), fitted
        for n in (5, 6, 6, 8):
            grown = grown.grow(first_items(later.data, world.data.n_items + n))
        self.same(scores_of(grown, later), scores_of(whole, later))

    def test_growing_changes_nothing_else(self, fitted: Recommender, world: Planted, later: Planted) -> None:
        """The source that has grown shares its large arrays with the one before, which answers as it did."""
        before, state = scores_of(fitted, world), fitted.state()
        grown = fitted.grow(later.data)
        np.testing.assert_array_equal(scores_of(fitted, world), before)
        for name, array in grown.state().items():
            if array.ndim == 2 and name in state and array.shape == state[name].shape and array.size:
                assert np.shares_memory(array, state[name]), name
        with pytest.raises(InputError, match="only grows"):
            grown.grow(world.data)

    def test_grown_saved_and_loaded(self, fitted: Recommender, later: Planted, tmp_path: Path) -> None:
        """What a source knows of items that came later is saved with it."""
        grown = fitted.grow(later.data)
        save_state(tmp_path / "part.safetensors", grown.state())
        loaded = type(grown)(**grown.config.model_dump(mode="python"))
        loaded.load_state(load_state(tmp_path / "part.safetensors"))
        np.testing.assert_array_equal(scores_of(loaded, later), scores_of(grown, later))

    def test_grown_items_in_their_group(self, fitted: Recommender, later: Planted) -> None:
        """Items that came after the fit are placed as well as those that nobody has touched."""
        if not self.places_cold:
            pytest.skip("learns from events alone")
        slate = fitted.grow(later.data).offer(later.data.queries(candidates=later.cold), 1)
        there = np.isin(later.user_groups, later.item_groups[later.cold])
        right = later.item_groups[slate.items[there, 0]] == later.user_groups[there]
        assert right.mean() > 0.8 > 3 / GROUPS

    def test_updated_is_as_if_fitted(self, fitted: Recommender, later: Planted) -> None:
        """A source that updates says after new events what a fit on all of them would say."""
        if not isinstance(fitted, Updates):
            pytest.skip("waits for the next fit")
        data, old = later.data, np.arange(later.data.n_events) < later.data.n_events - 12
        source = self.make().fit(data.with_events(old), RUN)
        assert isinstance(source, Updates)
        before = scores_of(source, later)
        updated, again = source.update(data, 12), self.make().fit(data, RUN)
        ours, theirs = scores_of(updated, later), scores_of(again, later)
        scale = max(1e-3, float(np.nanmax(np.abs(theirs), initial=0.0)))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=self.updated_tolerance * scale)
        np.testing.assert_array_equal(scores_of(source, later), before)

    @pytest.mark.parametrize("lack", ["clock", "order", "vectors", "events"])
    def test_lacking_data(self, world: Planted, lack: str) -> None:
        """Without what it needs a source says so; otherwise it answers all the same."""
        source, data = self.make(**self.brief), without(world.data, lack)
        needed = (source.needs_clock and lack in ("clock", "order")) or (source.needs_order and lack == "order")
        try:
            source.fit(data, RUN)
        except CannotFit as reason:
            assert str(reason)
        else:
            assert not needed
            assert np.isfinite(source.scored(replace(data.queries(), include_seen=True)).scores).all()

    def test_negative_weights(self, world: Planted) -> None:
        """Events that speak against an item (ratings below the user's mean) break nothing."""
        events = world.data.events
        weights = world.data.event_weights - 1.5
        place = events.column_names.index("weight")
        data = replace(world.data, events=events.set_column(place, "weight", pa.array(weights)))
        source = self.make(**self.brief).fit(data, RUN)
        assert np.isfinite(source.scored(replace(data.queries(), include_seen=True)).scores).all()

    def test_configuration_is_checked(self) -> None:
        """A key that is not known is an error that names the source and the key."""
        with pytest.raises(InputError, match=r"no_such_key.*Known keys"):
            self.make(no_such_key=1)

    def test_own_group_first(self, fitted: Recommender, world: Planted) -> None:
        """Everybody is offered items of the own group before all others."""
        if not self.personal:
            pytest.skip("the same for everybody")
        slate = fitted.offer(world.data.queries(), 3)
        assert slate.filled.all()
        assert (world.item_groups[slate.items] == world.user_groups[:, None]).all()

    def test_cold_items_in_their_group(self, fitted: Recommender, world: Planted) -> None:
        """Among items that nobody has touched, those of the own group come first, far more often than by chance."""
        if not self.places_cold:
            pytest.skip("learns from events alone")
        slate = fitted.offer(world.data.queries(candidates=world.cold), 1)
        assert slate.filled.all()
        right = (world.item_groups[slate.items[:, 0]] == world.user_groups).mean()
        assert right > 0.8 > 3 / GROUPS


def questions(world: Planted) -> Queries:
    """Every user, and people nobody has met: without, with one, and with hundreds of events; some items excluded."""
    rng = np.random.default_rng(4)
    known = world.data.queries()
    rows = [known.history.ragged[row].tolist() for row in range(0, len(known), 3)]
    rows += [[], [int(world.cold[0])], rng.integers(0, world.data.n_items, 300).tolist()]
    banned = Ragged.of([rng.permutation(world.data.n_items)[: n % 4].tolist() for n in range(len(rows))])
    return Queries.of(rows, exclude=banned)


def first_items(data: Dataset, n: int) -> Dataset:
    """The data with only its first items, which all events are about."""
    vectors = {name: cast("Matrix", rows[:n]) for name, rows in data.vectors.items()}
    return replace(data, items=data.items.slice(0, n), vectors=vectors)


def renumbered(queries: Queries, new: Ints) -> Queries:
    """The same questions where item ``i`` has the number ``new[i]``."""
    assert queries.exclude is not None
    history = replace(queries.history, items=new[queries.history.items])
    return replace(queries, history=history, exclude=replace(queries.exclude, values=new[queries.exclude.values]))


def every_score(source: Recommender, queries: Queries) -> Floats:
    """``float32[B, n_items]``: scores of all items, NaN for those that may not be shown."""
    items = np.tile(np.arange(source.n_items, dtype=np.int32), (len(queries), 1))
    return source.score(queries, items)


def scores_of(source: Recommender, world: Planted) -> Floats:
    """All scores for the contract's questions."""
    return every_score(source, questions(world))


def without(data: Dataset, lack: str) -> Dataset:
    """The data without clock times, without any order, without encoded columns, or without events."""
    if lack == "vectors":
        return replace(data, vectors={})
    if lack == "events":
        return data.with_events(np.zeros(data.n_events, dtype=bool))
    events = data.events.drop_columns(["timestamp"])
    return replace(data, events=events, order="row" if lack == "clock" else "none")


def dense(vectors: Any) -> Floats:
    """Vectors as a dense array."""
    return vectors.toarray() if isinstance(vectors, csr_array) else vectors
