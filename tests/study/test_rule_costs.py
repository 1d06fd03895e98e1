from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.data.holdout import Holdout, hold_out
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.placements import Placement
from accord.study.rule_costs import ALL, NONE, placement_costs, rule_costs, variants
from accord.study.splitting import SplitSettings
from stocked import stocked

FULL = Placement.model_validate(
    {
        "n": 6,
        "rules": {"stock": "stock", "blocked": ["i1"], "filters": {"cost": {"max": 50}, "year": 1991}},
        "caps": {"maker": 1, "tags": 2},
        "pins": [{"place": 1, "item": "i2"}],
        "boosts": [{"by": 1, "items": ["i3"]}, {"by": -1, "values": {"year": [1990]}}],
        "mute": {"items": ["i4"]},
    }
)


@pytest.fixture(scope="module")
def held_back(pipeline: Pipeline) -> Holdout:
    """What the people of the shop have not met, as if they met it next: an item of their own group."""
    data, world = pipeline.data, shop.world()
    rng = np.random.default_rng(0)
    items = [int(rng.choice(np.flatnonzero(world.item_groups == group))) for group in world.user_groups]
    return hold_out(data, shop.of_events(list(range(data.n_users)), items, data))[0]


def test_each_term_is_left_out_in_turn() -> None:
    found = variants(FULL)
    assert list(found) == [
        ALL,
        "without rules.stock",
        "without rules.blocked",
        "without pins",
        "without mute",
        "without rules.filters.cost",
        "without rules.filters.year",
        "without caps.maker",
        "without caps.tags",
        "without boosts.0",
        "without boosts.1",
        NONE,
    ]
    assert found["without rules.stock"].rules.stock is None
    assert list(found["without rules.filters.cost"].rules.filters) == ["year"]
    assert found["without caps.maker"].caps == {"tags": 2}
    assert [boost.by for boost in found["without boosts.0"].boosts] == [-1]
    assert found["without pins"].pins == ()
    assert found[NONE] == Placement(n=6)
    assert all(one.n == 6 for one in found.values())


def test_a_rule_costs_what_it_hides(pipeline: Pipeline, held_back: Holdout) -> None:
    """Half of the true items are blocked: without that rule, and without any, the lists gain the same."""
    truth = np.unique(held_back.truth.values)
    blocked = [f"i{item}" for item in truth[::2]]
    placement = Placement.model_validate({"n": 10, "rules": {"blocked": blocked}})
    costs = placement_costs(pipeline, placement, held_back, shop.run())
    rows = {row["variant"]: row for row in costs["variants"]}
    assert list(rows) == [ALL, "without rules.blocked", NONE]
    assert "gain" not in rows[ALL]
    assert rows[NONE]["gain"]["low"] > 0
    assert rows[NONE]["ndcg@10"] == rows["without rules.blocked"]["ndcg@10"]
    difference = rows[NONE]["ndcg@10"]["value"] - rows[ALL]["ndcg@10"]["value"]
    assert rows[NONE]["gain"]["difference"] == pytest.approx(difference)
    assert rows[NONE]["gain"]["p_holm"] < 0.01
    assert costs["n_queries"] == len(held_back)


def test_short_lists_are_counted(pipeline: Pipeline, held_back: Holdout) -> None:
    placement = Placement.model_validate({"n": 6, "rules": {"only": ["i1", "i2", "i3"]}})
    rows = placement_costs(pipeline, placement, held_back, shop.run())["variants"]
    assert [row["short"] for row in rows] == [len(held_back), 0, 0]


def test_the_job_learns_without_the_test_and_names_every_placement(shop_data: Dataset, tmp_path: Path) -> None:
    stocked(shop_data).save(tmp_path / "data")
    placements = {"home": replace_name("home", {"stock": "stock"}), "bare": replace_name("bare", {})}
    found = rule_costs(tmp_path / "data", placements, shop.small(), SplitSettings(), shop.run())
    assert (found["split"], found["preset"], list(found["placements"])) == ("leave-last", "small", ["home", "bare"])
    assert [row["variant"] for row in found["placements"]["bare"]["variants"]] == [ALL, NONE]
    assert found["placements"]["bare"]["variants"][1]["gain"]["difference"] == 0


def replace_name(name: str, rules: dict) -> Placement:
    return Placement.model_validate({"name": name, "n": 5, "rules": rules})


def test_a_wrong_field_is_told_before_anything_is_learned(shop_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accord.study.rule_costs.learn", _refuse)
    with pytest.raises(InputError, match="no such field"):
        rule_costs(shop_folder, {"home": FULL}, shop.small(), SplitSettings(), shop.run())


def test_at_most_so_many_queries_are_asked(monkeypatch: pytest.MonkeyPatch, shop_folder: Path) -> None:
    monkeypatch.setattr("accord.study.rule_costs.MOST", 7)
    found = rule_costs(shop_folder, {"home": Placement()}, shop.small(), SplitSettings(), replace(shop.run(), seed=3))
    assert found["placements"]["home"]["n_queries"] == 7


def _refuse(*given: object) -> None:
    pytest.fail("it learned")
