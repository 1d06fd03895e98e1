"""The example of docs/store.md runs."""

import pages


def test_the_example_runs():
    assert len(pages.CODE.findall(pages.text("docs/store.md"))) == 1
    pages.run_page("docs/store.md")
