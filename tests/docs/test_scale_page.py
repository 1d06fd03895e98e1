"""The example of docs/scale.md runs."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_example_runs():
    code = CODE.findall(PAGE)
    assert len(code) == 1
    exec(compile(code[0], "docs/scale.md", "exec"), {})  # noqa: S102 - our own page
