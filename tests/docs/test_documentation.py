"""The documentation keeps its word: links lead somewhere, and its Python runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pages
from pages import ROOT

PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")})
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def title(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_lead_somewhere(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_reached_from_the_index():
    reached, ahead = set(), [ROOT / "docs" / "index.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            ahead += [(page.parent / link).resolve() for link in LINK.findall(page.read_text(encoding="utf-8"))]
    assert sorted(map(title, set(ROOT.glob("docs/**/*.md")) - reached)) == []


def test_the_code_of_the_concepts_runs():
    assert len(pages.CODE.findall(pages.text("docs/concepts.md"))) >= 3
    pages.run_page("docs/concepts.md")


def test_decisions_are_numbered_without_gaps():
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_command_line_is_documented_as_it_is(tmp_path):
    made = tmp_path / "cli.md"
    command = [sys.executable, "-m", "typer", "accord.cli.app", "utils", "docs", "--name", "accord", "--output", made]
    subprocess.run(command, check=True, capture_output=True)
    assert made.read_text(encoding="utf-8") == pages.text("docs/cli.md"), "run: make docs"
