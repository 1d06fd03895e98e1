"""What each process of ``test_two_processes_do_what_one_does`` runs."""

import itertools
import json
import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from small_task import Line

from accord.core.run import Run
from accord.learn.group import leave
from accord.learn.loop import Loop
from accord.learn.settings import TrainConfig

torch.nn.functional.dropout = lambda values, _: values  # processes draw it apart
torch.manual_seed(int(os.environ.get("RANK", "0")))  # other first weights in each: those of the first process count
alone = sys.argv[2:] == ["alone"]
apart = sys.argv[2:] == ["apart"]
task = Line()
if apart:  # one process sees it get better all the time, the other worse
    ups = itertools.count()
    task.judge = lambda: next(ups) * (1.0 if os.environ["RANK"] == "0" else -1.0)
Loop(
    task, TrainConfig(epochs=5, patience=int(apart), lr=0.2, accumulate=2 if alone else 1), Run(cache=None), "line", ()
).train()
name = "alone" if alone else os.environ["RANK"]
told = {"weights": task.module.weight.detach().tolist()}
Path(sys.argv[1], f"{name}.json").write_text(json.dumps(told))
leave()
