"""The page of sources names every source, and its code runs."""

import re
from pathlib import Path

import pytest

from accord.core import catalog

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)


def test_every_source_has_one_row():
    assert len(set(ROWS)) == len(ROWS)
    assert set(catalog.names("sources")) <= set(ROWS)


def test_the_code_runs():
    code = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(code) == 1
    exec(compile(code[0], "docs/sources.md", "exec"), {})  # noqa: S102 - our own page


@pytest.mark.parametrize("name", catalog.names("sources"))
def test_the_settings_of_a_row_exist(name):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
    columns = row.strip("| ").split(" | ")
    named = re.findall(r"`(\w+)`", columns[2]) if len(columns) > 2 else []
    fields = {*catalog.find("sources", name).Config.model_fields, "item_knn", "bridge"}
    assert set(named) <= fields
