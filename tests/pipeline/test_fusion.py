from dataclasses import replace

import numpy as np
import pytest

import shop
from accord.core.arrays import Ragged
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.data.holdout import Holdout
from accord.fuse.base import Panel
from accord.fuse.likelihood import halved
from accord.fuse.rank import Rank
from accord.fuse.weighted import Weighted
from accord.pipeline.fusion import _best, choose, halves
from accord.testing.planted import panel

SOURCES = ["strong", "weak", "noise"]
WEIGHTED, RANK = {"kind": "weighted"}, {"kind": "rank"}


def shuffled(source: str, good: Panel, seed: int) -> Panel:
    """The panel with one source's scores dealt anew within each list: it says nothing any more."""
    rng = np.random.default_rng(seed)
    columns = good.slate.columns
    return replace(
        good, slate=Slate(good.slate.items, columns | {source: rng.permuted(columns[source], axis=1)}, good.slate.facts)
    )


def test_noise_is_dropped_and_named() -> None:
    choice = choose([WEIGHTED, RANK], SOURCES, panel(400, seed=7), panel(400, seed=8), shop.run())
    assert choice.warm == ["strong", "weak"]
    assert choice.fuser.config.sources == ("strong", "weak")
    assert list(choice.dropped) == ["noise"]
    assert "half" in choice.dropped["noise"]
    assert isinstance(choice.fuser, Weighted)
    np.testing.assert_allclose(choice.fuser.weights.sum(axis=1), 1, rtol=1e-5)
    assert choice.fuser.weights[0, 0] > choice.fuser.weights[0, 1] > 0


def test_everything_tried_is_written_down_with_both_halves() -> None:
    a, b = panel(200, seed=1), panel(200, seed=2)
    choice = choose([WEIGHTED, {"kind": "weighted", "normalise": "minmax"}, RANK], SOURCES, a, b, shop.run())
    kinds = [entry["kind"] for entry in choice.tried]
    assert kinds[:3] == ["weighted", "weighted (normalise=minmax)", "rank"]
    assert kinds[3:6] == [f"{name} alone" for name in SOURCES]
    assert kinds[6].endswith("after dropping")
    assert all(0 <= entry[half] <= 1 for entry in choice.tried for half in ("a", "b"))
    rank = Rank(sources=tuple(SOURCES))
    assert choice.tried[2]["b"] == pytest.approx(b.ndcg(rank.contributions(b.slate).sum(axis=2)))


def test_after_dropping_half_a_is_judged_as_the_others_are() -> None:
    pytest.importorskip("torch")
    choice = choose([WEIGHTED, GATE], SOURCES, by_history(1), by_history(2), shop.run())
    assert not choice.dropped
    assert choice.tried[-1] == {**choice.tried[1], "kind": f"{choice.tried[1]['kind']}, after dropping"}


def test_half_b_does_not_say_which_fuser() -> None:
    """The fuser that is best on half A is taken, whether half B agrees or not."""
    a, b = panel(300, seed=1), panel(300, seed=2)
    for other in (b, shuffled("weak", b, 0)):
        choice = choose([WEIGHTED, RANK], ["strong", "weak"], a, other, shop.run())
        best = max(choice.tried[:2], key=lambda entry: entry["a"])
        after = next(entry for entry in choice.tried if entry["kind"].endswith("after dropping"))
        assert after["kind"].startswith(best["kind"])


def test_half_b_never_brings_weights_of_its_own() -> None:
    """Whatever half B holds, weights are those learned on half A over the sources kept."""
    a = panel(300, seed=1)
    choices = [choose([WEIGHTED], SOURCES, a, panel(300, seed=seed), shop.run()) for seed in range(2, 6)]
    assert any(len(choice.warm) > 1 for choice in choices)
    for choice in choices:
        assert isinstance(choice.fuser, Weighted)
        again = Weighted(sources=tuple(choice.warm))
        again = again if len(choice.warm) == 1 else again.fit(a, shop.run(), draft=True)
        np.testing.assert_array_equal(choice.fuser.weights, again.weights)


def test_half_b_may_object_to_a_source() -> None:
    """A source that helps on half A alone goes."""
    a, b = panel(300, seed=1), shuffled("weak", panel(300, seed=2), 0)
    choice = choose([WEIGHTED], ["strong", "weak"], a, b, shop.run())
    assert choice.warm == ["strong"]
    assert "half B" in choice.dropped["weak"]


def test_the_best_source_stays_alone_where_fusing_does_not_help() -> None:
    choice = choose([RANK], ["strong", "noise"], panel(300, seed=1), panel(300, seed=2), shop.run())
    assert choice.warm == ["strong"]
    assert list(choice.dropped) == ["noise"]


def test_one_source_is_kept() -> None:
    choice = choose([WEIGHTED], ["noise"], panel(50, seed=1), panel(50, seed=2), shop.run())
    assert choice.warm == ["noise"]
    assert not choice.dropped


def test_halves_are_disjoint_and_bounded() -> None:
    for n, most in [(11, 100), (100, 20), (101, 21), (2, 10), (1, 10), (0, 10)]:
        a, b = halves(asked(n), shop.run(), most)
        assert not set(a) & set(b)
        assert set(a) | set(b) <= set(range(n))
        assert len(a) + len(b) == min(n, most) or len(a) + len(b) == min(n, most + 1)
        assert abs(len(a) - len(b)) <= 1
        assert (np.diff(a) > 0).all()


def test_who_is_asked_several_times_is_in_one_half() -> None:
    holdout = asked(40)
    again = holdout.take(np.repeat(np.arange(40), 3))
    for most, size in ((1_000, 60), (50, 25)):
        a, b = halves(again, shop.run(), most)
        assert len(a) == len(b) == size
        assert (np.diff(a) > 0).all()
        assert not set(again.queries.users[a]) & set(again.queries.users[b])


def asked(n: int) -> Holdout:
    """Questions of as many people."""
    return Holdout(Queries.of([[0]] * n), Ragged.of([[1]] * n))


def test_a_smaller_half_is_within_the_larger_one() -> None:
    """Search judges on a sample of half A; half B must not be in it."""
    small, _ = halves(asked(100), shop.run(), 20)
    large, other = halves(asked(100), shop.run(), 100)
    assert set(small) <= set(large)
    assert not set(small) & set(other)


GATE = {"kind": "gate", "fewest": 50, "lr": 0.02, "epochs": 10}


def by_history(seed: int, told: bool = True, queries: int = 900) -> Panel:
    """Of long histories the useless source knows what the strong one knows of short ones; or lengths are told wrong."""
    good = panel(queries, seed=seed)
    rng = np.random.default_rng(seed)
    long = rng.random(len(good)) < 0.5
    names = ("strong", "noise")
    columns, facts = dict(good.slate.columns), dict(good.slate.facts)
    for one, other in (names, names[::-1]):
        columns[one] = np.where(long[:, None], good.slate.columns[other], good.slate.columns[one])
        for fact in ("mean", "spread", "low", "high"):
            ours, theirs = good.slate.facts[f"{one}.{fact}"], good.slate.facts[f"{other}.{fact}"]
            facts[f"{one}.{fact}"] = np.where(long, theirs, ours)
    facts["history"] = np.where(long if told else rng.permutation(long), 40.0, 2.0)
    return replace(good, slate=Slate(good.slate.items, columns, facts))


def test_a_fuser_that_learns_is_taken_where_both_halves_gain() -> None:
    pytest.importorskip("torch")
    choice = choose([WEIGHTED, GATE], SOURCES, by_history(1), by_history(2), shop.run())
    assert type(choice.fuser).__name__ == "Gate"
    assert min(choice.tried[1][half] - choice.tried[0][half] for half in ("a", "b")) > 0.03


def test_half_b_objects_to_a_fuser_that_has_learned_something_else() -> None:
    pytest.importorskip("torch")
    choice = choose([GATE, WEIGHTED], SOURCES, by_history(1), by_history(2, told=False), shop.run())
    assert choice.tried[0]["a"] > choice.tried[1]["a"]
    assert isinstance(choice.fuser, Weighted)


@pytest.mark.parametrize(
    ("figures", "taken"),
    [
        ({"attention": (0.5, 0.2), "gate": (0.4, 0.4), "weighted": (0.3, 0.3), "rank": (0.2, 0.9)}, "gate"),
        ({"attention": (0.5, 0.2), "gate": (0.2, 0.9), "weighted": (0.3, 0.3), "rank": (0.2, 0.9)}, "weighted"),
        ({"attention": (0.5, 0.4), "gate": (0.4, 0.9), "weighted": (0.3, 0.3)}, "attention"),
        ({"gate": (0.4, 0.4), "rank": (0.5, 0.1), "weighted": (0.3, 0.3)}, "rank"),
        ({"gate": (0.4, 0.4), "attention": (0.5, 0.1)}, "attention"),
    ],
)
def test_a_network_that_half_b_objects_to_makes_room_for_the_next(figures, taken) -> None:
    pytest.importorskip("torch")
    fusers = [{"kind": kind} for kind in figures]
    tried = [{"kind": kind, "a": a, "b": b} for kind, (a, b) in figures.items()]
    assert fusers[_best(fusers, tried)]["kind"] == taken


def test_a_fuser_gains_nothing_by_learning_half_a_by_heart() -> None:
    """All are judged on queries that they have not learned from, once one of them can remember."""
    pytest.importorskip("torch")
    a, b = panel(120, seed=1), panel(120, seed=2)
    greedy = {"kind": "concat", "fewest": 10, "hidden": 128, "lr": 0.05, "dropout": 0.0, "patience": 10}
    alone, beside = (choose(kinds, SOURCES, a, b, shop.run()).tried[0] for kinds in ([WEIGHTED], [WEIGHTED, greedy]))
    weighted = Weighted(sources=tuple(SOURCES))
    one, other = halved(a, shop.run())
    honest = [
        weighted.fit(taught, shop.run()).value(judge) * judge.total for taught, judge in ((one, other), (other, one))
    ]
    assert alone["b"] == beside["b"]
    assert alone["a"] == pytest.approx(weighted.fit(a, shop.run()).value(a), abs=1e-3)
    assert beside["a"] == pytest.approx(sum(honest) / a.total, abs=1e-3)
    assert beside["a"] != pytest.approx(alone["a"], abs=1e-3)


def test_a_fuser_that_learns_goes_without_what_the_weighted_sum_goes_without() -> None:
    pytest.importorskip("torch")
    choice = choose([GATE], ["strong", "weak", "silent"], panel(400, seed=1), panel(400, seed=2), shop.run())
    assert choice.warm == ["strong", "weak"]
    assert list(choice.dropped) == ["silent"]
    assert choice.fuser.config.sources == ("strong", "weak")
