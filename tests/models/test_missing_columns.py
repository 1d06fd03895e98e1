"""Networks over ids and content where the catalogue lacks some of the content, or all of it."""

from collections.abc import Iterator
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


def arrays(source: Recommender) -> Iterator[tuple[str, np.ndarray]]:
    return iter(sorted(source.state().items()))


@pytest.mark.parametrize("kind", KINDS)
def test_the_sum_of_ids_and_content_does_without_what_is_not_there(kind: str) -> None:
    notes = Notes()
    some = fitted(kind, Run(cache=None, progress=notes), item="sum", columns=(COLUMN, "sound"))
    assert any("does without the item columns sound" in text for text in notes.said)
    for (name, one), (other, same) in zip(
        arrays(some), arrays(fitted(kind, Run(cache=None), item="sum", columns=(COLUMN,))), strict=True
    ):
        assert name == other
        np.testing.assert_array_equal(one, same)
    none = fitted(kind, Run(cache=None), item="sum", columns=("sound",))
    for (_, one), (_, same) in zip(arrays(none), arrays(fitted(kind, Run(cache=None), item="id")), strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("kind", KINDS)
def test_new_items_are_placed_by_the_columns_that_were_there(kind: str) -> None:
    source = fitted(kind, Run(cache=None), item="sum", columns=(COLUMN, "sound"))
    grown = source.grow(with_arrivals(WORLD, 3).data)
    assert len(grown.placed) == DATA.n_items + 3
    assert grown.placed[-3:].all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("item", ["content", "bounded"])
def test_content_alone_needs_all_its_columns(kind: str, item: str) -> None:
    with pytest.raises(CannotFit, match="no item column 'sound'"):
        fitted(kind, Run(cache=None), item=item, columns=(COLUMN, "sound"))
