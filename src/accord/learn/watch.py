"""Figures of a training for people who look: on the progress bar, and in a tracker where one is asked for."""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from accord.core.errors import InputError
from accord.core.run import Run
from accord.learn.training import Trained

EXPERIMENT = "accord"
TRACKERS = "tensorboard:FOLDER, mlflow:ADDRESS or wandb:PROJECT (with WANDB_MODE=offline where there is no network)"


class Tracker(Protocol):
    """Takes figures by step."""

    def log(self, figures: dict[str, float], step: int) -> None:
        """Keep some figures of one step."""
        ...

    def close(self) -> None:
        """The training is over."""
        ...


class Watch:
    """Tells what came of each epoch."""

    def __init__(self, run: Run, name: str) -> None:
        self.tracker = tracker_of(run.track, name) if run.track is not None else None

    def note(self, trained: Trained) -> None:
        """One epoch is over."""
        if self.tracker is not None:
            figures = {"loss": trained.losses[-1], "validation": trained.figures[-1]}
            told = {name: value for name, value in figures.items() if not math.isnan(value)}
            self.tracker.log(told, len(trained.losses))

    def close(self) -> None:
        """The training is over."""
        if self.tracker is not None:
            self.tracker.close()

    def told(self, trained: Trained) -> str:
        """The last loss and figure, for the progress bar."""
        if not trained.losses:
            return ""
        figure = trained.figures[-1]
        best = "" if math.isnan(figure) else f", validation {figure:.4f} (best {max(trained.figures):.4f})"
        return f", loss {trained.losses[-1]:.4f}{best}"


def tracker_of(address: str, name: str) -> Tracker:
    """A tracker by its address, such as ``tensorboard:runs/board``. Raises ``InputError`` where there is none such."""
    kind, _, place = address.partition(":")
    makers: dict[str, Any] = {"tensorboard": TensorBoard, "mlflow": MlFlow, "wandb": WandB}
    if kind not in makers or not place:
        raise InputError("no such tracker", place="track", value=address, remedy=f"There are: {TRACKERS}.")
    try:
        return makers[kind](place, name)
    except ModuleNotFoundError as missing:
        remedy = f"Install it: pip install 'accord[{kind}]'."
        raise InputError(f"the tracker needs the package {missing.name}", place="track", remedy=remedy) from None
    except Exception as refused:  # whatever these packages raise where the place is not to their liking
        raise InputError("the tracker cannot be opened", place="track", value=address, remedy=str(refused)) from refused


class TensorBoard:
    """Event files in a folder, one folder below it a training."""

    def __init__(self, place: str, name: str) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(Path(place) / name))

    def log(self, figures: dict[str, float], step: int) -> None:
        """Keep some figures of one step."""
        for name, value in figures.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def close(self) -> None:
        """The training is over."""
        self.writer.close()


class MlFlow:
    """The experiment ``accord`` on a server or in a database, a run a training."""

    def __init__(self, place: str, name: str) -> None:
        self.client: Any = import_module("mlflow").MlflowClient(place)
        known = self.client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known else self.client.create_experiment(EXPERIMENT)
        self.run: str = self.client.create_run(experiment, run_name=name).info.run_id

    def log(self, figures: dict[str, float], step: int) -> None:
        """Keep some figures of one step."""
        for name, value in figures.items():
            self.client.log_metric(self.run, name, value, step=step)

    def close(self) -> None:
        """The training is over."""
        self.client.set_terminated(self.run)


class WandB:
    """A project at Weights & Biases, or on the disk where ``WANDB_MODE=offline``."""

    def __init__(self, place: str, name: str) -> None:
        self.run = import_module("wandb").init(project=place, name=name, reinit="create_new")

    def log(self, figures: dict[str, float], step: int) -> None:
        """Keep some figures of one step."""
        self.run.log(figures, step=step)

    def close(self) -> None:
        """The training is over."""
        self.run.finish()
