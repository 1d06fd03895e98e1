import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from accord.models import linear
from accord.models.linear import keep_largest


def random_block(seed: int, levels: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.integers(-levels, levels + 1, rng.integers(1, 40, 2)) / levels).astype(np.float32)


@given(st.integers(0, 10_000), st.integers(1, 20), st.sampled_from([2, 1000]))
def test_dense_sparse_and_a_plain_sort_keep_the_same(seed, k, levels):
    block = random_block(seed, levels)
    dense = keep_largest(block, k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "SPARSE", 2.0)
        entries = keep_largest(csr_array(block), k)
    assert (dense != entries).nnz == 0
    kept = dense.toarray()
    assert np.array_equal(kept[kept > 0], block[kept > 0])
    for row, wanted in zip(kept, block, strict=True):
        assert sorted(row[row > 0]) == sorted(np.sort(wanted[wanted > 0])[::-1][:k])


def test_numbers_do_not_choose_among_equals():
    block = np.ones((50, 1000), np.float32)
    for kept in (keep_largest(block, 10), linear._largest_entries(csr_array(block), 10, 0)):
        numbers = kept.nonzero()[1]
        assert len(numbers) == 500
        assert abs(numbers.mean() - 499.5) < 4 * 289 / np.sqrt(500)
        assert len(set(numbers.tolist())) > 300  # not the same few for every row


def test_the_cut_of_blocks_changes_nothing():
    block = random_block(7, 2)
    for rows in (block, csr_array(block)):
        parts = [keep_largest(rows[start : start + 3], 4, start) for start in range(0, len(block), 3)]
        assert np.array_equal(np.concatenate([part.toarray() for part in parts]), keep_largest(rows, 4).toarray())


def test_large_blocks_are_cut_to_the_bound():
    assert linear.block_rows(10**9) == 1
    assert linear.block_rows(0) == linear.CELLS
