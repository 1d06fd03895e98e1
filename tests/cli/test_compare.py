import json
from pathlib import Path

import pytest

import shop
from accord.cli.compare import sorted_out
from accord.cli.figures import print_comparison
from commands import call

POPULAR = '[sources.popular]\nkind = "popular"\n'
TREND = '[sources.trend]\nkind = "popular"\nhalf_life = 3.0\n'


@pytest.fixture
def data(tmp_path: Path) -> Path:
    shop.world(20, 12, 2, 6).data.save(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def configs(tmp_path: Path) -> list[str]:
    paths = [tmp_path / "always.toml", tmp_path / "lately.toml"]
    for path, text in zip(paths, (POPULAR, TREND), strict=True):
        path.write_text(text, encoding="utf-8")
    return list(map(str, paths))


@pytest.mark.slow
def test_json_stands_alone_and_the_tables_tell_it(
    data: Path, configs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--out", out, "--split", "random", "--against", "lately", "--no-refit", "--json"]
    call(["compare", data, "--configs", *configs, *options])
    told = capsys.readouterr()
    assert told.err == ""
    comparison = json.loads(told.out)
    assert list(comparison["pipelines"]) == ["always", "lately"]
    assert (comparison["against"], comparison["split"]["kind"]) == ("lately", "random")
    assert comparison["split"]["refit"] is False
    assert sorted(path.name for path in out.iterdir()) == ["comparison.json", "pipelines", "report.html"]
    print_comparison(comparison)
    printed = capsys.readouterr().out
    for words in ("NDCG@10", "Recall@20", "Coverage@10", "always − lately: NDCG@10", "Holm p", "MiB", "ms"):
        assert words in printed


def test_presets_and_files_may_follow_their_option_or_stand_alone(tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.write_text(POPULAR, encoding="utf-8")
    assert sorted_out(["fast", "mine.toml", "balanced", str(odd)]) == (
        ["fast", "balanced"],
        ["mine.toml", str(odd)],
    )


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--presets", "fast"], "at least two"),
        (["fast", "none"], "no such preset"),
        (["fast", "none.toml"], "no such file"),
        (["fast", "fast"], "same name"),
        (["fast", "balanced", "--against", "best"], "One of: fast, balanced"),
        (["fast", "balanced", "--split", "sideways"], "leave-last"),
    ],
)
def test_mistakes_stop_before_anything_is_written(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    call(["compare", data, *arguments, "--out", tmp_path / "out"], 2)
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
