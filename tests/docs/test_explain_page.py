"""The code of the page on reasons runs, and its tables name what there is."""

import re
from pathlib import Path

import pytest

import pages
from accord.core import catalog
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.reasons import told

PAGE = pages.text("docs/explain.md")


def test_the_code_of_the_page_runs(
    trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").symlink_to(trained_folder)
    monkeypatch.chdir(tmp_path)
    pages.run_page("docs/explain.md")
    place, text = capsys.readouterr().out.splitlines()
    assert place == "None" or int(place) >= 1
    assert text.startswith("因为")


def test_the_table_names_every_key(pipeline: Pipeline) -> None:
    queries = pipeline.queries(["u5"])
    keys = list(told(pipeline, queries, pipeline.recommend(queries, 1))[0][0])
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)[: len(keys)] == keys


def test_every_fuser_is_on_the_page() -> None:
    assert [name for name in catalog.names("fusers") if f"`{name}`" not in PAGE] == []
