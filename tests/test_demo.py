"""The demo end to end, on the real data: what a newcomer runs first."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


@pytest.mark.slow
def test_the_demo_measures_fuses_and_explains(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(DEMO), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    systems = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())["tests"]["test"]["systems"]
    ndcg = {name: row["ndcg@10"]["value"] for name, row in systems.items()}
    assert ndcg["fused"] > ndcg["ease"] > ndcg["popularity"] > ndcg["random"]
    assert ndcg["fused"] > 0.1  # twice the popularity floor and more
    assert done.stdout.count("Because of") >= 10
    assert (tmp_path / "evaluation" / "report.html").stat().st_size > 50_000
    assert (tmp_path / "pipeline" / "card.json").exists()
