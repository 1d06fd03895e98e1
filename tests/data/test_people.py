"""People as items: what the dataset says, and that a link held out in one direction is held out in both."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.data.link_splits import link_split, link_validation
from accord.data.people import Target, is_people, people, themselves
from accord.data.splits import validation_only


def music() -> Dataset:
    """Three listeners, three artists of which one has no title, links with repeats, a loop and a stranger."""
    events = {
        "user": np.array([0, 0, 0, 1, 1, 0], np.int32),
        "item": np.array([0, 1, 2, 0, 2, 0], np.int32),
        "weight": np.array([1, 2, 1, 1, -1, 1], np.float32),
        "value": [5.0, 1.0, 9.0, 1.0, 1.0, 2.0],
    }
    artists = {"item_id": ["a", "b", "c"], "title": ["Abba", None, "Cher"], "description": [None, "B sings.", None]}
    links = {"head": ["u1", "u2", "u3", "u1", "u1"], "tail": ["u2", "u1", "u3", "u3", "new"]}
    users = pa.table({"user_id": ["u1", "u2", "u3"], "age": [20, 30, 40], "text": ["hi", None, None]})
    tables = {"friends": pa.table({**links, "relation": ["friend"] * 5})}
    return Dataset(pa.table(events), pa.table(artists), users, tables, order="row")


def graph(n: int = 60, links: int = 240, seed: int = 0) -> Dataset:
    """People with random links and one artist each."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, n, (2, links))
    ids = [f"p{number}" for number in range(n)]
    table = pa.table({"head": [ids[a] for a in ends[0]], "tail": [ids[b] for b in ends[1]]})
    events = {"user": np.arange(n, dtype=np.int32), "item": np.zeros(n, np.int32), "weight": np.ones(n, np.float32)}
    return people(
        Dataset(pa.table(events), pa.table({"item_id": ["x"]}), pa.table({"user_id": ids}), {"friends": table})
    )


def linked(data: Dataset) -> set[tuple[str, str]]:
    return {(data.user_ids[u], data.item_ids[i]) for u, i in zip(data.event_users, data.event_items, strict=True)}


def truths(holdout) -> set[tuple[int, int]]:
    numbers = [int(name.removeprefix("p")) for name in holdout.queries.users]
    return {(numbers[row], int(item)) for row, item in zip(holdout.truth.rows, holdout.truth.values, strict=True)}


def test_links_run_both_ways_and_everybody_has_themself():
    data = people(music())
    both = {("u1", "u2"), ("u2", "u1"), ("u1", "u3"), ("u3", "u1"), ("u1", "new"), ("new", "u1")}
    assert linked(data) == both | {(name, name) for name in ("u1", "u2", "u3", "new")}
    assert data.n_events == len(both) + 4
    assert data.order == "none"
    assert is_people(data)
    assert not is_people(music())
    assert not is_people(replace(data, events=data.events.slice(1)))


def test_people_say_what_they_are_and_did():
    rows = {row["item_id"]: row for row in people(music()).items.to_pylist()}
    assert rows["u1"]["items"] == ["b", "Cher", "Abba"]  # by weight, then value; an artist without a title by id
    assert rows["u1"]["text"] == "B sings.. Cher. Abba"
    assert (rows["u1"]["age"], rows["u1"]["own_text"]) == (20, "hi")
    assert rows["u2"]["items"] == ["Abba"]  # what weighs against an artist is no liking
    assert (rows["u3"]["items"], rows["u3"]["text"]) == ([], None)
    assert (rows["new"]["items"], rows["new"]["age"]) == (None, None)


def test_the_only_table_of_links_needs_no_name():
    data = music()
    two = replace(data, links={**data.links, "follows": data.links["friends"].slice(0, 1)})
    assert people(two, "follows").n_events == 5 - 2 + 2 * 1
    for case, name, message in [
        (replace(data, links={}), None, "no links between users"),
        (two, None, r"several tables of links.*follows, friends"),
        (two, "foes", r"no such table of links\. Received: 'foes'"),
        (replace(data, users=pa.table({"user_id": ["x", "y", "z"]})), None, "no link has an end among the users"),
    ]:
        with pytest.raises(InputError, match=message):
            people(case, name)


def test_links_without_users_as_target_are_refused():
    assert Target().of(music()).n_items == 3
    with pytest.raises(InputError, match="--links"):
        Target(links="friends").of(music())


def test_both_directions_of_a_link_leave_together():
    data = graph()
    (split,) = link_split(data, np.random.default_rng(1))
    parts = [linked(split.train), truths_named(split.valid), truths_named(split.tests["test"])]
    for part in parts:
        assert part == {(b, a) for a, b in part}
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]
    assert parts[0] | parts[1] == linked(split.refit)
    assert linked(data) == parts[0] | parts[1] | parts[2]
    selves = {(name, name) for name in data.user_ids}
    assert selves <= parts[0]
    links = (data.n_events - data.n_users) / 2
    assert len(parts[2]) / 2 == pytest.approx(0.2 * links, abs=3 * np.sqrt(0.16 * links))
    assert len(parts[1]) / 2 == pytest.approx(0.1 * links, abs=3 * np.sqrt(0.09 * links))


def truths_named(holdout) -> set[tuple[str, str]]:
    return {(f"p{user}", f"p{item}") for user, item in truths(holdout)}


def test_nobody_is_asked_to_find_themself():
    (split,) = link_split(graph(), np.random.default_rng(1))
    for holdout in (split.valid, split.tests["test"]):
        for row, user in enumerate(holdout.queries.users):
            assert int(user.removeprefix("p")) in holdout.queries.history.ragged[row]


@pytest.mark.parametrize("cut", [link_validation, validation_only])
def test_production_keeps_all_links_and_asks_enough_people(cut):
    data = graph(links=80)
    split = cut(data, np.random.default_rng(2))
    assert split.refit is data
    assert not split.tests
    assert len(split.valid) >= data.n_users // 4
    asked = truths_named(split.valid)
    assert asked == {(b, a) for a, b in asked}
    assert linked(split.train) == linked(data) - asked


def test_the_same_seed_draws_the_same_links():
    first, again = (link_split(graph(), np.random.default_rng(3))[0].tests["test"] for _ in range(2))
    assert truths(first) == truths(again)
    assert truths(first) != truths(link_split(graph(), np.random.default_rng(4))[0].tests["test"])


def test_too_few_links_and_bad_shares_are_refused():
    with pytest.raises(InputError, match="too few links to hold some out"):
        link_split(graph(4, 2), np.random.default_rng(0))
    with pytest.raises(InputError, match="shares must be above 0"):
        link_split(graph(), np.random.default_rng(0), test=0.9, valid=0.1)


def test_themselves_are_numbers_of_people_by_id():
    data = people(music())
    found = themselves(data, ["u2", "stranger", "u1"])
    assert [row.tolist() for row in found] == [[data.item_numbers["u2"]], [], [data.item_numbers["u1"]]]
