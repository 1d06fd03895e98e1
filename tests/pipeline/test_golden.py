"""Every format of artefacts there ever was still loads and recommends what its own version of Accord did."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from golden_artefact import lists

from accord.pipeline.artefact import load, read_card, save
from accord.pipeline.card import FORMAT

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests" / "golden").glob("format-*"), key=lambda path: path.name)


def test_there_is_one_of_this_format_and_they_are_small() -> None:
    assert f"format-{FORMAT[0]}.{FORMAT[1]}" in [path.name for path in GOLDEN]
    for folder in GOLDEN:
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 200_000


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_it_recommends_what_it_did(folder: Path, tmp_path: Path) -> None:
    expected = json.loads((folder / "lists.json").read_text(encoding="utf-8"))
    save(load(folder / "run"), tmp_path / "again", {})
    for run in (folder / "run", tmp_path / "again"):
        found = lists(load(run))
        assert list(found) == list(expected)
        for name, places in expected.items():
            assert [item for item, _ in found[name]] == [item for item, _ in places], name
            scores = [[score for _, score in entries] for entries in (found[name], places)]
            np.testing.assert_allclose(*scores, rtol=1e-5)


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_its_card_is_brought_to_this_format(folder: Path, tmp_path: Path) -> None:
    card = read_card(folder / "run")
    assert card["format"] == f"{FORMAT[0]}.{FORMAT[1]}"
    assert card["target"] == "items"
    shutil.copytree(folder / "run", tmp_path / "run")
    save(load(tmp_path / "run"), tmp_path / "run", {"mark": "new"})
    assert read_card(tmp_path / "run")["mark"] == "new"
