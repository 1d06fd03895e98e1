"""The pages of the documentation, and the Python that stands on them."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def text(name: str) -> str:
    """A page by its path in the repository, such as ``docs/concepts.md``."""
    return (ROOT / name).read_text(encoding="utf-8")


def code(name: str) -> str:
    """All Python blocks of a page as one program."""
    return "\n".join(CODE.findall(text(name)))


def run_page(name: str, **given: Any) -> dict[str, Any]:
    """Run all Python blocks of a page in turn, beginning with the ``given`` names; the names they leave."""
    program = code(name)
    assert program, f"{name} shows no Python"
    exec(compile(program, name, "exec"), given)  # noqa: S102 - our own page
    return given
