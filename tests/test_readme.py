"""The Python in the README runs as it stands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pages


def test_examples_run_in_turn(tmp_path: Path) -> None:
    """All blocks in one program, in a folder with the files they name; a later one may go on from an earlier one."""
    events = ["user_id,item_id,timestamp", *(f"anna,i{n % 7},{1e9 + n}" for n in range(3))]
    events += [f"u{n % 40},i{n * 7 % 30 + n % 3},{1e9 + n}" for n in range(400)]
    items = [json.dumps({"item_id": f"i{n}", "title": f"Thing {'red' if n % 2 else 'blue'} {n}"}) for n in range(35)]
    (tmp_path / "events.csv").write_text("\n".join(events), encoding="utf-8")
    (tmp_path / "items.jsonl").write_text("\n".join(items), encoding="utf-8")
    program = pages.code("README.md")
    assert program
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"ACCORD_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
