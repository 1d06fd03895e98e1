"""Networks over ids and content where the catalogue lacks some of the content, or all of it."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from accord.core import catalog
from accord.core.errors import CannotFit
from accord.core.roles import Recommender
from accord.core.run import Run, Silent
from accord.testing.planted import checkerboard, with_arrivals

KINDS = ["sequential", "two_tower", "neural_cf", "lightgcn", "joint"]
WORLD = checkerboard()
DATA = WORLD.data
COLUMN = next(iter(DATA.vectors))


class Notes(Silent):
    """What was said."""

    def __init__(self) -> None:
        self.said = list[str]()

    def note(self, text: str) -> None:
        self.said.append(text)


def fitted(kind: str, run: Run, **values: object) -> Any:
    make = catalog.find("sources", kind)
    return make(dim=8, epochs=2, patience=0, **values).fit(DATA, run)


def assert_same(one: Recommender, other: Recommender) -> None:
    mine, theirs = one.state(), other.state()
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        np.testing.assert_array_equal(values, theirs[name])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("item", ["sum", "bounded"])
def test_networks_do_without_columns_that_are_not_there(kind: str, item: str) -> None:
    notes = Notes()
    some = fitted(kind, Run(cache=None, progress=notes), item=item, columns=(COLUMN, "sound"))
    assert any("does without the item columns sound" in text for text in notes.said)
    assert_same(some, fitted(kind, Run(cache=None), item=item, columns=(COLUMN,)))
    none = fitted(kind, Run(cache=None), item=item, columns=("sound",))
    assert_same(none, fitted(kind, Run(cache=None), item="id"))


@pytest.mark.parametrize("kind", KINDS)
def test_new_items_are_placed_by_the_columns_that_were_there(kind: str) -> None:
    source = fitted(kind, Run(cache=None), item="sum", columns=(COLUMN, "sound"))
    grown = source.grow(with_arrivals(WORLD, 3).data)
    assert len(grown.placed) == DATA.n_items + 3
    assert grown.placed[-3:].all()


@pytest.mark.parametrize("kind", KINDS)
def test_items_that_are_their_content_need_some(kind: str) -> None:
    with pytest.raises(CannotFit, match="no item columns sound, smell"):
        fitted(kind, Run(cache=None), item="content", columns=("sound", "smell"))
