"""The example of docs/playground.md prints what it says."""

import pytest

pytest.importorskip("fastapi")

import pages


def test_the_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    pages.run_page("docs/playground.md")
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("{")]
    assert lines == ["default-src 'self'", "True 403"]
    assert all(f"# {line}\n" in pages.text("docs/playground.md") for line in lines)
