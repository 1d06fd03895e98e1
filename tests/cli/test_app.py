"""What all commands share: help with examples, one line on bad input, JSON alone on standard output."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from accord.cli import app
from accord.core.errors import InputError

COMMANDS = [
    ["import"],
    ["evaluate"],
    ["compare"],
    ["tune"],
    ["train"],
    ["recommend"],
    ["similar"],
    ["explain"],
    ["rules", "cost"],
    ["rules", "check"],
    ["datasets", "list"],
    ["datasets", "fetch"],
    ["presets", "show"],
]

BAD = {
    "no such command": ["evaluat"],
    "no such option": ["evaluate", "--frobnicate"],
    "no arguments": ["evaluate"],
    "import: no file": ["import", "--events", "none.csv", "--out", "o"],
    "import: no events": ["import", "--out", "o"],
    "evaluate: no folder": ["evaluate", "none", "--out", "o"],
    "evaluate: a file": ["evaluate", "{file}", "--out", "o"],
    "evaluate: no split": ["evaluate", "{data}", "--out", "o", "--split", "sideways"],
    "evaluate: no preset": ["evaluate", "{data}", "--out", "o", "--preset", "none"],
    "evaluate: no config": ["evaluate", "{data}", "--out", "o", "--config", "none.toml"],
    "evaluate: bad config": ["evaluate", "{data}", "--out", "o", "--config", "{file}"],
    "evaluate: a word for a number": ["evaluate", "{data}", "--out", "o", "--seed", "x"],
    "evaluate: half a split": ["evaluate", "{data}", "--out", "o", "--train", "{file}"],
    "compare: no folder": ["compare", "none", "fast", "balanced", "--out", "o"],
    "compare: one": ["compare", "{data}", "fast", "--out", "o"],
    "train: no folder": ["train", "none", "--out", "o"],
    "train: taken": ["train", "{data}", "--out", "{data}", "--preset", "fast"],
    "train: no split": ["train", "{data}", "--out", "o", "--split", "sideways"],
    "recommend: nobody": ["recommend", "{run}", "--out", "o"],
    "recommend: both": ["recommend", "{run}", "--out", "o", "--all-users", "--users", "{file}"],
    "recommend: no run": ["recommend", "none", "--out", "o", "--all-users"],
    "recommend: a file": ["recommend", "{file}", "--out", "o", "--all-users"],
    "recommend: no users": ["recommend", "{run}", "--out", "o", "--users", "none.txt"],
    "recommend: unknown candidate": ["recommend", "{run}", "--out", "o", "--all-users", "--candidates", "{file}"],
    "recommend: no history": ["recommend", "{run}", "--out", "o", "--all-users", "--history", "none.csv"],
    "recommend: n": ["recommend", "{run}", "--out", "o", "--all-users", "-n", "0"],
    "recommend: out is a folder": ["recommend", "{run}", "--out", "{data}", "--all-users"],
    "recommend: out under a file": ["recommend", "{run}", "--out", "{file}/x/recs.parquet", "--all-users"],
    "similar: no run": ["similar", "none", "--item", "i0"],
    "similar: unknown item": ["similar", "{run}", "--item", "typo"],
    "explain: nobody": ["explain", "{run}"],
    "explain: both": ["explain", "{run}", "--user", "u0", "--having", "i0"],
    "explain: unknown item": ["explain", "{run}", "--user", "u0", "--item", "typo"],
    "explain: unknown history": ["explain", "{run}", "--having", "typo"],
    "datasets: unknown": ["datasets", "fetch", "none"],
    "presets: unknown": ["presets", "show", "none"],
}


def call(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        app.main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def places(shop_folder: Path, trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Where the words in braces lie; the test stands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_text("typo\n", encoding="utf-8")
    return {"data": str(shop_folder), "run": str(trained_folder), "file": "file.txt"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example_of_the_command_itself(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for option in ("--help", "-h"):
        assert call([*command, option]) == 0
        told = capsys.readouterr()
        assert "Example" in told.out
        assert f"accord {' '.join(command)}" in told.out.split("Example")[1]
        assert told.err == ""


def test_the_list_of_commands_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--help"]) == 0
    told = capsys.readouterr().out
    for command in COMMANDS:
        assert command[0] in told


@pytest.mark.parametrize("arguments", [[], ["datasets"], ["presets"]], ids=["accord", "datasets", "presets"])
def test_no_command_shows_the_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(arguments) in (0, 2)
    told = capsys.readouterr()
    assert "Usage" in told.out + told.err


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_code_2(
    name: str, places: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = ["--quiet"] if BAD[name][0] in ("import", "evaluate", "compare", "train", "recommend") else []
    assert call([word.format(**places) for word in BAD[name]] + quiet) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert told.err.startswith("accord: ")
    assert not Path("o").exists()


@pytest.mark.parametrize("name", BAD)
def test_bad_input_with_json_is_one_json_object(
    name: str, places: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([word.format(**places) for word in BAD[name]] + ["--json"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    error = json.loads(told.err)["error"]
    assert error["code"].startswith("bad_")
    assert error["message"]


def test_errors_of_several_lines_become_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise InputError("first\nsecond", place="here", value="a\nb", remedy="Do\nthis.")

    monkeypatch.setattr(app, "app", fail)
    assert call([]) == 2
    assert capsys.readouterr().err == "accord: here: first second. Received: 'a\\nb'. Do this.\n"


def test_a_stranger_s_mistake_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug stays a traceback: it is not the caller's input."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(ZeroDivisionError):
        app.main([])


def test_the_installed_program_ends_with_code_2() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "from accord.cli import main; main()", "presets", "show", "none"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert "balanced, best, fast" in done.stderr


def test_a_reader_that_leaves_early_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(app, "app", leave)
    monkeypatch.setattr(sys, "stderr", open("/dev/null", "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    assert call(["presets", "list"]) == 1
