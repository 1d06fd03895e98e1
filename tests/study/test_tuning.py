"""A tuning finds better values on half A, says on half B whether they hold, and goes on where it was stopped."""

import csv
import io
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_pages import Page, hostile

import shop
from accord.core.config import parse
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.roles import Recommender
from accord.core.run import Run
from accord.data import splits
from accord.data.holdout import Holdout, Split
from accord.pipeline.space import Range, holds
from accord.pipeline.spec import PipelineSpec, read_spec, spec_of, with_values
from accord.study.splitting import SplitSettings
from accord.study.trial_study import STARTUP, Budget, Study
from accord.study.tuning import Tuning, searched, tune_dataset
from accord.study.tuning_judge import Judge
from accord.study.tuning_page import render, trials_csv

optuna = pytest.importorskip("optuna")

SPACE = """
[tune.space]
"sources.knn.k" = { low = 1, high = 40 }
"sources.content.k" = [5, 1]
"fusers.0.normalise" = ["z", "minmax"]
"""
KNN = "sources.knn.k"
TRIALS = 6


def spec(more: str = SPACE) -> PipelineSpec:
    """The small pipeline, whose sources know one nearest item of each, which is too few."""
    return with_values(spec_of(shop.SMALL + more, "small.toml"), {KNN: 1, "sources.content.k": 1})


def job(folder: Path, out: Path, trials: int, run: Run | None = None, **options: Any) -> Tuning:
    return tune_dataset(folder, spec(), SplitSettings(), run or shop.run(), out, Budget(trials), **options)


@pytest.fixture(scope="module")
def done(shop_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tuning]:
    out = tmp_path_factory.mktemp("tuned")
    return out, job(shop_folder, out, TRIALS)


@pytest.fixture
def split(shop_data: Dataset) -> Split:
    return splits.leave_last(shop_data)[0]


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each kind of source was fitted."""
    made: Counter[str] = Counter()
    fit = Recommender.fit

    def counted(self: Recommender, data: Dataset, run: Run) -> Recommender:
        made[type(self).__name__] += 1
        return fit(self, data, run)

    monkeypatch.setattr(Recommender, "fit", counted)
    return made


def test_better_values_are_found_and_stand_in_a_file_of_their_own(done: tuple[Path, Tuning]) -> None:
    out, found = done
    half = found.facts["half_a"]
    assert half["best"] > half["untuned"]
    assert half["best"] == max(trial["value"] for trial in found.facts["trials"])
    best = read_spec(out / "best.toml")
    assert best == found.best
    assert best.sources["knn"]["k"] > 1
    assert best.search.values == {}
    assert best.tune == spec().tune, "so that it can be tuned further"


def test_the_first_trial_is_the_pipeline_as_it_stands(done: tuple[Path, Tuning]) -> None:
    facts = done[1].facts
    assert facts["trials"][0]["values"][KNN] == 1
    assert facts["trials"][0]["value"] == facts["half_a"]["untuned"]
    assert [list(trial["alone"]) for trial in facts["trials"]] == [["knn", "content"]] * TRIALS


def test_what_is_written_says_the_same(done: tuple[Path, Tuning]) -> None:
    out, found = done

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    facts = json.loads((out / "tuning.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert facts == found.facts
    rows = list(csv.DictReader(io.StringIO((out / "trials.csv").read_text(encoding="utf-8"))))
    assert [int(row["number"]) for row in rows] == list(range(TRIALS))
    assert [row["sources.knn.k"] for row in rows] == [str(trial["values"][KNN]) for trial in facts["trials"]]
    assert facts["importance"].keys() == spec().tune.space.keys()
    assert sum(facts["importance"].values()) == pytest.approx(1)


def test_half_b_is_told_with_its_paired_interval(done: tuple[Path, Tuning]) -> None:
    half = done[1].facts["half_b"]
    assert half["difference"] == pytest.approx(half["best"]["value"] - half["untuned"]["value"])
    assert half["low"] <= half["difference"] <= half["high"]


def test_trials_see_neither_half_b_nor_the_test(split: Split) -> None:
    """Truths of half B may say anything: what judges the trials stays the same, what confirms does not."""

    def figures(split: Split) -> tuple[float, float]:
        judge = Judge(split, shop.run(), 3_000)
        start = judge.started(spec())
        found = judge.value(start)
        return found.value, float(judge.unseen_values(start, found).mean())

    judge = Judge(split, shop.run(), 3_000)
    asked = set(judge.unseen.queries.users)
    assert not asked & set(judge.whole.queries.users)
    assert sum(len(part) for part in judge.parts) == len(judge.whole)
    before = figures(split)
    unseen = np.array([user in asked for user in split.valid.queries.users])
    after = figures(replace(split, valid=_altered(split.valid, unseen), tests={}))
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert figures(replace(split, valid=_altered(split.valid, ~unseen)))[0] != before[0]


def _altered(valid: Holdout, queries: np.ndarray) -> Holdout:
    truth = valid.truth
    values = np.where(queries[truth.rows], (truth.values + 17) % 80, truth.values).astype(np.int32)
    return replace(valid, truth=replace(truth, values=values))


def test_only_what_depends_on_a_changed_value_is_fitted_again(split: Split, fits: Counter[str]) -> None:
    judge = Judge(split, shop.run(), 3_000)
    start = judge.started(spec())
    first = judge.value(start)
    assert fits == {"Popular": 2, "ItemKNN": 1, "Content": 1}
    late = judge.value(with_values(start, {"sources.knn.tau": 0.7, "sources.content.tau": 2.0}))
    mixed = judge.value(with_values(start, {"fusers.0.normalise": "minmax"}), [0])
    assert fits.total() == 4
    assert first.value not in (late.value, mixed.value)
    judge.value(with_values(start, {KNN: 9}))
    assert fits == {"Popular": 2, "ItemKNN": 2, "Content": 1}
    judge.value(with_values(start, {"encoders.tfidf.min_df": 2}))
    assert fits == {"Popular": 2, "ItemKNN": 2, "Content": 2}
    judge.value(with_values(start, {"sources.content.tau": 9.0}))
    assert fits.total() == 6, "the fits that all start from are still there"


def test_shared_fits_say_what_fresh_ones_would(split: Split) -> None:
    judge = Judge(split, shop.run(), 3_000)
    start = judge.started(spec())
    changed = with_values(start, {"sources.knn.tau": 0.7, KNN: 9})
    judge.value(with_values(start, {KNN: 9}))
    alone = Judge(split, shop.run(), 3_000).value(changed)
    assert judge.value(changed) == alone


def test_a_tuning_that_was_stopped_ends_as_one_that_was_not(
    shop_folder: Path, tmp_path: Path, done: tuple[Path, Tuning], monkeypatch: pytest.MonkeyPatch
) -> None:
    value = Judge.value

    def stopped_after(calls: int) -> Callable[..., Any]:
        left = iter(range(calls))

        def judged(*given: Any, **named: Any) -> Any:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return value(*given, **named)

        return judged

    for calls in (1, 4):  # in the first trial, and in the third
        monkeypatch.setattr(Judge, "value", stopped_after(calls))
        with pytest.raises(KeyboardInterrupt):
            job(shop_folder, tmp_path, TRIALS)
    monkeypatch.setattr(Judge, "value", value)
    again = job(shop_folder, tmp_path, TRIALS)
    whole = done[1]
    assert _timeless(again.facts["trials"]) == _timeless(whole.facts["trials"])
    assert again.best == whole.best
    assert again.facts["half_b"] == whole.facts["half_b"]


@pytest.mark.parametrize("calls", [5, 14])
def test_a_tuning_that_gave_trials_up_goes_on_as_one_that_was_not_stopped(
    shop_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """What was judged before counts for giving up as much as what is judged anew."""
    few = '[tune.space]\n"sources.knn.k" = [1, 2, 3, 5, 9, 14, 20]\n"sources.content.k" = [1, 2, 5]\n'

    def tuned(out: Path, trials: int) -> Tuning:
        return tune_dataset(shop_folder, spec(few), SplitSettings(), shop.run(), out, Budget(trials))

    whole = tuned(tmp_path / "whole", 20)
    given_up = [trial["number"] for trial in whole.facts["trials"] if trial["state"] == "given up"]
    assert given_up, "the test is about these"
    tuned(tmp_path / "parts", calls)
    again = tuned(tmp_path / "parts", 20)
    assert _timeless(again.facts["trials"]) == _timeless(whole.facts["trials"])


def test_what_was_judged_before_is_reported_again(split: Split, fits: Counter[str]) -> None:
    judge, told = Judge(split, shop.run(), 3_000), list[list[tuple[str, float]]]()
    for _ in range(2):
        told.append([])
        judge.value(judge.started(spec()), first=["content"], report=lambda *figure: told[-1].append(figure))
    assert told[0] == told[1]
    assert told[0][0][0] == "content"
    assert fits == {"Popular": 2, "ItemKNN": 1, "Content": 1}


def test_a_tuning_asks_people_in_one_part_alone() -> None:
    judge = Judge(splits.leave_last(shop.world(40, 60, 3, 40).data)[0], shop.run(), 3_000)
    people = [set(part.queries.users) for part in judge.parts]
    assert len(judge.whole) > len(np.unique(judge.whole.queries.users))
    assert people[0] and people[1] and not people[0] & people[1]
    assert sum(map(len, judge.parts)) == len(judge.whole)


PROGRAM = "from accord.cli.app import main; main()"


@pytest.mark.slow
def test_a_tuning_that_was_killed_ends_as_one_that_was_not(shop_folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(spec().to_toml(), encoding="utf-8")
    tune = [
        sys.executable,
        "-c",
        PROGRAM,
        "tune",
        str(shop_folder),
        "--config",
        str(config),
        "--trials",
        "12",
        "--json",
    ]

    def started(out: str) -> "subprocess.Popen[str]":
        return subprocess.Popen([*tune, "--out", str(tmp_path / out)], stdout=subprocess.PIPE, text=True)

    for finished in (0, 3, 8):
        process = started("killed")
        while process.poll() is None and _finished(tmp_path / "killed" / "study.db") <= finished:
            time.sleep(0.02)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    killed, whole = (json.loads(started(out).communicate(timeout=300)[0]) for out in ("killed", "whole"))
    assert _timeless(killed["trials"]) == _timeless(whole["trials"])
    assert (killed["half_b"], killed["config_text"]) == (whole["half_b"], whole["config_text"])


def _finished(study: Path) -> int:
    """How many trials of a study, at which somebody else is at work, have ended."""
    try:
        with closing(sqlite3.connect(f"file:{study}?mode=ro", uri=True)) as base:
            return base.execute("SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED')").fetchone()[0]
    except sqlite3.OperationalError:  # not there yet
        return 0


def _timeless(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without times."""
    return [{key: value for key, value in trial.items() if key != "seconds"} for trial in trials]


def test_a_study_goes_further_but_never_into_another_job(shop_folder: Path, tmp_path: Path) -> None:
    assert len(job(shop_folder, tmp_path, 1).facts["trials"]) == 1
    assert len(job(shop_folder, tmp_path, 2).facts["trials"]) == 2
    assert len(job(shop_folder, tmp_path, 1).facts["trials"]) == 2, "nothing is forgotten"
    with pytest.raises(InputError, match="the study is of other data"):
        job(shop_folder, tmp_path, 3, shop.run(seed=5))
    assert len(job(shop_folder, tmp_path, 1, shop.run(seed=5), fresh=True).facts["trials"]) == 1


def test_a_study_of_other_code_is_not_gone_on_with(
    shop_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have judged otherwise."""
    job(shop_folder, tmp_path, 1)
    monkeypatch.setattr("accord.study.tuning.code_digest", lambda: "newer")
    with pytest.raises(InputError, match="other code"):
        job(shop_folder, tmp_path, 2)


def test_a_file_that_is_no_study_is_named(shop_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("no database at all, but long enough to be looked at" * 40, encoding="utf-8")
    with pytest.raises(InputError, match="not a study"):
        job(shop_folder, tmp_path, 1)


def test_without_time_the_pipeline_stays_as_it_is(shop_folder: Path, tmp_path: Path) -> None:
    found = tune_dataset(shop_folder, spec(), SplitSettings(), shop.run(), tmp_path, Budget(9, seconds=0.0))
    assert found.facts["trials"] == []
    assert found.best.sources["knn"]["k"] == 1
    assert found.facts["half_b"]["difference"] == 0
    assert "No trial was above" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_one_source_alone_is_tuned_without_the_others(shop_folder: Path, tmp_path: Path, fits: Counter[str]) -> None:
    found = job(shop_folder, tmp_path, 3, alone="knn")
    assert [entry["path"] for entry in found.facts["values"]] == [KNN]
    assert set(fits) == {"ItemKNN", "Popular"}, "popularity is what answers where the source is silent"
    assert fits["Popular"] == 2
    assert found.facts["objective"] == "knn"
    assert set(found.best.sources) == set(spec().sources)


def test_what_the_file_searches_itself_is_chosen_first_and_kept_for_sources_left_out(split: Split) -> None:
    start = Judge(split, shop.run(), 3_000).started(spec())
    assert start.search.values == {}
    assert start.sources["knn"]["tau"] in (4.0, float("inf"))
    alone = Judge(split, shop.run(), 3_000, "content").started(spec())
    assert alone.search == spec().search


def test_a_file_without_a_space_is_searched_among_its_choices() -> None:
    assert searched(spec_of(shop.SMALL, "x")) == {"sources.knn.tau": [4.0, float("inf")]}


@pytest.mark.parametrize(
    "more, alone, what",
    [
        ('"sources.knn.k" = [1, 2]', "none", "no such source"),
        ('"sources.knn.k" = [1, 2]', "content", "nothing to search"),
        ('"fusers.2.leaves" = [3, 7]', None, "a stack is not tuned"),
    ],
)
def test_what_cannot_be_searched_is_said_at_once(more: str, alone: str | None, what: str) -> None:
    text = shop.SMALL.replace("[search.values]", '[[fusers]]\nkind = "stack"\n\n[search.values]')
    with pytest.raises(InputError, match=what):
        searched(spec_of(f"{text}\n[tune.space]\n{more}\n", "x"), alone)


def test_settings_of_sources_that_do_not_apply_are_not_searched(shop_data: Dataset, tmp_path: Path) -> None:
    shop.without_order(shop_data).save(tmp_path / "data")
    clocked = '"sources.trending.half_life" = [1.0, 9.0]'
    both = spec_of(f'{shop.SMALL}\n[tune.space]\n{clocked}\n"sources.content.k" = [1, 2]\n', "x")
    settings = SplitSettings(split="random")
    found = tune_dataset(tmp_path / "data", both, settings, shop.run(), tmp_path / "both", Budget(1))
    assert [entry["path"] for entry in found.facts["values"]] == ["sources.content.k"]
    alone = spec_of(f"{shop.SMALL}\n[tune.space]\n{clocked}\n", "x")
    with pytest.raises(InputError, match=r"no searched source applies .*trending"):
        tune_dataset(tmp_path / "data", alone, settings, shop.run(), tmp_path / "alone", Budget(1))


def test_the_start_is_tried_as_it_is_and_what_is_written_down_is_what_was_tried(
    shop_folder: Path, tmp_path: Path
) -> None:
    text = """
    [tune.space]
    "sources.trending.half_life" = { low = 1.0, high = 9.0 }
    "sources.knn.k" = { low = 1, high = 40 }
    """
    start = with_values(spec(text), {"sources.trending.half_life": 1.23456, KNN: 4.0})
    found = tune_dataset(shop_folder, start, SplitSettings(), shop.run(), tmp_path, Budget(4))
    first, *others = found.facts["trials"]
    assert first["values"] == {"sources.trending.half_life": 1.23456, KNN: 4}
    assert first["value"] == found.facts["half_a"]["untuned"]
    drawn = [trial["values"]["sources.trending.half_life"] for trial in others]
    assert drawn == [float(f"{value:.4g}") for value in drawn]


def test_lists_among_the_choices_are_found_again() -> None:
    assert holds([["hour"], []], ("hour",))
    assert not holds([["hour"], []], ("day",))
    whole = parse_range()
    assert holds(whole, 4.0)
    assert not holds(whole, 4.5)
    one = study()
    one.begin_with({"sources.a.clock": ("hour",)}, {"sources.a.clock": [[], ["hour"]]})
    with one.trial({"sources.a.clock": [[], ["hour"]]}, []) as trial:
        assert trial.values == {"sources.a.clock": ["hour"]}


def test_a_start_that_waits_is_not_asked_for_again() -> None:
    """A job may be killed between the two."""
    killed = study()
    for _ in range(2):
        killed.begin_with({"sources.a.k": 3}, {"sources.a.k": parse_range()})
    for _ in range(2):
        reported(killed, {"a": 0.5})
    assert [trial["values"]["sources.a.k"] for trial in killed.facts(["a"], {"sources.a.k": parse_range()})][1] != 3


def test_a_job_that_was_refused_may_be_mended(shop_folder: Path, tmp_path: Path) -> None:
    wrong = with_values(spec(), {"encoders.tfidf.fields": ["colour"]})
    with pytest.raises(InputError):
        tune_dataset(shop_folder, wrong, SplitSettings(), shop.run(), tmp_path, Budget(1))
    assert len(job(shop_folder, tmp_path, 1).facts["trials"]) == 1


def test_no_choices_are_refused() -> None:
    with pytest.raises(InputError, match=r"search.*knn\.k"):
        spec_of(shop.SMALL.replace('"knn.tau" = [4.0, inf]', '"knn.k" = []'), "x")


def test_too_little_validation_is_said() -> None:
    few = splits.leave_last(shop.world(9, 12, 2, 6).data)[0]
    with pytest.raises(InputError, match="fewer than 40 validation queries"):
        Judge(few, shop.run(), 3_000)


def study(prune: bool = True) -> Study:
    return Study(optuna.create_study(direction="maximize"), shop.run(), prune=prune)


def reported(study: Study, figures: dict[str, float]) -> float | None:
    """One trial in which the sources alone reach these figures; 1 where it was not given up."""
    with study.trial({"sources.a.k": parse_range()}, list(figures)) as trial:
        for name, figure in figures.items():
            trial.report(name, figure)
        trial.value = 1.0
    return trial.value


def parse_range() -> Range:
    return parse(Range, {"low": 1, "high": 9}, "here")


def test_a_source_below_the_median_of_earlier_trials_ends_a_trial() -> None:
    made = study()
    for place in range(STARTUP):
        assert reported(made, {"a": place / 10}) == 1.0, "the first trials are all whole"
    assert reported(made, {"a": 0.39}) is None
    assert reported(made, {"a": 0.45}) == 1.0
    facts = made.facts(["a"], {"sources.a.k": parse_range()})
    assert [trial["state"] for trial in facts[-2:]] == ["given up", "whole"]
    assert facts[-2]["alone"] == {"a": 0.39}
    assert "a alone reached 0.3900" in facts[-2]["reason"]


def test_of_several_sources_each_may_be_lower() -> None:
    """Were the figures chance, half of the trials would go on: with two sources the line is at the lower 29 %."""
    made = study()
    for place in range(STARTUP):
        reported(made, {"a": place / 10, "b": place / 10})
    assert reported(made, {"a": 0.25, "b": 0.9}) == 1.0
    assert reported(made, {"a": 0.9, "b": 0.1}) is None


def test_nothing_is_given_up_where_that_is_not_wanted() -> None:
    made = study(prune=False)
    assert [reported(made, {"a": figure}) for figure in (*[0.9] * STARTUP, 0.1)] == [1.0] * (STARTUP + 1)


def test_values_that_cannot_be_built_end_their_trial_alone() -> None:
    made = study()
    with made.trial({"sources.a.k": parse_range()}, []) as trial:
        raise InputError("these do not go together")
    assert (trial.value, made.done, made.best({"sources.a.k": parse_range()})) == (None, 1, None)
    assert "do not go together" in made.facts([], {})[0]["reason"]


def test_a_figure_that_is_no_number_is_no_value() -> None:
    made = study()
    with made.trial({"sources.a.k": parse_range()}, []) as trial:
        trial.value = float("nan")
    assert made.facts([], {})[0]["state"] == "given up"


def test_the_page_keeps_hostile_text_as_text(done: tuple[Path, Tuning]) -> None:
    facts = hostile(done[1].facts)
    facts["importance"] = {"</script><script>": 0.5, "b": 0.5}
    seen = Page(render(facts))
    assert not {"script", "img"} & set(seen.names())
    assert seen.open == []


def test_the_page_has_its_parts(done: tuple[Path, Tuning]) -> None:
    seen = Page((done[0] / "report.html").read_text(encoding="utf-8"))
    for wanted in ("Do they hold?", "seen by no trial", "sources.knn.k", "1 to 40", "Importance", "best.toml"):
        assert wanted in seen.text
    assert seen.open == []


def test_the_verdict_follows_half_b(done: tuple[Path, Tuning]) -> None:
    def told(low: float, high: float) -> str:
        return Page(render({**done[1].facts, "half_b": {"low": low, "high": high, "difference": low}})).text

    assert "hold on unseen queries" in told(0.01, 0.02)
    assert "within the noise" in told(-0.01, 0.02)
    assert "worse on unseen queries" in told(-0.02, -0.01)


def test_the_table_of_trials_has_figures_of_each_source_alone() -> None:
    trial = {"number": 0, "state": "whole", "value": 0.5, "seconds": 1.0, "values": {"p": "x,y"}, "reason": None}
    text = trials_csv({"trials": [{**trial, "alone": {"knn": 0.4}}], "values": [{"path": "p"}]})
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["p"], row["knn alone"], row["reason"]) == ("x,y", "0.4", "")
