"""Forms of a source with several seeds: what is fitted, kept, compared and told."""

import sys
from argparse import Namespace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from accord.pipeline.spec import make
from accord.study.readings import READINGS
from accord.testing.planted import checkerboard

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import variants

SMALL = {"dim": 8, "epochs": 2, "patience": 0, "batch": 60}
STUDY = variants.Study(
    "small",
    "Two forms",
    "planted",
    {"knn": {"kind": "item_knn"}, "graph": {"kind": "lightgcn", "item": "id", **SMALL}},
    (("graph", "knn"),),
    split={"cold_items": "0.1"},
    seeds=2,
)


def test_forms_are_fitted_with_every_seed_and_compared_at_every_test(tmp_path):
    arguments = Namespace(work=tmp_path, data=Path("nowhere"), seeds=None)
    checkerboard().data.save(tmp_path / "data" / "small")
    text = variants.measured(STUDY, arguments)
    for name in ("test", "cold among cold", "cold among all"):
        assert f"## {name}: " in text
    assert text.count("| graph | knn | ") == 3
    knn, graph = (next(line for line in text.splitlines() if line.startswith(f"| {form} | 0")) for form in STUDY.forms)
    first, second = knn.split("(")[1].split(")")[0].split(", ")
    assert first == second
    assert len(set(graph.split("(")[1].split(")")[0].split(", "))) == 2
    assert "reading 1 of" in text and "peak" in text
    fits = sorted((tmp_path / "steps" / "small").iterdir())
    again = variants.measured(STUDY, arguments)
    assert sorted((tmp_path / "steps" / "small").iterdir()) == fits
    assert "reading 2 of" in again
    assert len((tmp_path / "data" / "small" / READINGS).read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize("study", variants.STUDIES, ids=lambda study: study.name)
def test_every_form_is_a_source_and_every_pair_is_measured(study):
    for form, settings in study.forms.items():
        make("sources", dict(settings), form)
    assert {form for pair in study.against for form in pair} <= set(study.forms)
