"""The Python of docs/heads.md runs, and its tables name the settings there are, with their defaults."""

import re

import numpy as np
import pytest

import pages
from accord.fuse.click import ClickConfig
from accord.fuse.rating import RatingConfig

PAGE = pages.text("docs/heads.md")
GIVEN = ("sources", "predicting")
"""The pipeline itself fills these in."""


def test_the_example_runs():
    names = pages.run_page("docs/heads.md")
    assert names["ratings"].shape == (2, 3)
    assert np.isnan(names["ratings"][1, 2])
    assert ((names["chances"][0] > 0) & (names["chances"][0] < 1)).all()


@pytest.mark.parametrize(("config", "heading"), [(RatingConfig, "## `rating`"), (ClickConfig, "## `click`")])
def test_the_tables_name_all_settings(config, heading):
    section = PAGE[PAGE.index(heading) :].split("\n## ")[0]
    told = {}
    for names, default in re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", section, re.MULTILINE):
        keys = re.findall(r"`(\w+)`", names)
        told |= dict(zip(keys, default.split(", ") if len(keys) > 1 else [default], strict=True))
    fields = {name: field.default for name, field in config.model_fields.items() if name not in GIVEN}
    assert told == {
        name: ", ".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in fields.items()
    }
