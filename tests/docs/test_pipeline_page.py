"""The page of the pipeline's file: its example can be built, and its tables name all there is."""

import re

import pages
from accord.pipeline.spec import PipelineSpec, preset_names, spec_of

PAGE = pages.text("docs/pipeline.md")


def test_the_example_can_be_built():
    example, going_on = (spec_of(text, "docs/pipeline.md") for text in pages.TOML.findall(PAGE))
    assert example.sources["like"]["column"] in example.encoders
    assert going_on.sources["ease"]["reg"] == 400
    assert "trending" not in going_on.sources


def test_the_tables_name_every_preset_table_and_key():
    first = re.findall(r"^\| ([^|]+) \|", PAGE, re.MULTILINE)
    named = {name for cell in first for name in re.findall(r"`[\[]*(\w+)[^`]*`", cell)}
    assert named == {*preset_names(), *PipelineSpec.model_fields}


def test_the_defaults_are_those_of_the_program():
    told = dict(re.findall(r"^\| `(\w+)` \| ([\d.,]+) \|", PAGE, re.MULTILINE))
    fields = PipelineSpec.model_fields
    assert {name: float(value.replace(",", "")) for name, value in told.items()} == {
        name: fields[name].default for name in ("depth", "max_validation", "hide")
    }
