"""What every fuser must keep. Inherit in three lines::

class TestMine(FuserContract):
    name = "mine"
    learns = True
"""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from accord.core import catalog
from accord.core.arrays import Floats
from accord.core.columns import SCORE
from accord.core.errors import CannotFit, InputError
from accord.core.queries import Queries
from accord.core.run import Run
from accord.core.slate import EMPTY, Slate
from accord.core.state import load_state, save_state
from accord.fuse.base import Fuser, Panel
from accord.pipeline.shapley import attributed, shapley
from accord.testing import planted

RUN = Run(cache=None)
SOURCES = (*planted.SIGNAL, "silent")


class FuserContract:
    """Tests of one registered fuser; see the module for how to inherit them."""

    name: ClassVar[str]
    """The registered name."""
    settings: ClassVar[dict[str, Any]] = {}
    """Configuration to test beside the sources."""
    learns: ClassVar[bool] = False
    """Whether fitting is expected to find out which source is worth listening to."""
    tolerance: ClassVar[float] = 1e-4
    """How far two scores that should be the same may differ."""

    @classmethod
    def make(cls, **settings: Any) -> Fuser:
        """A new fuser, not fitted; ``settings`` go before those of the class."""
        return catalog.find("fusers", cls.name)(**{"sources": SOURCES, **cls.settings, **settings})

    @pytest.fixture(scope="class")
    @classmethod
    def panel(cls) -> Panel:
        """Held-back queries with a strong, a weak, a useless and a silent source."""
        return planted.panel()

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, panel: Panel) -> Fuser:
        """One fuser fitted on them."""
        return cls.make().fit(panel, RUN)

    @pytest.fixture(scope="class")
    @classmethod
    def fresh(cls) -> Slate:
        """Lists that the fuser has not seen."""
        return planted.panel(queries=40, seed=1).slate

    def same(self, one: Floats, other: Floats) -> None:
        """Assert that two columns of scores agree."""
        np.testing.assert_allclose(one, other, atol=self.tolerance)

    def test_a_score_for_every_item(self, fitted: Fuser, fresh: Slate) -> None:
        """Finite where there is an item, NaN where there is none; everything else stays."""
        fused = run(fitted, fresh)
        assert fused.column(SCORE).dtype == np.float32
        np.testing.assert_array_equal(np.isfinite(fused.column(SCORE)), fresh.filled)
        np.testing.assert_array_equal(fused.items, fresh.items)
        assert fused.columns.keys() == {*fresh.columns, SCORE}

    def test_contributions_sum_to_the_score(self, fitted: Fuser, fresh: Slate) -> None:
        """What the sources add makes up the score."""
        parts = fitted.contributions(fresh)
        assert parts.shape == (*fresh.items.shape, len(SOURCES))
        self.same(parts.sum(axis=2)[fresh.filled], run(fitted, fresh).column(SCORE)[fresh.filled])

    def test_reasons_add_up_to_the_score(self, fitted: Fuser, fresh: Slate) -> None:
        """The parts that reasons are made of, the fuser's own or Shapley values, make up the score."""
        few = fresh.rows(np.arange(3))
        places = np.argsort(~few.filled, axis=1, kind="stable")[:, :4]
        scores = np.take_along_axis(run(fitted, few).column(SCORE), places, axis=1)
        for row, parts in enumerate(attributed(fitted, Queries.of([[]] * 3), few, places)):
            assert parts.values.shape == (4, len(parts.names))
            assert {*SOURCES} <= {*parts.names}
            self.same(parts.values.sum(axis=1), scores[row])
        some = np.take_along_axis(fitted.contributions(few), places[:, :, None], axis=1)
        self.same(fitted.contributions_at(few, places), some)

    def test_parts_that_stand_alone(self, fitted: Fuser, fresh: Slate) -> None:
        """A fuser that says that its parts do not depend on other sources must agree with their Shapley values."""
        if not fitted.tells_parts:
            pytest.skip("its reasons are Shapley values")
        one, places = fresh.rows(np.arange(1)), np.argsort(~fresh.filled[0], kind="stable")[:4]
        exact = shapley(fitted, Queries.of([[]]), one, places)
        base = exact.values[:, -1:] / len(SOURCES)  # what belongs to no source is spread evenly
        self.same(fitted.contributions(one)[0, places], (exact.values[:, :-1] + base).astype(np.float32))

    def test_lists_do_not_depend_on_each_other(self, fitted: Fuser, fresh: Slate) -> None:
        """A query alone gets what it gets among others, in whatever order."""
        whole = run(fitted, fresh).column(SCORE)
        order = np.random.default_rng(0).permutation(len(fresh))
        self.same(run(fitted, fresh.rows(order)).column(SCORE), whole[order])
        for row in range(0, len(fresh), 7):
            self.same(run(fitted, fresh.rows(np.array([row]))).column(SCORE), whole[[row]])

    def test_places_and_numbers_are_no_signal(self, fitted: Fuser, fresh: Slate) -> None:
        """Items in other places and under other numbers keep their scores."""
        order = np.argsort(np.random.default_rng(1).random(fresh.items.shape), axis=1)
        moved = fresh.take(order)
        renamed = replace(moved, items=np.where(moved.filled, 7 * moved.items + 3, EMPTY).astype(np.int32))
        wanted = np.take_along_axis(run(fitted, fresh).column(SCORE), order, axis=1)
        self.same(run(fitted, renamed).column(SCORE), wanted)

    def test_units_do_not_matter(self, fitted: Fuser, fresh: Slate) -> None:
        """A source that counts in other units, from another zero, is worth what it was worth."""
        facts = dict(fresh.facts)
        for fact in ("mean", "low", "high"):
            facts[f"strong.{fact}"] = 8 * facts[f"strong.{fact}"] - 5
        facts["strong.spread"] = 8 * facts["strong.spread"]
        other = replace(fresh, facts=facts).with_column("strong", 8 * fresh.column("strong") - 5)
        self.same(run(fitted, other).column(SCORE), run(fitted, fresh).column(SCORE))

    def test_no_opinions(self, fitted: Fuser, fresh: Slate) -> None:
        """Where nobody has an opinion there are still finite scores, and all the same."""
        none = fresh
        for source in SOURCES:
            none = none.with_column(source, np.full(fresh.items.shape, np.nan, np.float32))
        none = none.with_column("events", np.where(fresh.filled, 1, np.nan).astype(np.float32))
        for row, scores in zip(none.filled, run(fitted, none).column(SCORE), strict=True):
            assert len(set(scores[row].tolist())) == 1

    @pytest.mark.parametrize("shape", [(0, 5), (3, 0)])
    def test_empty_slates(self, fitted: Fuser, fresh: Slate, shape: tuple[int, int]) -> None:
        """No query, or no place."""
        empty = fresh.rows(np.arange(shape[0])).head(shape[1])
        assert run(fitted, empty).column(SCORE).shape == shape

    def test_saved_and_loaded(self, fitted: Fuser, fresh: Slate, tmp_path: Path) -> None:
        """Configuration and arrays are all there is: they give exactly the same scores."""
        save_state(tmp_path / "part.safetensors", fitted.state())
        loaded = type(fitted)(**fitted.config.model_dump(mode="python"))
        loaded.load_state(load_state(tmp_path / "part.safetensors"))
        np.testing.assert_array_equal(run(loaded, fresh).column(SCORE), run(fitted, fresh).column(SCORE))

    def test_deterministic(self, fitted: Fuser, panel: Panel, fresh: Slate) -> None:
        """A second fit with the same seed gives the same scores."""
        again = self.make().fit(panel, RUN)
        self.same(run(again, fresh).column(SCORE), run(fitted, fresh).column(SCORE))

    def test_panel_stays_as_it_was(self) -> None:
        """Fitting and fusing change no array of the panel."""
        panel, untouched = planted.panel(queries=30), planted.panel(queries=30)
        run(self.make().fit(panel, RUN), panel.slate)
        np.testing.assert_array_equal(panel.slate.items, untouched.slate.items)
        for name, values in untouched.slate.columns.items():
            np.testing.assert_array_equal(panel.slate.column(name), values)

    def test_nothing_to_learn_from(self, panel: Panel, fresh: Slate) -> None:
        """A panel without queries leaves a fuser that works."""
        empty = Panel(panel.slate.rows(np.arange(0)), panel.truth.take(np.arange(0)), 0)
        scores = run(self.make().fit(empty, RUN), fresh).column(SCORE)
        assert np.isfinite(scores[fresh.filled]).all()

    def test_one_source(self, fresh: Slate) -> None:
        """A single source keeps its own order."""
        fused = run(self.make(sources=("strong",)), fresh.with_column("events", np.ones(fresh.items.shape, np.float32)))
        for row in range(len(fresh)):
            known = ~np.isnan(fresh.column("strong")[row])
            wanted = np.argsort(-fresh.column("strong")[row][known])
            np.testing.assert_array_equal(np.argsort(-fused.column(SCORE)[row][known], kind="stable"), wanted)

    def test_over_other_sources(self, fitted: Fuser, fresh: Slate) -> None:
        """In another order its own sources make the same scores; one may be left out, or the fuser says it cannot."""
        try:
            turned = fitted.with_sources(SOURCES[::-1])
        except CannotFit:
            return
        self.same(run(turned, fresh).column(SCORE), run(fitted, fresh).column(SCORE))
        parts = fitted.with_sources(SOURCES[1:]).contributions(fresh)
        assert parts.shape == (*fresh.items.shape, len(SOURCES) - 1)
        assert np.isfinite(parts[fresh.filled]).all()

    def test_what_is_missing_is_named(self, fitted: Fuser, fresh: Slate) -> None:
        """A slate without the column of a source, a configuration without sources or with an unknown key."""
        columns = {name: values for name, values in fresh.columns.items() if name != "weak"}
        facts = {name: values for name, values in fresh.facts.items() if not name.startswith("weak.")}
        with pytest.raises(InputError, match="weak"):
            run(fitted, replace(fresh, columns=columns, facts=facts))
        with pytest.raises(InputError, match="sources"):
            self.make(sources=())
        with pytest.raises(InputError, match=r"no_such_key.*Known keys"):
            self.make(no_such_key=1)

    def test_better_than_the_useless_source(self, fitted: Fuser) -> None:
        """On new queries the fused list beats noise; what is learned beats the best source and what was not learned."""
        judge = planted.panel(queries=400, seed=2)
        fused = judge.ndcg(run(fitted, judge.slate).column(SCORE))
        assert fused > judge.ndcg(judge.slate.column("noise")) + 0.1
        if self.learns:
            assert fused > judge.ndcg(judge.slate.column("strong"))
            assert fused > judge.ndcg(run(self.make(), judge.slate).column(SCORE)) + 0.02


def run(fuser: Fuser, slate: Slate) -> Slate:
    """The slate with the fuser's score; who asks does not matter."""
    return fuser(Queries.of([[]] * len(slate)), slate)
