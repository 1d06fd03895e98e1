import json
from pathlib import Path

import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, DataError, InputError
from accord.pipeline.artefact import load, read_card
from accord.study.training import train_dataset


def strict(text: str) -> object:
    """JSON without the words that only some readers know."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_training_saves_a_pipeline_over_all_events_with_its_card(shop_folder: Path, tmp_path: Path) -> None:
    learned = train_dataset(shop_folder, shop.small(), shop.run(4), tmp_path / "run")
    data, pipeline = Dataset.load(shop_folder), load(tmp_path / "run")
    assert pipeline.data.n_events == data.n_events
    assert pipeline.data.order == "time"
    users = data.user_ids.tolist()
    again = pipeline.recommend(pipeline.queries(users), 10)
    assert again.items.tolist() == learned.pipeline.recommend(learned.pipeline.queries(users), 10).items.tolist()
    card = read_card(tmp_path / "run")
    assert card["dataset"]["fingerprint"] == data.fingerprint
    assert card["seed"] == 4
    assert card["validation"]["tried"] == learned.tried
    assert {"versions", "machine", "timings", "dropped", "skipped"} <= set(card)
    strict((tmp_path / "run" / "card.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", ["leave-last", "temporal", "random"])
def test_each_way_to_validate_learns_from_all_events_in_the_end(shop_folder: Path, tmp_path: Path, kind: str) -> None:
    train_dataset(shop_folder, shop.small(), shop.run(), tmp_path / "run", split=kind)  # pyright: ignore[reportArgumentType]
    assert load(tmp_path / "run").data.n_events == Dataset.load(shop_folder).n_events


def test_a_log_without_order_trains_by_default_and_refuses_what_needs_order(shop_data: Dataset, tmp_path: Path) -> None:
    shop.without_order(shop_data).save(tmp_path / "data")
    learned = train_dataset(tmp_path / "data", shop.small(), shop.run(), tmp_path / "run")
    assert "clock" in learned.skipped["trending"]
    assert load(tmp_path / "run").data.order == "none"
    for kind in ("leave-last", "temporal"):
        with pytest.raises(InputError, match="--split"):
            train_dataset(tmp_path / "data", shop.small(), shop.run(), tmp_path / "run2", split=kind)  # pyright: ignore[reportArgumentType]


def test_places_and_folders_are_checked_before_the_work(shop_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    run = shop.run()
    with pytest.raises(ArtefactError, match="something else"):
        train_dataset(shop_folder, shop.small(), run, tmp_path)
    with pytest.raises(DataError, match="not a dataset folder"):
        train_dataset(tmp_path, shop.small(), run, tmp_path / "run")
    assert run.timings == []
