import json
from pathlib import Path

import pytest

from commands import call

PLACEMENTS = """
[placements.home]
n = 5
rules.filters.genres = ["genre0", "genre1"]
caps.brand = 2
pins = [{ place = 1, item = "gone" }]
"""


@pytest.fixture
def placements(tmp_path: Path) -> Path:
    path = tmp_path / "placements.toml"
    path.write_text(PLACEMENTS, encoding="utf-8")
    return path


def test_the_table_of_costs(
    shop_folder: Path, small_config: Path, placements: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["rules", "cost", str(shop_folder), "--placements", str(placements), "--config", str(small_config)]
    call(command)
    told = capsys.readouterr()
    for word in ("home", "all terms", "without rules.filters.genres", "without caps.brand", "no terms", "short lists"):
        assert word in told.out
    assert "placement home" in told.err
    call([*command, "--split", "temporal", "--json"])
    found = json.loads(capsys.readouterr().out)
    rows = found["placements"]["home"]["variants"]
    assert found["split"] == "temporal"
    assert rows[0]["variant"] == "all terms"
    assert set(rows[-1]["gain"]) == {"difference", "low", "high", "p", "p_holm"}


def test_a_check_tells_what_looks_wrong(
    trained_folder: Path, placements: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(["rules", "check", str(trained_folder), "--placements", str(placements)])
    assert "home: pins: 1 of 1 items are not in the catalogue, such as 'gone'" in capsys.readouterr().out
    call(["rules", "check", str(trained_folder), "--placements", str(placements), "--json"])
    assert list(json.loads(capsys.readouterr().out)) == ["home"]


def test_a_field_that_is_not_there_is_one_line(
    trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('[placements.home]\nrules.stock = "shelf"\n', encoding="utf-8")
    call(["rules", "check", str(trained_folder), "--placements", str(path)], 2)
    told = capsys.readouterr().err
    assert "rules.stock: the items have no such field. Received: 'shelf'. There are: item_id (text)" in told
    call(["rules", "cost", "none", "--placements", str(tmp_path / "none.toml")], 2)
    assert "no such file" in capsys.readouterr().err
