"""The code of the fusion page runs, and every registered fuser stands on it."""

from pathlib import Path

from test_documentation import CODE

from accord.core import catalog

PAGE = (Path(__file__).parents[2] / "docs" / "fusion.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_runs():
    blocks = CODE.findall(PAGE)
    assert blocks
    exec(compile("\n".join(blocks), "docs/fusion.md", "exec"), {})  # noqa: S102 - our own page


def test_every_fuser_is_on_the_page():
    assert [name for name in catalog.names("fusers") if f"`{name}`" not in PAGE] == []
