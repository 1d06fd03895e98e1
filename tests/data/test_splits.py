from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.data import splits
from accord.data.holdout import Holdout, Split
from accord.data.splits import TEST, TRAIN, VALID


def log(users, items, times=None, order="time", n_users=None, n_items=None) -> Dataset:
    """A dataset of the given events, put oldest first."""
    users, items = np.asarray(users, np.int32), np.asarray(items, np.int32)
    columns = {"user": users, "item": items, "weight": np.ones(len(users), np.float32)}
    if order == "time":
        times = np.arange(len(users)) if times is None else np.asarray(times)
        oldest = np.argsort(times, kind="stable")
        columns = {name: values[oldest] for name, values in columns.items()} | {"timestamp": times[oldest] * 1.0}
    n_users = n_users or int(users.max()) + 1
    n_items = n_items or int(items.max()) + 1
    return Dataset(
        pa.table(columns),
        pa.table({"item_id": [f"i{i}" for i in range(n_items)]}),
        pa.table({"user_id": [f"u{u}" for u in range(n_users)]}),
        order=order,
    )


def random_log(seed: int, order="time", events=300) -> Dataset:
    rng = np.random.default_rng(seed)
    times = rng.integers(0, 120, events)
    return log(rng.integers(0, 20, events), rng.integers(0, 60, events), times, order, n_users=22, n_items=64)


def pairs(data: Dataset) -> set[tuple[int, int]]:
    return set(zip(data.event_users.tolist(), data.event_items.tolist(), strict=True))


def asked(holdout: Holdout) -> dict[str, list[int]]:
    return {user: row.tolist() for user, row in zip(holdout.queries.users, holdout.truth, strict=True)}


def same_questions(a: Holdout, b: Holdout) -> bool:
    left, right = a.queries, b.queries
    return (
        left.users.tolist() == right.users.tolist()
        and left.history.items.tobytes() == right.history.items.tobytes()
        and left.history.times.tobytes() == right.history.times.tobytes()
        and a.truth.values.tobytes() == b.truth.values.tobytes()
        and left.now.tobytes() == right.now.tobytes()
    )


def check_sound(data: Dataset, split: Split) -> None:
    assert pairs(split.train) <= pairs(split.refit) <= pairs(data)
    for past, holdout in [(split.train, split.valid), *((split.refit, test) for test in split.tests.values())]:
        known = pairs(past)
        assert (holdout.truth.lengths > 0).all()
        for user, history, truth in zip(
            holdout.queries.users, holdout.queries.history.ragged, holdout.truth, strict=True
        ):
            assert not set(truth) & set(history)
            assert len(set(truth)) == len(truth)
            assert not {(data.user_numbers[user], int(item)) for item in truth} & known


def test_leave_last_by_hand():
    data = log([0, 0, 0, 0, 1, 1, 2, 2, 2], [5, 3, 1, 0, 2, 3, 4, 5, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9])
    (split,) = splits.leave_last(data)
    assert asked(split.valid) == {"u0": [1], "u2": [5]}
    assert asked(split.tests["test"]) == {"u0": [0], "u2": [2]}
    assert split.tests["test"].queries.history.ragged[0].tolist() == [5, 3, 1]
    assert split.tests["test"].queries.now.tolist() == [4.0, 9.0]
    assert pairs(split.train) == {(0, 5), (0, 3), (1, 2), (1, 3), (2, 4)}
    assert pairs(split.refit) == pairs(split.train) | {(0, 1), (2, 5)}
    assert split.notes == ["1 users with fewer than three events are in training only."]


def test_leave_last_asks_nobody_for_what_he_had_before():
    (split,) = splits.leave_last(log([0, 0, 0, 1, 1, 1], [1, 2, 1, 1, 2, 3]))
    assert asked(split.tests["test"]) == {"u1": [3]}
    assert split.notes == ["Not asked for, because seen before: 0 items of validation and 1 of the test."]


def test_leave_last_follows_rows_and_refuses_a_log_without_order():
    (split,) = splits.leave_last(log([0, 1, 0, 1, 0, 1], [3, 3, 2, 1, 1, 2], order="row"))
    assert asked(split.tests["test"]) == {"u0": [1], "u1": [2]}
    assert np.isnan(split.tests["test"].queries.now).all()
    with pytest.raises(InputError, match="random"):
        splits.leave_last(random_log(0, order="none"))


def test_temporal_by_hand():
    data = log([0, 1, 0, 1, 0, 1, 0, 2, 1, 2], np.arange(10))
    (split,) = splits.temporal(data, test=0.3, valid=0.2)
    assert split.train.event_times.tolist() == [0, 1, 2, 3, 4]
    assert asked(split.valid) == {"u0": [6], "u1": [5]}
    assert asked(split.tests["test"]) == {"u1": [8], "u2": [7, 9]}
    assert split.tests["test"].queries.history.lengths.tolist() == [3, 0]
    assert split.tests["test"].queries.now.tolist() == [8.0, 7.0]
    assert split.notes == ["1 of 2 test users have no history before the cut."]


def test_rolling_cuts_are_consecutive_and_end_with_the_log():
    cuts = splits.temporal(random_log(1), test=0.1, valid=0.1, cuts=5)
    assert [cut.name for cut in cuts] == [f"temporal {i}/5" for i in range(1, 6)]
    assert [cut.refit.n_events for cut in cuts] == sorted(cut.refit.n_events for cut in cuts)
    for early, late in pairwise(cuts):
        assert early.refit.n_events == late.train.n_events
    assert cuts[-1].refit.n_events == splits.temporal(random_log(1))[0].refit.n_events


@pytest.mark.parametrize("shares", [{"test": 0.0}, {"test": 0.6, "valid": 0.4}, {"cuts": 9}, {"cuts": 0}])
def test_impossible_windows_are_refused(shares):
    with pytest.raises(InputError):
        splits.temporal(random_log(1), **shares)


def test_temporal_needs_a_clock():
    with pytest.raises(InputError, match="clock"):
        splits.temporal(random_log(1, order="row"))


@examples(seed=st.integers(0, 10**6), cuts=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_nothing_after_a_temporal_cut_leaks(seed, cuts):
    data = random_log(seed)
    rng = np.random.default_rng(seed)
    for number, split in enumerate(splits.temporal(data, cuts=cuts)):
        check_sound(data, split)
        start = split.tests["test"].queries.now.min()
        assert split.train.event_times.max() < split.valid.queries.now.min()
        assert split.refit.event_times.max() < start
        after = data.event_times > split.refit.event_times.max()
        events = data.events.to_pydict()
        for column in ("user", "item"):
            values = np.array(events[column], np.int32)
            values[after] = rng.permutation(values[after])
            events[column] = values
        altered = replace(data, events=pa.table(events).cast(data.events.schema))
        other = splits.temporal(altered, cuts=cuts)[number]
        assert other.train.fingerprint == split.train.fingerprint
        assert other.refit.fingerprint == split.refit.fingerprint
        assert same_questions(other.valid, split.valid)


@examples(seed=st.integers(0, 10**6), order=st.sampled_from(["time", "row"]))
@settings(max_examples=25, deadline=None)
def test_nothing_of_the_last_event_leaks(seed, order):
    data = random_log(seed, order)
    (split,) = splits.leave_last(data)
    check_sound(data, split)
    counts = np.bincount(data.event_users, minlength=data.n_users)
    newest = data.histories.offsets[1:] - 1
    rows = np.argsort(data.event_users, kind="stable")
    last = rows[newest[counts >= 3]]
    items = data.event_items.copy()
    items[last] = np.random.default_rng(seed).integers(0, data.n_items, len(last))
    events = data.events.set_column(data.events.column_names.index("item"), "item", pa.array(items))
    (other,) = splits.leave_last(replace(data, events=events))
    assert other.train.fingerprint == split.train.fingerprint
    assert other.refit.fingerprint == split.refit.fingerprint
    assert same_questions(other.valid, split.valid)


@examples(seed=st.integers(0, 10**6), order=st.sampled_from(["time", "row", "none"]))
@settings(max_examples=20, deadline=None)
def test_random_split_cuts_by_pair_and_keeps_every_user(seed, order):
    data = random_log(seed, order, events=600)
    (split,) = splits.random_split(data, np.random.default_rng(seed))
    check_sound(data, split)
    truths = sum(len(t.truth.values) for t in (split.valid, split.tests["test"]))
    assert len(pairs(split.train)) + truths == len(pairs(data))
    assert 0.1 < truths / len(pairs(data)) < 0.3
    assert set(split.train.event_users) == set(data.event_users)


def test_given_parts_are_kept_and_test_only_items_are_cold():
    data = log([0, 0, 1, 1, 0, 1, 1], [0, 1, 1, 2, 3, 4, 0], order="none")
    parts = np.array([TRAIN, TRAIN, TRAIN, TRAIN, VALID, TEST, TEST])
    (split,) = splits.given(data, parts, np.random.default_rng(0))
    assert asked(split.valid) == {"u0": [3]}
    assert asked(split.tests["test"]) == {"u1": [4, 0]}
    assert asked(split.tests["cold among cold"]) == asked(split.tests["cold among all"]) == {"u1": [4]}
    assert split.tests["cold among cold"].queries.candidates.tolist() == [4]
    assert split.tests["cold among all"].queries.candidates is None
    assert pairs(split.refit) == pairs(data) - {(1, 4), (1, 0)}


@pytest.mark.parametrize("order", ["time", "row", "none"])
def test_given_cuts_validation_where_there_is_none(order):
    data = random_log(3, order)
    parts = np.where(np.arange(data.n_events) < 250, TRAIN, TEST)
    (split,) = splits.given(data, parts, np.random.default_rng(0))
    check_sound(data, split)
    assert split.refit.n_events == 250
    assert 0 < 250 - split.train.n_events <= 40
    assert set(split.train.event_users) == set(split.refit.event_users)
    if order != "none":
        newest = split.refit.histories.items[split.refit.histories.offsets[1:] - 1]
        numbers = [data.user_numbers[user] for user in split.valid.queries.users]
        assert [row[0] for row in split.valid.truth] == newest[numbers].tolist()


def test_given_wants_one_part_an_event():
    with pytest.raises(InputError, match="one part an event"):
        splits.given(random_log(0), np.zeros(3, int), np.random.default_rng(0))


@pytest.mark.parametrize(("order", "base"), [("time", "leave-last"), ("row", "leave-last"), ("none", "random")])
def test_cold_items_leave_everything_but_their_own_tests(order, base):
    data = random_log(5, order)
    (split,) = splits.cold_items(data, 0.2, np.random.default_rng(1), base)
    cold = set(split.tests["cold among cold"].queries.candidates.tolist())
    assert len(cold) == round(0.2 * (data.item_counts > 0).sum())
    for part in (split.train, split.refit):
        assert not cold & set(part.event_items)
    for holdout in (split.valid, split.tests["test"]):
        assert not cold & (set(holdout.truth.values) | set(holdout.queries.history.items))
    inside = split.tests["cold among cold"]
    truth = {(data.user_numbers[u], i) for u, row in asked(inside).items() for i in row}
    assert truth == {pair for pair in pairs(data) if pair[1] in cold}
    assert asked(split.tests["cold among all"]) == asked(inside)
    warm = split.refit.n_events if order == "time" else (~np.isin(data.event_items, list(cold))).sum()
    users = [data.user_numbers[user] for user in inside.queries.users]
    assert set(users) == set(data.event_users[np.isin(data.event_items, list(cold))])
    assert inside.queries.history.lengths.sum() <= warm


def test_cold_items_by_number():
    data = random_log(5)
    (split,) = splits.cold_items(data, np.array([3, 4]), np.random.default_rng(1))
    assert split.tests["cold among cold"].queries.candidates.tolist() == [3, 4]
    for wrong in (np.array([64]), np.array([-1]), np.array([63]) if not data.item_counts[63] else np.array([99])):
        with pytest.raises(InputError, match="items"):
            splits.cold_items(data, wrong, np.random.default_rng(1))


@pytest.mark.parametrize("order", ["time", "row", "none"])
def test_cold_users_are_never_learned_from(order):
    data = random_log(7, order)
    (split,) = splits.cold_users(data, 0.25, np.random.default_rng(2))
    test = split.tests["cold users"]
    held = {data.user_numbers[user] for user in test.queries.users}
    assert 4 <= len(held) <= 5
    assert not held & set(split.refit.event_users)
    counts = np.bincount(data.event_users, minlength=data.n_users)
    assert test.queries.history.lengths.tolist() == [counts[user] - 1 for user in sorted(held)]
    assert (test.truth.lengths == 1).all()
    check_sound(data, split)


def test_taking_rows_keeps_questions_and_answers_together():
    (split,) = splits.leave_last(random_log(4))
    test = split.tests["test"]
    part = test.take(np.array([3, 1]))
    assert len(part) == 2
    assert part.queries.users.tolist() == test.queries.users[[3, 1]].tolist()
    assert [row.tolist() for row in part.truth] == [test.truth[3].tolist(), test.truth[1].tolist()]


def test_deeper_validation_by_hand():
    """A user with 25 events is asked three times: a tenth of what training holds of him is two."""
    data = log([0] * 25 + [1, 1, 1], [*range(25), 3, 4, 5])
    (split,) = splits.leave_last(data)
    deeper = splits.deeper_validation(split, 100)
    assert [(user, row.tolist()) for user, row in zip(deeper.valid.queries.users, deeper.valid.truth, strict=True)] == [
        ("u0", [21]),
        ("u0", [22]),
        ("u0", [23]),
        ("u1", [4]),
    ]
    histories = [row.tolist() for row in deeper.valid.queries.history.ragged]
    assert histories == [[*range(21)], [*range(22)], [*range(23)], [3]]
    assert deeper.valid.queries.now.tolist() == [21.0, 22.0, 23.0, 26.0]
    assert pairs(deeper.train) == {(0, item) for item in range(21)} | {(1, 3)}
    assert (deeper.refit, deeper.tests) == (split.refit, split.tests)


@pytest.mark.parametrize(("wanted", "asked"), [(1, 20), (20, 20), (21, 40), (60, 60), (10_000, 200)])
def test_deeper_validation_asks_as_often_as_is_wanted(wanted: int, asked: int):
    data = log(np.repeat(np.arange(20), 150), np.tile(np.arange(150), 20))
    deeper = splits.deeper_validation(splits.leave_last(data)[0], wanted)
    assert len(deeper.valid) == asked
    assert deeper.train.n_events == data.n_events - 20 - asked
    assert np.bincount(deeper.valid.queries.history.rows).max() <= 148


@examples(seed=st.integers(0, 2**16))
def test_deeper_validation_is_sound_and_leaks_nothing(seed: int):
    data = random_log(seed, events=1_500)
    split = splits.leave_last(data)[0]
    deeper = splits.deeper_validation(split, 100)
    assert pairs(deeper.train) <= pairs(split.train)
    assert len(deeper.valid) >= len(split.valid)
    for query, truth in zip(deeper.valid.queries.history.ragged, deeper.valid.truth, strict=True):
        assert not set(query) & set(truth)
    first, second = (dict.fromkeys(one.valid.queries.users) for one in (split, deeper))
    assert list(second) == list(first)


@pytest.mark.parametrize("kind", ["temporal", "random", "none"])
def test_deeper_validation_leaves_other_splits_alone(kind: str):
    order = "none" if kind != "temporal" else "time"
    data = random_log(3, order)
    split = splits.temporal(data)[0] if kind == "temporal" else splits.random_split(data, np.random.default_rng(0))[0]
    assert splits.deeper_validation(split, 1_000) is split
