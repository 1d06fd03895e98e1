import pyarrow as pa

from accord.core.dataset import Dataset
from accord.data.holdout import hold_out
from accord.data.splits import leave_last


def log(context: dict[str, list]) -> Dataset:
    """Two users with three events each, one a second, the users in turn."""
    events = {
        "user": pa.array([0, 1, 0, 1, 0, 1], pa.int32()),
        "item": pa.array([0, 1, 2, 3, 4, 5], pa.int32()),
        "weight": pa.array([1.0] * 6, pa.float32()),
        "timestamp": [float(second) for second in range(6)],
    }
    items = pa.table({"item_id": [str(n) for n in range(6)]})
    return Dataset(pa.table(events | context), items, pa.table({"user_id": ["a", "b"]}), order="time")


def test_the_circumstances_asked_for_are_those_of_the_event_to_come():
    data = log({"place": ["a", "b", "c", "d", "e", None], "event": ["view"] * 6, "value": [5.0] * 6})
    split = leave_last(data)[0]
    assert {name: values.tolist() for name, values in split.valid.queries.context.items()} == {"place": ["c", "d"]}
    assert split.tests["test"].queries.context["place"].tolist() == ["e", None]


def test_of_several_events_to_come_the_first_that_is_true_counts():
    data = log({"place": ["a", "b", "c", "d", "e", "f"]})
    seen = data.event_items < 2
    past, future = data.with_events(seen), data.with_events(~seen)
    asked, _ = hold_out(past, future)
    assert asked.queries.context["place"].tolist() == ["c", "d"]


def test_a_log_without_further_columns_has_no_circumstances():
    assert leave_last(log({}))[0].valid.queries.context == {}
