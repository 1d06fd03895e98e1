import json
from pathlib import Path

import pytest

from accord.cli.options import chosen_spec
from accord.core.errors import InputError
from accord.pipeline.spec import preset, preset_names, preset_text, read_spec
from commands import call


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    call(arguments)
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


@pytest.mark.parametrize("name", preset_names())
def test_a_shown_preset_is_a_config_of_one_s_own(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(told(["presets", "show", name], capsys), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == preset_text(name)
    assert read_spec(path) == preset(name) == chosen_spec(name, path) == chosen_spec("any", path)


def test_presets_are_listed_with_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["presets", "list"], ["presets", "show"]):
        assert all(name in told(command, capsys) for name in preset_names())
        listed = json.loads(told([*command, "--json"], capsys))
        assert listed == {name: preset(name).description for name in preset_names()}


def test_a_preset_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    shown = json.loads(told(["presets", "show", "fast", "--json"], capsys), parse_constant=refuse)
    assert shown["name"] == "fast"
    assert shown["sources"]["ease"]["kind"] == "ease"


def test_without_a_config_the_preset_counts() -> None:
    assert chosen_spec("fast", None) == preset("fast")
    with pytest.raises(InputError, match="--preset"):
        chosen_spec("none", None)
