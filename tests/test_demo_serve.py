"""The demo of the service end to end, on a small shop: it shows what it says, or says that it does not."""

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1] / "examples" / "serve.py"


def demo(out: Path, dataset: Path, trained: Path, title: str) -> subprocess.CompletedProcess[str]:
    places = ["--out", out, "--dataset", dataset, "--trained", trained]
    about = ["--person", "u0", "--like", "word3 ", "--title", title]
    command = [sys.executable, str(DEMO), *map(str, places), *about]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_the_demo_shows_all_it_says(tmp_path: Path, shop_folder: Path, trained_folder: Path) -> None:
    done = demo(tmp_path / "serve", shop_folder, trained_folder, "word2 word3 word4 word5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("== ") == 6
    assert done.stdout.count("$ curl") >= 10
    assert "In the list after" in done.stdout
    assert "因为" in done.stdout


@pytest.mark.slow
def test_what_does_not_happen_is_not_said_to_have(tmp_path: Path, shop_folder: Path, trained_folder: Path) -> None:
    done = demo(tmp_path / "serve", shop_folder, trained_folder, "nothing in common")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NOT SHOWN: expected the new item within 2.0 s" in done.stdout
