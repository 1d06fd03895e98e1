import gzip
from pathlib import Path

import numpy as np
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.data.holdout import Holdout
from accord.study.splitting import SplitSettings, item_numbers, make_splits, read_ids


def pairs(data: Dataset) -> list[tuple[str, str]]:
    return [
        (data.user_ids[user], data.item_ids[item])
        for user, item in zip(data.event_users, data.event_items, strict=True)
    ]


def truths(data: Dataset, holdout: Holdout) -> set[tuple[str, str]]:
    rows = zip(holdout.queries.users, holdout.truth, strict=True)
    return {(user, data.item_ids[item]) for user, items in rows for item in items}


@pytest.fixture
def thirds(shop_data: Dataset) -> list[np.ndarray]:
    """Event rows of an official split: the first 70 %, then 15 % and 15 %."""
    n = shop_data.n_events
    return np.split(np.arange(n), [int(0.7 * n), int(0.85 * n)])


def test_each_kind_of_split(shop_data: Dataset) -> None:
    for settings, name, n in (
        (SplitSettings(), "leave-last", 1),
        (SplitSettings(split="random"), "random", 1),
        (SplitSettings(split="temporal"), "temporal", 1),
        (SplitSettings(split="temporal", cuts=3), "temporal 1/3", 3),
        (SplitSettings(cold_items="0.2"), "cold items, leave-last", 1),
        (SplitSettings(cold_items="0.2", split="random"), "cold items, random", 1),
        (SplitSettings(cold_users=0.2), "cold users", 1),
    ):
        data, cut = make_splits(shop_data, settings, shop.run())
        assert data is shop_data
        assert name.startswith(settings.kind)
        assert (cut[0].name, len(cut)) == (name, n)


def test_the_same_seed_cuts_the_same(shop_data: Dataset) -> None:
    settings = SplitSettings(split="random")
    first, again, other = (make_splits(shop_data, settings, shop.run(seed))[1][0] for seed in (1, 1, 2))
    assert first.train.events.equals(again.train.events)
    assert not first.train.events.equals(other.train.events)


def test_cold_items_of_a_file_are_just_those(shop_data: Dataset, tmp_path: Path) -> None:
    wanted = {"i3", "i30", "i44"}
    path = shop.write_ids(tmp_path / "cold.txt", sorted(wanted))
    _, (split,) = make_splits(shop_data, SplitSettings(cold_items=str(path)), shop.run())
    assert not wanted & {item for _, item in pairs(split.refit)}
    cold = split.tests["cold among cold"]
    assert {item for _, item in truths(shop_data, cold)} <= wanted
    assert cold.queries.candidates is not None
    assert {shop_data.item_ids[item] for item in cold.queries.candidates} == wanted


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SplitSettings(cold_items="1.5"), "shares must be"),
        (SplitSettings(cold_items="0"), "shares must be"),
        (SplitSettings(cold_items="nan"), "--cold-items"),
        (SplitSettings(cold_items="none.txt"), r"--cold-items: .*none\.txt"),
        (SplitSettings(cold_items="0.1", split="temporal"), "--split"),
        (SplitSettings(train="a.csv"), "both --train and --test"),
        (SplitSettings(valid="a.csv"), "both --train and --test"),
        (SplitSettings(train="none.csv", test="none.csv"), r"none\.csv"),
        (SplitSettings(split="temporal", cuts=0), "cut"),
        (SplitSettings(split="temporal", cuts=20), "leave some events"),
    ],
)
def test_what_cannot_be_split_says_why(shop_data: Dataset, settings: SplitSettings, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_splits(shop_data, settings, shop.run())


@pytest.mark.parametrize("kind", ["leave-last", "temporal"])
def test_a_log_without_order_is_told_what_to_use(shop_data: Dataset, kind: str) -> None:
    with pytest.raises(InputError, match=r"Use"):
        make_splits(shop.without_order(shop_data), SplitSettings.model_validate({"split": kind}), shop.run())


@pytest.mark.parametrize("clock", [True, False])
def test_given_files_are_used_as_they_are(
    shop_data: Dataset, thirds: list[np.ndarray], tmp_path: Path, *, clock: bool
) -> None:
    names = ("train", "valid", "test")
    files = {
        name: str(shop.write_events(tmp_path / f"{name}.csv", shop_data, rows, clock=clock))
        for name, rows in zip(names, thirds, strict=True)
    }
    data, (split,) = make_splits(shop_data, SplitSettings.model_validate(files), shop.run())
    every = pairs(shop_data)
    train, valid, test = ({every[row] for row in rows} for rows in thirds)
    assert set(pairs(split.train)) == train
    assert set(pairs(split.refit)) == train | valid
    assert truths(data, split.tests["test"]) == test - train - valid
    assert data.order == ("time" if clock else "row")
    assert data.item_ids[: shop_data.n_items].tolist() == shop_data.item_ids.tolist()


def test_given_files_without_validation_cut_it_from_training(
    shop_data: Dataset, thirds: list[np.ndarray], tmp_path: Path
) -> None:
    train = shop.write_events(tmp_path / "train.csv", shop_data, np.concatenate(thirds[:2]))
    test = shop.write_events(tmp_path / "test.csv", shop_data, thirds[2])
    _, (split,) = make_splits(shop_data, SplitSettings(train=str(train), test=str(test)), shop.run())
    assert len(split.valid) > 100
    assert "cut from the training part" in split.notes[0]
    assert split.refit.n_events == len(thirds[0]) + len(thirds[1])


def test_given_files_may_name_new_people_and_items(shop_data: Dataset, tmp_path: Path) -> None:
    train = shop.write_events(tmp_path / "train.csv", shop_data, np.arange(1000))
    test = tmp_path / "test.csv"
    test.write_text("user_id,item_id,timestamp\nu0,brand-new,2e9\nstranger,i0,2e9\n", encoding="utf-8")
    data, (split,) = make_splits(shop_data, SplitSettings(train=str(train), test=str(test)), shop.run())
    assert truths(data, split.tests["test"]) == {("u0", "brand-new"), ("stranger", "i0")}
    assert truths(data, split.tests["cold among all"]) == {("u0", "brand-new")}
    assert data.items["title"].to_pylist()[data.item_numbers["brand-new"]] is None


def test_id_files_may_be_packed_marked_and_ragged(tmp_path: Path) -> None:
    text = "\ufeffi1\r\n  i2  \n\n i3"
    (tmp_path / "ids.txt").write_bytes(text.encode())
    (tmp_path / "ids.txt.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("ids.txt", "ids.txt.gz"):
        assert read_ids(str(tmp_path / name), "--users") == ["i1", "i2", "i3"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("binary.txt", b"\xff\xfe\x00"),
        ("plain.gz", b"i1\n"),
        ("short.gz", gzip.compress(b"i1\n" * 1000, mtime=0)[:-12]),
        ("broken.gz", gzip.compress(b"i1\n" * 1000, mtime=0)[:10] + b"\xff" * 40),
    ],
    ids=["binary", "plain", "short", "broken"],
)
def test_id_files_that_cannot_be_read_name_the_option(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"--users: not a readable text file .*{name}"):
        read_ids(str(tmp_path / name), "--users")
    with pytest.raises(InputError, match="--users"):
        read_ids(str(tmp_path), "--users")


def test_unknown_items_are_counted_and_the_first_named(shop_data: Dataset) -> None:
    assert item_numbers(shop_data, ["i2", "i0"], "--item").tolist() == [2, 0]
    with pytest.raises(InputError, match=r"--candidates: 2 of 3 items are not in the catalogue\. Received: 'x'"):
        item_numbers(shop_data, ["x", "i0", "y"], "--candidates")
