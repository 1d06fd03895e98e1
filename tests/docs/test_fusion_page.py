"""The code of the fusion page runs, and every registered fuser stands on it."""

import pages
from accord.core import catalog

PAGE = pages.text("docs/fusion.md")


def test_the_code_of_the_page_runs():
    pages.run_page("docs/fusion.md")


def test_every_fuser_is_on_the_page():
    assert [name for name in catalog.names("fusers") if f"`{name}`" not in PAGE] == []
