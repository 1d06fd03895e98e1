"""The parts that docs/extend.md shows keep the contracts that it shows."""

from importlib.metadata import EntryPoint

import pytest

import pages
from accord.core import catalog

PAGE = pages.text("docs/extend.md")
SHOWN = pages.run_page("docs/extend.md", __name__=__name__)
REGISTERED = {"sources": ("next", "Next"), "encoders": ("trigrams", "Trigrams"), "fusers": ("loudest", "Loudest")}

TestNext, TestTrigrams, TestLoudest = SHOWN["TestNext"], SHOWN["TestTrigrams"], SHOWN["TestLoudest"]


@pytest.fixture(scope="module", autouse=True)
def registered():
    """The page's names in the catalogue, as if its package were installed."""
    known = catalog._registered

    def with_page(role):
        name, kind = REGISTERED[role]
        return known(role) | {name: EntryPoint(name, f"{__name__}:{kind}", f"accord.{role}")}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "_registered", with_page)
        patch.setattr(EntryPoint, "load", _load(EntryPoint.load))
        yield


def _load(installed):
    return lambda point: SHOWN[point.attr] if point.module == __name__ else installed(point)


def test_the_page_registers_what_it_shows():
    for role, (name, kind) in REGISTERED.items():
        lines = PAGE[PAGE.index(f'[project.entry-points."accord.{role}"]') :].splitlines()
        assert lines[1] == f'{name} = "my_package.{name}:{kind}"'
        assert catalog.find(role, name) is SHOWN[kind]
