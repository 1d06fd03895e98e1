"""The loop learns, stops, goes on after a kill, and is the same in two processes as in one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from small_task import RIGHT, Line

from accord.core.checkpoint import Checkpoint
from accord.core.errors import CannotFit, InputError
from accord.core.run import Run
from accord.learn.adversary import Adversary
from accord.learn.average import Average
from accord.learn.group import device_of
from accord.learn.judged import ndcg_at_10
from accord.learn.loop import Loop
from accord.learn.schedule import warm_cosine
from accord.learn.settings import TrainConfig
from accord.learn.training import Trained
from accord.learn.watch import tracker_of

CONFIG = TrainConfig(epochs=12, patience=0, lr=0.2, average=0.5)
HERE = Path(__file__).parent
SINGLE = {**os.environ, "OMP_NUM_THREADS": "1"}
T = TypeVar("T")


def trained(task: Line, run: Run | None = None, **changes) -> Trained:
    config = CONFIG.model_copy(update=changes)
    return Loop(task, config, run or Run(cache=None), "line", ()).train()


def weights(task: Line) -> np.ndarray:
    return task.module.weight.detach().numpy().copy()


def test_it_learns_and_its_loss_falls():
    task = Line()
    outcome = trained(task)
    np.testing.assert_allclose(weights(task), RIGHT, atol=0.3)  # dropout draws them towards zero
    assert len(outcome.losses) == 12
    assert outcome.losses[-1] < outcome.losses[0] / 2


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, second, other = Line(), Line(), Line()
    for task in (second, other):
        task.module.load_state_dict(first.module.state_dict())
    for task, seed in ((first, 0), (second, 0), (other, 1)):
        trained(task, Run(cache=None, seed=seed))
    np.testing.assert_array_equal(weights(first), weights(second))
    assert not np.array_equal(weights(first), weights(other))


def test_it_stops_when_nothing_gets_better_and_goes_back_to_the_best():
    class Spoiled(Line):
        kept: np.ndarray

        def judge(self) -> float:
            self.judged += 1
            if self.judged == 3:
                self.kept = weights(self)
            return 1.0 if self.judged == 3 else 0.0

    task = Spoiled()
    outcome = trained(task, patience=4)
    assert (outcome.best, len(outcome.losses)) == (3, 7)
    np.testing.assert_array_equal(weights(task), task.kept)


def test_a_step_without_a_finite_gradient_is_left_out():
    class Overflowing(Line):
        steps = 0

        def loss(self, batch):
            loss, weight = super().loss(batch)
            self.steps += 1
            return (loss * torch.inf if self.steps == 20 else loss), weight

    task = Overflowing()
    outcome = trained(task)
    assert np.isfinite(outcome.losses).all() and np.isfinite(outcome.figures).all()
    np.testing.assert_allclose(weights(task), RIGHT, atol=0.3)


def test_a_training_that_diverges_is_an_error():
    class Diverging(Line):
        def loss(self, batch):
            loss, weight = super().loss(batch)
            return loss * torch.nan, weight

    with pytest.raises(CannotFit, match=r"diverged.*epoch 1.*lr"):
        trained(Diverging())


def test_what_has_no_score_is_not_found():
    assert ndcg_at_10([np.array([[np.nan, 1.0, 0.0], [3.0, 1.0, 0.0]], np.float32)], np.array([0, 0])) == 0.5


@pytest.mark.parametrize("average", [0.0, 0.5])
def test_a_killed_training_goes_on_as_if_nothing_had_been(tmp_path, average):
    whole, killed, again = Line(), Line(stop_at=6), Line()
    start = {name: values.clone() for name, values in whole.module.state_dict().items()}
    for task in (killed, again):
        task.module.load_state_dict(start)
    trained(whole, average=average)
    with pytest.raises(KeyboardInterrupt):
        trained(killed, Run(cache=None, checkpoint=Checkpoint(tmp_path)), average=average)
    assert len(list(tmp_path.iterdir())) == 1
    outcome = trained(again, Run(cache=None, checkpoint=Checkpoint(tmp_path)), average=average)
    assert again.judged == 12 - 5
    assert len(outcome.losses) == 12
    np.testing.assert_array_equal(weights(again), weights(whole))
    assert not list(tmp_path.iterdir())


def test_the_average_forgets_the_first_weights_soon():
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(module.weight, 100.0)
    average = Average(module, 0.99)
    torch.nn.init.zeros_(module.weight)
    for _ in range(30):
        average.update()
    assert 0 < float(average.whole()["weight"]) < 1e-3
    plain = Average(module, 0.0)
    torch.nn.init.constant_(module.weight, 7.0)
    plain.update()
    assert float(plain.whole()["weight"]) == 7.0


def test_accumulated_batches_are_one_large_batch(monkeypatch):
    monkeypatch.setattr(torch.nn.functional, "dropout", lambda values, _: values)
    first, second = Line(), Line()
    second.module.load_state_dict(first.module.state_dict())
    monkeypatch.setattr(second, "batches", lambda rng: np.split(rng.permutation(64), 4))
    trained(first, accumulate=2)
    trained(second)
    np.testing.assert_allclose(weights(first), weights(second), rtol=1e-5)


def by_two(folder, *more: str) -> list[dict]:
    """What two processes of ``torchrun`` tell."""
    port = str(20_000 + os.getpid() % 20_000)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", port]
    script = [str(HERE / "two_processes.py"), str(folder), *more]
    done = subprocess.run([*command, *script], capture_output=True, text=True, timeout=120, env=SINGLE)
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.slow
def test_two_processes_do_what_one_does(tmp_path):
    """``torchrun`` with two processes takes the steps of one process that adds up two batches."""
    told = by_two(tmp_path)
    assert told[0] == told[1]
    script = [str(HERE / "two_processes.py"), str(tmp_path), "alone"]
    subprocess.run([sys.executable, *script], check=True, timeout=60, env=SINGLE)
    alone = json.loads((tmp_path / "alone.json").read_text())
    np.testing.assert_allclose(told[0]["weights"], alone["weights"], rtol=1e-5)


@pytest.mark.slow
def test_processes_that_see_other_figures_stop_together(tmp_path):
    """Sums differ in the last digit from one GPU to the next; what the first process sees counts."""
    told = by_two(tmp_path, "apart")
    assert told[0] == told[1]


def test_half_precision_learns_too():
    task = Line()
    trained(task, precision="bfloat16")
    np.testing.assert_allclose(weights(task), RIGHT, atol=0.3)


def test_an_adversary_leaves_the_embeddings_where_they_were():
    task = Line(table=True)
    table = task.module.table.weight
    before = table.detach().clone()
    adversary = Adversary(task.module, 0.5)
    table.grad = torch.ones_like(table)  # of an earlier batch of the same step
    earlier = adversary.gradients()
    task.loss(np.arange(8))[0].backward()
    gradient, seen = table.grad - 1, []

    def loss() -> torch.Tensor:
        seen.append(table.detach().clone())
        return task.loss(np.arange(8))[0]

    adversary.add_gradient(loss, earlier)
    torch.testing.assert_close(table.detach(), before)
    torch.testing.assert_close(seen[0] - before, 0.5 * torch.nn.functional.normalize(gradient, dim=1))
    torch.testing.assert_close(table.grad, 1 + 2 * gradient)  # the loss is linear in the table
    assert (adversary.share, Adversary(task.module, 0.0).share) == (2.0, 1.0)


def test_the_learning_rate_rises_and_falls():
    factor = warm_cosine(TrainConfig(warmup=0.1, floor=0.1), 100)
    values = [factor(step) for step in range(100)]
    assert values[0] == pytest.approx(0.1)
    assert values[9] == pytest.approx(1.0)
    assert values[-1] == pytest.approx(0.1, abs=1e-3)
    assert np.all(np.diff(values[:10]) > 0)
    assert np.all(np.diff(values[10:]) < 0)


def test_progress_tells_loss_and_figure():
    class Listening:
        def __init__(self) -> None:
            self.texts: list[str] = []

        def note(self, text: str) -> None:
            self.texts.append(text)

        def track(self, items: Iterable[T], text: str, total: int | None = None) -> Iterator[T]:
            self.texts.append(text)
            yield from items

    heard = Listening()
    trained(Line(), Run(cache=None, progress=heard), epochs=2)
    assert heard.texts[0] == "line: epoch 1 of 2"
    assert "loss" in heard.texts[1]
    assert "best" in heard.texts[1]


def test_figures_go_to_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    trained(Line(), Run(cache=None, track=f"tensorboard:{tmp_path}"), epochs=3)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "line")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3]
    assert len(events.Scalars("validation")) == 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
def test_figures_go_to_mlflow(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    place = f"sqlite:///{tmp_path}/runs.db"
    for rounds in (3, 2):  # two trainings are two runs
        trained(Line(), Run(cache=None, track=f"mlflow:{place}"), epochs=rounds)
    client = mlflow.MlflowClient(place)
    runs = client.search_runs([client.get_experiment_by_name("accord").experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    steps = [[one.step for one in client.get_metric_history(run.info.run_id, "loss")] for run in runs]
    assert sorted(map(sorted, steps)) == [[1, 2], [1, 2, 3]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_place_that_mlflow_refuses_is_said(tmp_path):
    pytest.importorskip("mlflow")
    with pytest.raises(InputError, match="the tracker cannot be opened"):
        trained(Line(), Run(cache=None, track="mlflow:gopher://nowhere"), epochs=1)


def test_figures_go_to_weights_and_biases_on_the_disk(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    for rounds in (3, 2):
        trained(Line(), Run(cache=None, track="wandb:accord"), epochs=rounds)
    kept = list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert len(kept) == 2
    assert all(b"validation" in path.read_bytes() for path in kept)


@pytest.mark.parametrize("address", ["nothing:x", "tensorboard", "tensorboard:"])
def test_a_tracker_that_is_none_is_an_error(address):
    with pytest.raises(InputError, match=r"no such tracker.*tensorboard:FOLDER"):
        tracker_of(address, "x")


def test_devices_are_as_asked():
    assert device_of("cpu").type == "cpu"
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(InputError, match=r"no such device.*Use auto"):
        device_of("toaster")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_an_error():
    with pytest.raises(InputError, match="no GPU"):
        device_of("cuda:1")
