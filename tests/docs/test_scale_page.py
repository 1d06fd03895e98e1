"""The example of docs/scale.md runs."""

import pages


def test_the_example_runs():
    assert len(pages.CODE.findall(pages.text("docs/scale.md"))) == 1
    pages.run_page("docs/scale.md")
