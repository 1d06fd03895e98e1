import json
from pathlib import Path

import pytest

import shop
from accord.cli.tune import seconds_of
from accord.core.errors import InputError
from commands import call

pytest.importorskip("optuna")
SPACE = '\n[tune.space]\n"sources.knn.k" = { low = 1, high = 30 }\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(shop.SMALL + SPACE, encoding="utf-8")
    return path


def test_the_values_both_halves_and_the_files(
    shop_folder: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["tune", shop_folder, "--config", config, "--out", out, "--trials", "2"]
    call(command)
    told = capsys.readouterr()
    for word in ("trials: 2", "sources.knn.k", "Half A", "Half B", "best.toml", "report.html"):
        assert word in told.out
    assert "untuned: NDCG@10" in told.err
    files = {"best.toml", "tuning.json", "trials.csv", "report.html", "study.db"}
    assert {path.name for path in out.iterdir()} == files
    call([*command[:-1], "3", "--json"])
    told = capsys.readouterr()
    assert told.err == ""
    assert len(json.loads(told.out)["trials"]) == 3
    call(["evaluate", shop_folder, "--config", out / "best.toml", "--out", tmp_path / "evaluation", "-q"])


@pytest.mark.parametrize(
    "options, what",
    [
        (["--time", "soon"], "not a duration"),
        (["--source", "none"], "There are: popular"),
        (["--trials", "0"], "--trials"),
        (["--split", "sideways"], "split"),
    ],
)
def test_bad_options_are_told_in_one_line(
    shop_folder: Path, config: Path, tmp_path: Path, options: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call(["tune", shop_folder, "--config", config, "--out", tmp_path / "out", *options], 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert what in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text, seconds", [("90", 90), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2h5s", 7205)])
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "1.5h", "0s", "5m2h"])
def test_other_words_are_no_durations(text: str) -> None:
    with pytest.raises(InputError, match="--time"):
        seconds_of(text)
