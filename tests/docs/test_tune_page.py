"""The page of tuning: its example can be built, its files are those that come out, and its Python runs."""

import re
from pathlib import Path

import pytest

import pages
from accord.pipeline.space import Range, Tune
from accord.pipeline.spec import spec_of

PAGE = pages.text("docs/tune.md")


def test_the_example_can_be_built() -> None:
    (example,) = pages.TOML.findall(PAGE)
    space = spec_of(example, "docs/tune.md").tune.space
    assert {type(options) for options in space.values()} == {Range, list}


def test_the_keys_and_the_default_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", PAGE, re.MULTILINE)
    assert set(Range.model_fields) <= set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert f"`queries` ({Tune().queries:,})" in PAGE


def test_the_python_runs_and_writes_the_files(shop_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    pages.run_page("docs/tune.md", data=shop_folder, out=tmp_path / "out")
    files = re.findall(r"^\| `(\w+\.\w+)` \|", PAGE, re.MULTILINE)
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(files)
