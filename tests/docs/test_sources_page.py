"""The page of sources names every source, and its code runs."""

import re

import pytest

import pages
from accord.core import catalog

PAGE = pages.text("docs/sources.md")
ROWS = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)


def test_every_source_has_one_row():
    assert len(set(ROWS)) == len(ROWS)
    assert set(catalog.names("sources")) <= set(ROWS)


def test_the_code_runs():
    assert len(pages.CODE.findall(PAGE)) == 1
    pages.run_page("docs/sources.md")


@pytest.mark.parametrize("name", catalog.names("sources"))
def test_the_settings_of_a_row_exist(name):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
    columns = row.strip("| ").split(" | ")
    named = re.findall(r"`(\w+)`", columns[2]) if len(columns) > 2 else []
    fields = {*catalog.find("sources", name).Config.model_fields, "item_knn", "bridge"}
    assert set(named) <= fields
