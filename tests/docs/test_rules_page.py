"""The example of docs/rules.md says what it prints, and its placements are read as they are."""

import pytest

import pages
from accord.pipeline.placements import placements_of
from accord.pipeline.rules import Rules


def test_the_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    pages.run_page("docs/rules.md")
    assert f"# {capsys.readouterr().out.strip()}\n" in pages.text("docs/rules.md")


def test_the_placements_are_read_and_show_every_rule() -> None:
    (text,) = pages.TOML.findall(pages.text("docs/rules.md"))
    found = placements_of(text, "docs/rules.md")
    assert list(found) == ["home", "e-mail"]
    assert found["home"].rules.model_fields_set == set(Rules.model_fields) - {"only", "include_seen"}


def test_every_rule_is_on_the_page() -> None:
    assert [name for name in Rules.model_fields if f"`{name}" not in pages.text("docs/rules.md")] == []
