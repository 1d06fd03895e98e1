"""The documentation keeps its word: links lead somewhere, and its Python runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")})
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def title(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_lead_somewhere(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_code_of_the_concepts_runs():
    blocks = CODE.findall((ROOT / "docs" / "concepts.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 3
    exec(compile("\n".join(blocks), "docs/concepts.md", "exec"), {})  # noqa: S102 - our own page


def test_decisions_are_numbered_without_gaps():
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_command_line_is_documented_as_it_is(tmp_path):
    made = tmp_path / "cli.md"
    command = [sys.executable, "-m", "typer", "accord.cli.app", "utils", "docs", "--name", "accord", "--output", made]
    subprocess.run(command, check=True, capture_output=True)
    assert made.read_text(encoding="utf-8") == (ROOT / "docs" / "cli.md").read_text(encoding="utf-8"), "run: make docs"
