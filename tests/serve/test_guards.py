"""A source that fails or hangs is left out within its budget, left alone for a while, and tried again."""

import threading
import time
from io import StringIO

import numpy as np
import pytest

from accord.core.queries import Queries
from accord.core.roles import Scored
from accord.serve.guard import Guards
from accord.serve.logs import make_log
from accord.serve.memory import Remembered
from accord.serve.threads import Helpers

QUERIES = Queries.of([[]])


def good() -> Scored:
    return Scored.of(np.ones((1, 3), np.float32), QUERIES.eligible(3), QUERIES.tie_keys())


def bad() -> Scored:
    raise RuntimeError("a secret of the source")


@pytest.fixture
def logged() -> StringIO:
    return StringIO()


@pytest.fixture
def guards(logged) -> Guards:
    return Guards(make_log(logged), budget=0.1, failures=2, pause=0.3)


def ask(guards: Guards, **tasks) -> tuple[list[str], list[str]]:
    with guards.turn() as turn:
        said = guards(tasks)
    return list(said), turn.skipped


def test_sources_that_answer_in_time_are_all_there(guards):
    assert ask(guards, a=good, b=good) == (["a", "b"], [])


def test_one_that_raises_is_left_out_and_its_words_are_not_logged(guards, logged):
    assert ask(guards, a=good, b=bad, c=good) == (["a", "c"], ["b"])
    assert "RuntimeError" in logged.getvalue()
    assert "secret" not in logged.getvalue()


def test_one_that_hangs_costs_its_budget_and_the_others_answer(guards):
    end = threading.Event()
    started = time.perf_counter()
    assert ask(guards, a=good, b=end.wait, c=good) == (["a", "c"], ["b"])
    assert 0.09 < time.perf_counter() - started < 1.0
    started = time.perf_counter()
    assert ask(guards, a=good, b=end.wait) == (["a"], ["b"])  # it hangs still: nobody waits for it again
    assert time.perf_counter() - started < 0.09
    end.set()
    time.sleep(0.05)
    assert ask(guards, a=good, b=good) == (["a", "b"], [])


def test_turns_come_one_after_another_and_nobody_waits_longer_than_a_budget(guards):
    at_once, most, end = list[int](), list[int](), threading.Event()

    def watching() -> Scored:
        at_once.append(1)
        most.append(len(at_once))
        time.sleep(0.005)
        at_once.pop()
        return good()

    threads = [threading.Thread(target=ask, args=(guards,), kwargs={"a": watching}) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (5, 1)

    hanging = threading.Thread(target=ask, args=(guards,), kwargs={"b": end.wait, "c": end.wait})
    hanging.start()
    started = time.perf_counter()
    assert ask(guards, a=good) == (["a"], [])
    assert time.perf_counter() - started < 0.19  # the other turn takes two budgets
    end.set()
    hanging.join()


def test_after_some_failures_it_is_left_alone_and_then_tried_again(guards):
    asked = []

    def counting() -> Scored:
        asked.append(1)
        return bad()

    for _ in range(5):
        assert ask(guards, a=good, b=counting) == (["a"], ["b"])
    assert len(asked) == 2
    time.sleep(0.35)
    assert ask(guards, b=good) == (["b"], [])
    assert ask(guards, b=bad) == ([], ["b"])
    assert ask(guards, b=good) == (["b"], [])  # one failure after a success is no row of them


def test_outside_a_turn_errors_are_raised(guards):
    with pytest.raises(RuntimeError):
        guards({"b": bad})


def test_helpers_are_used_again():
    helpers, names, done = Helpers(idle=1), list[str](), threading.Event()

    def job() -> None:
        names.append(threading.current_thread().name + str(threading.get_ident()))
        done.set()

    for _ in range(3):
        done.clear()
        helpers.run(job)
        done.wait(1)
        time.sleep(0.02)
    assert len(set(names)) == 1


def test_memory_holds_the_histories_asked_for_last():
    kept = Remembered(most=5)
    kept.keep("a", ["1", "2"])
    kept.keep("b", ["3", "4"])
    kept.keep("a", ["1", "2", "5"])
    assert list(kept.of("a")) == ["1", "2", "5"]
    kept.keep("c", ["6"])
    assert (list(kept.of("b")), len(kept)) == ([], 2)
    kept.keep("huge", list("123456"))
    assert (list(kept.of("huge")), len(kept)) == ([], 2)
    kept.clear()
    assert (list(kept.of("a")), len(kept)) == ([], 0)
