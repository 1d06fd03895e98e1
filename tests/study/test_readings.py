import json
from pathlib import Path

from accord.study.readings import READINGS, record


def facts(split: str = "leave-last", data: str = "d1") -> dict[str, str]:
    return {"data": data, "split": split, "preset": "fast"}


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / READINGS).read_text(encoding="utf-8").splitlines()]


def test_looks_at_one_test_are_counted(tmp_path: Path) -> None:
    assert [record([tmp_path], **facts())["number"] for _ in range(3)] == [1, 2, 3]
    assert [line["number"] for line in lines(tmp_path)] == [1, 2, 3]
    assert all(line["at"] and line["preset"] == "fast" for line in lines(tmp_path))


def test_another_split_or_other_data_is_another_test(tmp_path: Path) -> None:
    record([tmp_path], **facts())
    assert record([tmp_path], **facts("temporal"))["number"] == 1
    assert record([tmp_path], **facts(data="d2"))["number"] == 1
    assert record([tmp_path], **facts())["number"] == 2


def test_the_first_folder_counts_and_all_are_written(tmp_path: Path) -> None:
    data, runs = tmp_path / "data", [tmp_path / "a", tmp_path / "b"]
    for folder in (data, *runs):
        folder.mkdir()
    assert [record([data, out], **facts())["number"] for out in runs] == [1, 2]
    assert len(lines(data)) == 2
    assert [lines(out)[0]["number"] for out in runs] == [1, 2]
