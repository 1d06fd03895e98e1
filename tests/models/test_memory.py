"""What fits the memory is decided by the most that this process may use."""

import resource

import pytest

from accord.core.errors import CannotFit
from accord.models import memory


@pytest.fixture(autouse=True)
def fresh():
    memory.memory_limit.cache_clear()
    yield
    memory.memory_limit.cache_clear()


def test_dense_matrices_take_half_of_the_memory_at_most(monkeypatch):
    monkeypatch.setattr(memory, "memory_limit", lambda: 2 * 4 * 2 * 1000**2)
    assert memory.dense_fits(1000, 2)
    assert not memory.dense_fits(1001, 2)
    memory.check_dense(1000, 2, "no")
    with pytest.raises(CannotFit, match=r"1,001 items.*Use elsa"):
        memory.check_dense(1001, 2, "Use elsa.")


def test_time_is_a_limit_of_its_own(monkeypatch):
    monkeypatch.setattr(memory, "memory_limit", lambda: 2**60)
    memory.check_dense(25_000, 2, "no")
    memory.check_dense(30_000, 2, "no", most=30_000)
    with pytest.raises(CannotFit, match=r"more than 25,000 items.*30001.*Use elsa"):
        memory.check_dense(30_001, 2, "Use elsa.")


def test_the_smallest_limit_counts(monkeypatch, tmp_path):
    whole = memory.memory_limit()
    unlimited, box = tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes"
    unlimited.write_text("max\n")
    box.write_text("123456789\n")
    monkeypatch.setattr(memory, "_LIMITS", (unlimited, box, tmp_path / "absent"))
    memory.memory_limit.cache_clear()
    assert memory.memory_limit() == 123456789 < whole
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000, -1))
    memory.memory_limit.cache_clear()
    assert memory.memory_limit() == 1000
