"""Several processes started by torchrun: they train one pipeline, of which the first writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from accord.pipeline.artefact import load
from commands import call

NETWORK = """
[sources.popular]
kind = "popular"

[sources.sequential]
kind = "sequential"
dim = 8
epochs = 2
patience = 0
"""


def test_several_processes_only_train(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    call(["evaluate", tmp_path, "--out", tmp_path / "run"], code=2)
    assert "several processes can only train" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_train_one_pipeline(shop_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    config = tmp_path / "network.toml"
    config.write_text(NETWORK, encoding="utf-8")
    port = str(20_000 + os.getpid() % 20_000)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", port]
    accord = str(Path(sys.executable).with_name("accord"))
    out = tmp_path / "run"
    command = ["--no-python", accord, "train", str(shop_folder), "--config", str(config), "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*torchrun, *command], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Saved:") == 1
    pipeline = load(out)
    assert pipeline.recommend(pipeline.data.queries(), 3).items.shape == (pipeline.data.n_users, 3)
    assert {path.name for path in tmp_path.iterdir()} == {"network.toml", "run"}
