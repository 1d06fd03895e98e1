"""The training job: learn on everything and keep the pipeline."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.run import Run
from accord.data import splits
from accord.data.holdout import Split
from accord.data.people import Target
from accord.data.weighting import weights_by_kind
from accord.pipeline.artefact import check_place, save
from accord.pipeline.learning import Learned, learn
from accord.pipeline.spec import PipelineSpec
from accord.study.environment import described, machine, versions
from accord.study.splitting import SplitKind


def train_dataset(
    folder: Path,
    spec: PipelineSpec,
    run: Run,
    out: Path,
    *,
    split: SplitKind | None = None,
    target: Target | None = None,
) -> Learned:
    """Learn a pipeline from a dataset folder and save it at ``out``; ``target`` says who or what it recommends.

    The fusion and hyper-parameters are chosen on held-back events, then everything is refitted on all events.
    """
    check_place(out)
    target = target or Target()
    if target.target == "users" and split not in (None, "random"):
        raise InputError("links are split at random only", place="--split", value=split, remedy="Leave it out.")
    data = target.of(Dataset.load(folder))
    learned = learn(spec, production_split(data, split, run), run)
    save(learned.pipeline, out, {"target": target.target, **card_facts(learned, data, folder, run)})
    return learned


def production_split(data: Dataset, kind: SplitKind | None, run: Run) -> Split:
    """Validation alone is held back: the newest tenth in time, or each user's last event, or a random tenth."""
    if kind == "temporal":
        if data.order != "time":
            raise InputError("the log has no clock times", place="--split", value=kind)
        return splits.newest_validation(data)
    if kind == "leave-last" and data.order == "none":
        raise InputError("the log has no order", place="--split", value=kind, remedy="Use random.")
    return splits.validation_only(data, run.rng("validation"), at_random=kind == "random")


def card_facts(learned: Learned, data: Dataset, folder: Path, run: Run) -> dict[str, Any]:
    """What the card says beside the file hashes."""
    return {
        "dataset": described(data, folder),
        "event_weights": weights_by_kind(data.events),
        "seed": run.seed,
        "validation": {"tried": learned.tried, "tuned": learned.tuned},
        "dropped": learned.dropped,
        "skipped": learned.skipped,
        "timings": [asdict(timing) for timing in run.timings],
        "resumed": dict(run.checkpoint.taken),
        "versions": versions(),
        "machine": machine(),
    }
