"""A contract is worth what it refuses: parts with one fault each, and the law that must catch it."""

import numpy as np
import pytest

from accord.core.slate import Slate
from accord.fuse.weighted import Weighted
from accord.models.content import Content
from accord.models.ease import Ease
from accord.models.item_knn import ItemKNN
from accord.models.placed import Placed
from accord.models.popular import Popular
from accord.testing.fusers import SOURCES as SOURCES_OF_PANELS
from accord.testing.fusers import FuserContract
from accord.testing.planted import checkerboard, panel, with_arrivals
from accord.testing.sources import RUN, SourceContract


class NumberIsASignal(ItemKNN):
    def _scores(self, queries):
        return super()._scores(queries) - 1e-2 * np.arange(self.n_items, dtype=np.float32)


class Forgets(ItemKNN):
    learned = ()

    def _scores(self, queries):
        if not hasattr(self, "weights"):
            return np.zeros((len(queries), self.n_items), np.float32)
        return super()._scores(queries)


class LooksAround(ItemKNN):
    def _scores(self, queries):
        scores = super()._scores(queries)
        return scores - scores.mean(axis=0)


class HandsOutItsOwn(Popular):
    def _scores(self, queries):
        self.table = getattr(self, "table", np.tile(self.popularity, (200, 1)))
        return self.table[: len(queries)]


class ReadsEarly(ItemKNN):
    def _fit(self, data, run):
        super()._fit(data, run)
        self.weights = self.weights * np.float32(1 / self.config.tau)


class WrongParts(ItemKNN):
    def parts(self, queries, items):
        return super().parts(queries, items) * 1.1


class BreaksWithoutAClock(ItemKNN):
    def _fit(self, data, run):
        if np.isnan(data.event_times).any():
            raise ZeroDivisionError
        super()._fit(data, run)


class Spoils(ItemKNN):
    def _fit(self, data, run):
        data.matrix.data[:] = 1
        super()._fit(data, run)


class Undefined(ItemKNN):
    def _scores(self, queries):
        scores = super()._scores(queries)
        scores[queries.history.lengths == 0] = np.nan
        return scores


class GreetsNewItems(Popular):
    def _grow(self, data, added, edited):
        self.popularity = np.append(self.popularity, np.full(len(added), 9, np.float32))


class CountsSteps(Popular):
    def _grow(self, data, added, edited):
        self.popularity = np.append(self.popularity, np.full(len(added), len(added) / 10, np.float32))


class Copies(Ease):
    def _grow(self, data, added, edited):
        super()._grow(data, added, edited)
        self.weights = self.weights.copy()


class ForgetsNewItems(Content):
    def state(self):
        return {name: array for name, array in super().state().items() if not name.startswith("placed")}

    def load_state(self, arrays):
        super().load_state(arrays)
        self.placed = Placed.nothing(self.weights.shape[0]).with_room(self.n_items)
        return self


class LearnsNothingNew(Popular):
    def update(self, data, fresh):
        return self


SOURCES = {
    "test_grown_is_as_if_fitted": GreetsNewItems,
    "test_growing_in_steps": CountsSteps,
    "test_growing_changes_nothing_else": Copies,
    "test_grown_saved_and_loaded": ForgetsNewItems,
    "test_grown_items_in_their_group": ItemKNN,
    "test_updated_is_as_if_fitted": LearnsNothingNew,
    "test_numbers_of_items_are_no_signal": NumberIsASignal,
    "test_own_group_first": Popular,
    "test_cold_items_in_their_group": ItemKNN,
    "test_saved_and_loaded": Forgets,
    "test_batches": LooksAround,
    "test_scores_are_fresh": HandsOutItsOwn,
    "test_what_is_read_late": ReadsEarly,
    "test_parts_sum_to_the_score": WrongParts,
    "test_lacking_data": BreaksWithoutAClock,
    "test_data_stays_as_it_was": Spoils,
    "test_any_history": Undefined,
}


def broken(contract, kind, **attributes):
    """The contract of a class that is not registered."""
    make = classmethod(lambda cls, **settings: kind(**{**cls.settings, **settings}))
    return type("Broken", (contract,), {"make": make, **attributes})()


def check(contract, law, given):
    test = getattr(contract, law)
    test(**{name: given[name] for name in test.__code__.co_varnames[1 : test.__code__.co_argcount]})


@pytest.mark.parametrize("law", SOURCES)
def test_a_faulty_source_is_caught(law, tmp_path):
    contract = broken(SourceContract, SOURCES[law], places_cold=True)
    world = checkerboard()
    given = {"world": world, "fitted": contract.make().fit(world.data, RUN), "tmp_path": tmp_path, "lack": "clock"}
    given["later"] = with_arrivals(world, 8)
    data = checkerboard().data
    given["again"] = (data, contract.make().fit(data, RUN))
    with pytest.raises((AssertionError, ZeroDivisionError)):
        check(contract, law, given)


class FirstPlaceWins(Weighted):
    def contributions(self, slate: Slate):
        return super().contributions(slate) - np.arange(slate.width, dtype=np.float32)[None, :, None]


class RawScores(Weighted):
    def contributions(self, slate: Slate):
        return np.nan_to_num(np.stack([slate.column(name) for name in self.config.sources], axis=2))


class ForgetsWeights(Weighted):
    learned = ()


class LearnsNothing(Weighted):
    def fit(self, panel, run):
        return self


FUSERS = {
    "test_places_and_numbers_are_no_signal": FirstPlaceWins,
    "test_units_do_not_matter": RawScores,
    "test_saved_and_loaded": ForgetsWeights,
    "test_better_than_the_useless_source": LearnsNothing,
}


@pytest.mark.parametrize("law", FUSERS)
def test_a_faulty_fuser_is_caught(law, tmp_path):
    contract = broken(FuserContract, FUSERS[law], settings={"sources": SOURCES_OF_PANELS}, learns=True)
    fitted = contract.make().fit(panel(), RUN)
    given = {"fitted": fitted, "fresh": panel(queries=40, seed=1).slate, "tmp_path": tmp_path}
    with pytest.raises(AssertionError):
        check(contract, law, given)
