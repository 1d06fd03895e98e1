"""``--target users`` through the commands: evaluate, train, recommend, similar."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from accord.core.dataset import Dataset
from accord.testing.planted import Planted, friends
from commands import call

CONFIG = """
name = "small people"
hide = 0.0

[encoders.attributes]
kind = "attributes"

[sources.adamic_adar]
kind = "adamic_adar"

[sources.content]
kind = "content"
column = "attributes"
"""
WORLD = friends(30, 6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People who listen to two artists of their group each; the last person has no friend at all."""
    groups, ids = WORLD.user_groups, WORLD.data.user_ids
    rng = np.random.default_rng(5)
    events = {
        "user": np.repeat(np.arange(len(ids), dtype=np.int32), 2),
        "item": (3 * np.repeat(groups, 2) + rng.integers(0, 3, 2 * len(ids))).astype(np.int32),
        "weight": np.ones(2 * len(ids), np.float32),
    }
    artists = pa.table({"item_id": [f"a{n}" for n in range(12)], "title": [f"Band {n}" for n in range(12)]})
    pairs = sorted(links(WORLD))
    table = pa.table({"head": [u for u, _ in pairs], "tail": [v for _, v in pairs]})
    out = tmp_path_factory.mktemp("people") / "data"
    Dataset(pa.table(events), artists, pa.table({"user_id": ids.tolist()}), {"friends": table}).save(out)
    (out.parent / "people.toml").write_text(CONFIG, encoding="utf-8")
    return out


def links(world: Planted) -> set[tuple[str, str]]:
    """Pairs of different people, without the one who shall have no friend."""
    ends = zip(world.data.event_users, world.data.event_items, strict=True)
    return {(world.data.user_ids[u], world.data.item_ids[v]) for u, v in ends if u != v and 119 not in (u, v)}


def run(*arguments: object, code: int = 0) -> None:
    call(arguments, code)


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    out = folder.parent / "live"
    config = folder.parent / "people.toml"
    run("train", folder, "--target", "users", "--config", config, "--out", out, "--quiet")
    return out


def test_evaluate_holds_out_links_in_both_directions(folder: Path, tmp_path: Path) -> None:
    options = ["--links", "friends", "--config", folder.parent / "people.toml", "--out", tmp_path / "run", "--quiet"]
    run("evaluate", folder, "--target", "users", *options)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["split"]["kind"] == "links"
    assert "each in both directions" in metrics["split"]["notes"][0]
    systems = metrics["tests"]["test"]["systems"]
    assert systems["fused"]["ndcg@10"]["value"] > 3 * systems["random"]["ndcg@10"]["value"]
    lists = pq.read_table(tmp_path / "run" / "recommendations.parquet")
    assert not any(row["user_id"] == row["item_id"] for row in lists.select(["user_id", "item_id"]).to_pylist())


@pytest.mark.parametrize("rule", [(), ("--include-seen",)])
def test_recommend_gives_people_of_the_group_and_never_oneself(
    folder: Path, trained: Path, tmp_path: Path, rule: tuple[str, ...]
) -> None:
    out = tmp_path / "lists.parquet"
    run("recommend", trained, "--target", "users", "--all-users", "-n", 5, "--out", out, "--quiet", *rule)
    rows = pq.read_table(out).to_pylist()
    pairs = {(row["user_id"], row["item_id"]) for row in rows}
    known = links(WORLD)
    assert len({user for user, _ in pairs}) == WORLD.data.n_users
    assert not any(user == other for user, other in pairs)
    assert bool(pairs & known) == bool(rule)
    groups = dict(zip(WORLD.data.user_ids, WORLD.user_groups, strict=True))
    assert np.mean([groups[user] == groups[other] for user, other in pairs]) > 0.95
    friendless = [other for user, other in pairs if user == "p119"]  # compared by what both did
    assert [groups[other] for other in friendless] == [groups["p119"]] * 5


def test_a_given_history_does_not_bring_oneself_back(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("user_id,item_id\np0,p1\n", encoding="utf-8")
    (tmp_path / "who.txt").write_text("p0\nstranger\n", encoding="utf-8")
    out = tmp_path / "lists.parquet"
    options = ["--users", tmp_path / "who.txt", "--history", tmp_path / "new.csv", "--out", out, "-n", 200]
    run("recommend", trained, *options, "--quiet")
    rows = pq.read_table(out).to_pylist()
    assert {row["user_id"] for row in rows} == {"p0", "stranger"}
    assert not {"p0", "p1"} & {row["item_id"] for row in rows if row["user_id"] == "p0"}


def test_similar_people_are_of_the_group(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("similar", trained, "--item", "p3", "-n", 3, "--json")
    (answer,) = json.loads(capsys.readouterr().out)
    groups = dict(zip(WORLD.data.user_ids, WORLD.user_groups, strict=True))
    assert [groups[entry["item_id"]] for entry in answer["similar"]] == [groups["p3"]] * 3


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["evaluate", "--target", "users", "--split", "temporal"], "--split: links are split at random only"),
        (["evaluate", "--target", "users", "--cold-users", "0.1"], "--cold-users: links are split at random only"),
        (["evaluate", "--links", "friends"], "--links: links are learned from where users are the target"),
        (["evaluate", "--target", "groups"], "accord evaluate.target"),
        (["train", "--target", "users", "--split", "temporal"], "--split: links are split at random only"),
        (["train", "--target", "users", "--links", "foes"], "--links: no such table of links"),
    ],
)
def test_what_does_not_go_together_is_refused(
    folder: Path, tmp_path: Path, command: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(command[0], folder, *command[1:], "--out", tmp_path / "run", "--quiet", code=2)
    assert message in capsys.readouterr().err


def test_a_run_of_people_is_no_run_of_items(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("recommend", trained, "--target", "items", "--all-users", "--out", tmp_path / "x.parquet", "--quiet", code=2)
    assert "the run recommends users" in capsys.readouterr().err
