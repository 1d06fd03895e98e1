"""The trials of a tuning in one SQLite file: what was tried, what comes next, and when a trial is given up."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from accord.core.errors import AccordError, InputError
from accord.core.run import Run
from accord.pipeline.space import Options, Range, holds, plain

if TYPE_CHECKING:
    import optuna

NAME, START = "accord", "as it stands"
STARTUP = 10
"""So many trials are never given up, and as many are drawn at random before any is drawn near the good ones."""


@dataclass(frozen=True)
class Budget:
    """How much may be tried, in all, whatever was interrupted."""

    trials: int = 50
    seconds: float = math.inf
    """No trial starts after so many seconds of trials."""


class GivenUp(AccordError):
    """A trial that need not go on."""


class Study:
    """A study of Optuna whose next trial depends on the seed and the finished trials alone.

    So a job that was killed and goes on ends as one that was not: the trial that was under way is made again.
    """

    def __init__(self, study: optuna.Study, run: Run, *, prune: bool) -> None:
        self.study, self.run, self.prune = study, run, prune

    @property
    def _finished(self) -> list[optuna.trial.FrozenTrial]:
        return [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.name in ("COMPLETE", "PRUNED")]

    @property
    def done(self) -> int:
        """How many trials have ended."""
        return len(self._finished)

    @property
    def seconds(self) -> float:
        """How long all ended trials took together."""
        return sum(_seconds(trial) for trial in self._finished)

    def begin_with(self, values: Mapping[str, Any], space: Mapping[str, Options]) -> None:
        """Make these values the first trial, where all of them lie in the space."""
        waiting = any(trial.state.name == "WAITING" for trial in self.study.get_trials(deepcopy=False))
        if not self.done and not waiting and all(holds(space[path], value) for path, value in values.items()):
            words = {path: _word(value, space[path]) for path, value in values.items()}
            self.study.enqueue_trial(words, user_attrs={START: True})

    @contextmanager
    def trial(self, space: Mapping[str, Options], names: list[str]) -> Generator[Trial]:
        """The next trial; the caller sets its ``value``. Values that cannot be built, or fit nothing, end it alone."""
        import optuna

        seed = int(self.run.rng(f"trial {self.done}").integers(1 << 31))
        self.study.sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, multivariate=True, seed=seed)
        asked = self.study.ask()
        for path, options in space.items():
            _suggest(asked, path, options)
        trial = Trial(self, asked, _values(asked, space), names)
        try:
            yield trial
        except (GivenUp, InputError) as reason:
            asked.set_user_attr("reason", str(reason))
            trial.value = None
        if trial.value is None or math.isnan(trial.value):
            self.study.tell(asked, state=optuna.trial.TrialState.PRUNED)
        else:
            self.study.tell(asked, trial.value)

    def best(self, space: Mapping[str, Options]) -> tuple[float, dict[str, Any]] | None:
        """The highest value of a whole trial, the first where several have it, and what was tried there."""
        whole = [trial for trial in self._finished if trial.state.name == "COMPLETE"]
        if not whole:
            return None
        found = max(whole, key=lambda trial: (_value(trial), -trial.number))
        return _value(found), _values(found, space)

    def reports(self, step: int) -> list[float]:
        """What earlier trials reported at a step."""
        return [trial.intermediate_values[step] for trial in self._finished if step in trial.intermediate_values]

    def importance(self) -> dict[str, float]:
        """The share of each setting in what differs between whole trials, by functional ANOVA; empty for too few.

        Hutter, Hoos and Leyton-Brown, An Efficient Approach for Assessing Hyperparameter Importance, ICML 2014.
        """
        import optuna

        values = {_value(trial) for trial in self._finished if trial.state.name == "COMPLETE"}
        if len(values) < 3:
            return {}
        seed = int(self.run.rng("importance").integers(1 << 31))
        judge = optuna.importance.FanovaImportanceEvaluator(seed=seed)
        found = optuna.importance.get_param_importances(self.study, evaluator=judge)
        return {path: float(share) for path, share in found.items()}

    def facts(self, names: list[str], space: Mapping[str, Options]) -> list[dict[str, Any]]:
        """Every ended trial in its order, as JSON holds it."""
        return [
            {
                "number": number,
                "state": "whole" if trial.state.name == "COMPLETE" else "given up",
                "value": _value(trial) if trial.state.name == "COMPLETE" else None,
                "seconds": _seconds(trial),
                "values": {path: _word(value, space[path]) for path, value in _values(trial, space).items()},
                "alone": {names[step]: value for step, value in trial.intermediate_values.items()},
                "reason": trial.user_attrs.get("reason"),
            }
            for number, trial in enumerate(self._finished)
        ]


@dataclass
class Trial:
    """One set of values, and what came of it."""

    study: Study
    asked: optuna.Trial
    values: dict[str, Any]
    names: list[str]
    """The sources whose values are searched."""
    value: float | None = field(default=None)
    """NDCG@10; None where it was not found out."""

    def report(self, name: str, value: float) -> None:
        """What a searched source reached alone. Raises ``GivenUp`` where earlier trials did clearly better there.

        The line is drawn for each source so that half of all trials would stay above it in all their searched sources
        by chance: at the median for one source, below it for several.
        """
        step = self.names.index(name)
        self.asked.report(value, step)
        earlier = self.study.reports(step)
        if not self.study.prune or self.study.done < STARTUP or not earlier:
            return
        line = float(np.quantile(earlier, 1 - 0.5 ** (1 / len(self.names)), method="lower"))
        if value < line:
            raise GivenUp(f"{name} alone reached {value:.4f}, and most earlier trials {line:.4f} or more")


@contextmanager
def opened(path: Path, job: str, run: Run, *, prune: bool, fresh: bool) -> Generator[Study]:
    """The study in a file, which is made where it is missing; ``fresh`` removes it first.

    Raises ``InputError`` where the extra is missing, or the file is another ``job``'s or no study at all.
    """
    optuna = needed()
    from sqlalchemy import URL
    from sqlalchemy.exc import SQLAlchemyError

    if fresh:
        path.unlink(missing_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage = optuna.storages.RDBStorage(URL.create("sqlite", database=str(path)).render_as_string())
    except (SQLAlchemyError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"not a study ({reason})", place=str(path), remedy="Use --fresh or another --out.") from None
    try:
        study = optuna.create_study(storage=storage, study_name=NAME, direction="maximize", load_if_exists=True)
        if study.get_trials(deepcopy=False) and study.user_attrs.get("job") != job:
            remedy = "The same command goes on with it. For another job give another --out, or --fresh to start anew."
            raise InputError(
                "the study is of other data, another pipeline, other options or other code",
                place=str(path),
                remedy=remedy,
            )
        study.set_user_attr("job", job)
        for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # it was under way when the job was killed
        yield Study(study, run, prune=prune)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def needed() -> Any:
    """Optuna. Raises ``InputError`` where the extra is not installed."""
    try:
        import optuna
    except ModuleNotFoundError as missing:
        raise InputError(
            f"tuning needs the package {missing.name}",
            remedy="Install the extra, in the checkout: pip install '.[tune]'.",
        ) from None
    return optuna


def _suggest(trial: optuna.Trial, path: str, options: Options) -> None:
    if not isinstance(options, Range):
        trial.suggest_categorical(path, [str(option) for option in options])
    elif options.whole:
        trial.suggest_int(path, int(options.low), int(options.high), step=int(options.step or 1), log=options.log)
    else:
        trial.suggest_float(path, options.low, options.high, step=options.step, log=options.log)


def _word(value: Any, options: Options) -> Any:
    """A value as the study names it: a choice as text, for it can hold no tables and no infinity."""
    if isinstance(options, Range):
        return int(value) if options.whole else value
    return str(next(option for option in options if plain(option) == plain(value)))


def _values(trial: optuna.Trial | optuna.trial.FrozenTrial, space: Mapping[str, Options]) -> dict[str, Any]:
    """What was tried, by path; numbers drawn from a range have four digits, for people."""
    exact = START in trial.user_attrs
    return {path: _meant(trial.params[path], options, exact=exact) for path, options in space.items()}


def _meant(word: Any, options: Options, *, exact: bool) -> Any:
    """The value that a word of the study stands for."""
    if not isinstance(options, Range):
        return next(option for option in options if str(option) == word)
    if exact or options.whole or options.step is not None:
        return word
    return min(max(float(f"{word:.4g}"), options.low), options.high)


def _value(trial: optuna.trial.FrozenTrial) -> float:
    return -math.inf if trial.value is None else trial.value


def _seconds(trial: optuna.trial.FrozenTrial) -> float:
    return trial.duration.total_seconds() if trial.duration is not None else 0.0
