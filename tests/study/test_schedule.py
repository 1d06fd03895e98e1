import pytest

from accord.core.errors import InputError
from accord.study.schedule import JITTER, Tally, repeat, seconds_of


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), (" 2d ", 172_800)])
def test_intervals(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "6", "h", "0h", "-1h", "6 h", "6hours", "1e3s"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--every"):
        seconds_of(text)


def test_failures_are_counted_and_end_nothing() -> None:
    seen: list[tuple[object, int, int]] = []
    turns = iter([1, ValueError("no"), OSError("disk"), 4])

    def job() -> int:
        turn = next(turns)
        if isinstance(turn, Exception):
            raise turn
        return turn

    def note(result: object, tally: Tally) -> None:
        seen.append((result if isinstance(result, int) else str(result), tally.runs, tally.failures))

    tally = repeat(job, 1.0, note, note, times=4, sleep=lambda _: None)
    assert seen == [(1, 1, 0), ("no", 2, 1), ("disk", 3, 2), (4, 4, 2)]
    assert (tally.runs, tally.failures) == (4, 2)


def test_pauses_vary_within_the_jitter() -> None:
    pauses: list[float] = []
    repeat(lambda: 0, 100.0, lambda *_: None, lambda *_: None, times=40, sleep=pauses.append)
    assert len(pauses) == 39
    assert all(100 * (1 - JITTER) - 1 <= pause <= 100 * (1 + JITTER) for pause in pauses)
    assert max(pauses) - min(pauses) > 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_whoever_stops_it_is_heard(stop: type[BaseException]) -> None:
    def job() -> None:
        raise stop

    with pytest.raises(stop):
        repeat(job, 1.0, lambda *_: None, lambda *_: None, sleep=lambda _: None)
