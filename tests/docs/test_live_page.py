"""The example of docs/live.md runs, and its table names sources that there are."""

import re

import pages
from accord.core import catalog


def test_the_example_prints_what_it_should(capsys):
    pages.run_page("docs/live.md")
    assert capsys.readouterr().out.splitlines() == ["1 item more", "True"]


def test_the_table_names_sources():
    table = pages.text("docs/live.md").partition("| sources |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table)) - {"side", "columns"}
    assert named <= set(catalog.names("sources"))
