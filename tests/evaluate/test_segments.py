import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from accord.evaluate.segments import history_segments, item_segments


def members(counts) -> dict[str, list[int]]:
    return {segment.name: np.flatnonzero(segment.mask).tolist() for segment in item_segments(np.array(counts))}


def test_item_segments_by_hand():
    found = members([50, 0, 20, 10, 6, 5, 5, 3, 1, 21])  # 121 events: 50 21 | 20 10 | the rest
    assert found["items: cold"] == [1]
    assert found["items: few"] == [5, 6, 7, 8]
    assert found["items: warm"] == [2, 3, 4]
    assert found["items: hot"] == [0, 9]
    assert found["items: head"] == [0, 9]
    assert found["items: mid"] == [2, 3]
    assert found["items: tail"] == [4, 5, 6, 7, 8]


def test_equals_are_not_parted():
    assert members([2, 2, 2, 2])["items: head"] == [0, 1, 2, 3]


@given(st.lists(st.integers(0, 50), max_size=60))
def test_every_item_is_in_one_segment_of_each_kind(counts):
    masks = [segment.mask.astype(int) for segment in item_segments(np.array(counts, dtype=np.int64))]
    known = (np.array(counts) > 0).astype(int)
    assert (sum(masks[:4]) == 1).all()
    assert (sum(masks[4:]) == known).all()


def test_history_thirds_keep_equal_lengths_together():
    lengths = np.array([1, 1, 2, 3, 3, 3, 8, 9, 10])
    found = {segment.name: (lengths[segment.mask].tolist(), segment.meaning) for segment in history_segments(lengths)}
    assert found["history: short"] == ([1, 1, 2], "1 to 2 events in the history")
    assert found["history: medium"] == ([3, 3, 3], "3 to 3 events in the history")
    assert found["history: long"] == ([8, 9, 10], "8 to 10 events in the history")
    same = history_segments(np.full(5, 4))
    assert [int(segment.mask.sum()) for segment in same] == [5, 0, 0]
    assert [int(segment.mask.sum()) for segment in history_segments(np.empty(0, np.int64))] == [0, 0, 0]
