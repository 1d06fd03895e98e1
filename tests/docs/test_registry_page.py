"""The code of the registry page runs and says what the page says."""

import pytest

import pages


def test_the_code_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pages.run_page("docs/registry.md")
    versions, history, refreshed = capsys.readouterr().out.splitlines()
    assert versions == "[('retired', 'trained as shop'), ('live', 'more neighbours')]"
    assert history.count("rollback") == 1
    assert refreshed in pages.text("docs/registry.md")
