import pyarrow as pa

from accord.data.weighting import weights_by_kind


def test_the_weight_of_each_kind_that_has_one():
    events = pa.table(
        {
            "event": ["view", "buy", "view", "rate", "rate", None],
            "weight": pa.array([0.5, 3.0, 0.5, 1.0, -1.0, 7.0], pa.float32()),
        }
    )
    assert weights_by_kind(events) == {"buy": 3.0, "view": 0.5}


def test_a_log_without_kinds_has_no_weights():
    assert weights_by_kind(pa.table({"weight": pa.array([1.0], pa.float32())})) == {}
