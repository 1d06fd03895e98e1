from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import shop
from accord.core.errors import InputError
from accord.pipeline.pipeline import Pipeline
from accord.study import recommending
from accord.study.recommending import Request, recommend_batch


def lists(table: pa.Table) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for row in table.to_pylist():
        out.setdefault(row["user_id"], []).append(row["item_id"])
        assert row["rank"] == len(out[row["user_id"]])
    return out


def had(pipeline: Pipeline, user: str) -> set[str]:
    queries = pipeline.queries([user])
    return set(pipeline.data.item_ids[queries.history.items].tolist())


def test_everybody_gets_a_ranked_list_without_seen_items(trained_folder: Path, pipeline: Pipeline) -> None:
    table = recommend_batch(trained_folder, Request(n=7), shop.run())
    assert table.column_names == ["user_id", "item_id", "rank", "score", *pipeline.sources]
    found = lists(table)
    assert list(found) == pipeline.data.user_ids.tolist()
    for user, items in found.items():
        assert len(set(items)) == 7
        assert not set(items) & had(pipeline, user)


def test_the_file_says_what_the_pipeline_says(trained_folder: Path, pipeline: Pipeline) -> None:
    table = recommend_batch(trained_folder, Request(n=5), shop.run())
    slate = pipeline.recommend(pipeline.queries(pipeline.data.user_ids.tolist()), 5)
    assert table["item_id"].to_pylist() == pipeline.data.item_ids[slate.items.ravel()].tolist()
    np.testing.assert_array_equal(table["score"].to_numpy(), slate.column("score").ravel())
    knn = slate.column("knn").ravel()
    assert table["knn"].null_count == int(np.isnan(knn).sum())


def test_asked_users_come_in_their_order_once_each_unknown_ones_too(trained_folder: Path, tmp_path: Path) -> None:
    path = shop.write_ids(tmp_path / "users.txt", ["u9", "nobody", "u2", "u9", "Ünknown 2"])
    found = lists(recommend_batch(trained_folder, Request(users=str(path), n=4), shop.run()))
    assert list(found) == ["u9", "nobody", "u2", "Ünknown 2"]
    assert all(len(items) == 4 for items in found.values())
    assert found["nobody"] == found["Ünknown 2"]


def test_batches_make_no_difference(trained_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = recommend_batch(trained_folder, Request(n=3), shop.run())
    monkeypatch.setattr(recommending, "BATCH", 7)
    assert recommend_batch(trained_folder, Request(n=3), shop.run()).equals(whole)


def test_candidates_limit_and_seen_items_come_back_where_asked(
    trained_folder: Path, pipeline: Pipeline, tmp_path: Path
) -> None:
    wanted = [*sorted(had(pipeline, "u4"))[:3], "i0", "i1"]
    path = str(shop.write_ids(tmp_path / "stock.txt", wanted))
    users = str(shop.write_ids(tmp_path / "users.txt", ["u4"]))
    fresh = lists(recommend_batch(trained_folder, Request(users=users, candidates=path), shop.run()))
    assert set(fresh["u4"]) == set(wanted) - had(pipeline, "u4")
    request = Request(users=users, candidates=path, include_seen=True)
    assert set(lists(recommend_batch(trained_folder, request, shop.run()))["u4"]) == set(wanted)


def test_an_unknown_candidate_is_named(trained_folder: Path, tmp_path: Path) -> None:
    path = str(shop.write_ids(tmp_path / "stock.txt", ["i0", "typo"]))
    with pytest.raises(InputError, match=r"--candidates: 1 of 2 items are not in the catalogue\. Received: 'typo'"):
        recommend_batch(trained_folder, Request(candidates=path), shop.run())


def test_an_empty_list_of_users_gives_an_empty_table(trained_folder: Path, pipeline: Pipeline, tmp_path: Path) -> None:
    path = str(shop.write_ids(tmp_path / "users.txt", []))
    table = recommend_batch(trained_folder, Request(users=path), shop.run())
    assert table.num_rows == 0
    assert table.column_names == ["user_id", "item_id", "rank", "score", *pipeline.sources]


def test_a_given_history_replaces_the_known_one(trained_folder: Path, pipeline: Pipeline, tmp_path: Path) -> None:
    """u1 is given what u2 did: u1 now gets u2's list, and so does a stranger; u2 and u3 keep theirs."""
    rows = np.flatnonzero(pipeline.data.event_users == 2)
    items = pipeline.data.item_ids[pipeline.data.event_items[rows]]
    path = tmp_path / "history.csv"
    log = "".join(f"{user},{item},{1e9 + n}\n" for user in ("u1", "stranger") for n, item in enumerate(items))
    path.write_text("user_id,item_id,timestamp\n" + log + "stranger,never-heard-of,2e9\n", encoding="utf-8")
    users = str(shop.write_ids(tmp_path / "users.txt", ["u1", "u2", "u3", "stranger"]))
    before = lists(recommend_batch(trained_folder, Request(users=users), shop.run()))
    after = lists(recommend_batch(trained_folder, Request(users=users, history=str(path)), shop.run()))
    assert after["u2"] == before["u2"]
    assert after["u3"] == before["u3"]
    assert not set(after["u1"]) & set(items)
    assert after["u1"][:5] != before["u1"][:5]
    # A history file carries no weights, so lists agree in what they hold more than in their order.
    assert len(set(after["u1"]) & set(before["u2"])) >= 15
    assert after["stranger"] == after["u1"]


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="accord train"):
        recommend_batch(tmp_path, Request(), shop.run())
