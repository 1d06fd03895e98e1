"""The index finds what a look at all items finds, up to its recall; what is told of the scores is that of all."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("faiss")

from accord.core.arrays import Ragged
from accord.core.queries import Queries
from accord.core.roles import Scored
from accord.models import index, searched
from accord.models.index import Index, exact_best, wanted
from accord.models.searched import Searchable, SearchedScores
from accord.models.vectors import lowest_unless, products

N, DIM, CENTRES = 3_000, 16, 40


def clustered(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((CENTRES, DIM))
    rng = np.random.default_rng(seed)
    return (centres[rng.integers(CENTRES, size=n)] + 0.5 * rng.standard_normal((n, DIM))).astype(np.float32)


VECTORS, ASKED = clustered(N), clustered(40, seed=1)
ITEMS = np.arange(N, dtype=np.int32)


def recall(found: np.ndarray, best: np.ndarray) -> float:
    return float(np.mean([np.isin(true, some).mean() for true, some in zip(best, found, strict=True)]))


def test_a_full_sort_is_what_looking_at_all_finds(monkeypatch):
    monkeypatch.setattr(index, "CELLS", 5 * N)
    best = np.concatenate(list(exact_best(VECTORS, ASKED, 7)))
    wanted = np.argsort(-(ASKED @ VECTORS.T), axis=1)[:, :7]
    np.testing.assert_array_equal(np.sort(best), np.sort(wanted))


def test_it_looks_at_as_many_lists_as_the_recall_needs():
    low, high = (Index.of(VECTORS, ITEMS, ASKED, target) for target in (0.5, 0.99))
    assert 1 <= low.nprobe < high.nprobe < high.lists.nlist
    best = np.argsort(-(ASKED @ VECTORS.T), axis=1)[:, :100]
    for one, target in ((low, 0.5), (high, 0.99)):
        assert one.recall >= target
        assert recall(one.search(ASKED, 100), best) == pytest.approx(one.recall)
    others = clustered(200, seed=2)
    best = np.argsort(-(others @ VECTORS.T), axis=1)[:, :100]
    assert recall(high.search(others, 100), best) > 0.95


def test_only_what_may_be_shown_is_found_under_its_own_number():
    numbers = (3 * ITEMS + 1).astype(np.int32)
    one = Index.of(VECTORS, numbers, ASKED, 0.99)
    shown = np.zeros(3 * N + 1, dtype=bool)
    shown[numbers[::5]] = True
    found = one.search(ASKED, 20, shown)
    assert shown[found].all()
    best = numbers[::5][np.argsort(-(ASKED @ VECTORS[::5].T), axis=1)[:, :20]]
    assert recall(found, best) > 0.9


def test_the_same_vectors_give_the_same_index():
    one, again = (Index.of(VECTORS, ITEMS, ASKED, 0.9) for _ in range(2))
    np.testing.assert_array_equal(one.search(ASKED, 50), again.search(ASKED, 50))
    assert one.nprobe == again.nprobe


def test_late_vectors_are_found_and_the_index_before_is_as_it_was():
    one = Index.of(VECTORS, ITEMS, ASKED)
    late = (2 * ASKED[:3]).astype(np.float32)
    grown = one.with_late(late, np.arange(N, N + 3, dtype=np.int32))
    assert grown is not None
    assert all(N + row in grown.search(ASKED[[row]], 5)[0] for row in range(3))
    assert one.search(ASKED, 5).max() < N
    hidden = np.arange(N + 3) != N
    assert N not in grown.search(ASKED[:1], 5, hidden)[0]
    many = clustered(N // 5, seed=3)
    assert one.with_late(many, np.arange(N, N + len(many), dtype=np.int32)) is None


def test_small_catalogues_are_looked_at_whole(monkeypatch):
    assert not wanted("auto", 300_000)
    assert wanted("auto", 300_001)
    assert wanted("ivf", 10)
    assert not wanted("exact", 10**7)
    monkeypatch.setattr(index, "find_spec", lambda _: None)
    assert not wanted("ivf", 10**7)


def shelf(placed: np.ndarray) -> Searchable:
    """An index that looks at all of its lists, so that nothing but rounding may differ."""
    rows = np.flatnonzero(placed).astype(np.int32)
    one = Index.of(VECTORS[rows], rows, ASKED)
    return Searchable.of(np.where(placed[:, None], VECTORS, 0), placed, replace(one, nprobe=one.lists.nlist))


def questions(include_seen: bool = False) -> Queries:
    rng = np.random.default_rng(5)
    rows = [rng.integers(0, N, length).tolist() for length in (0, 3, 40, 300)]
    banned = Ragged.of([rng.integers(0, N, 5).tolist() for _ in rows])
    return Queries.of(rows, exclude=banned, include_seen=include_seen)


def both(interests: int, some_missing: bool, queries: Queries) -> tuple[SearchedScores, Scored]:
    placed = np.arange(N) % 10 != 3 if some_missing else np.ones(N, dtype=bool)
    one, rules = shelf(placed), queries.eligible(N)
    states = ASKED[: len(queries) * interests].reshape(len(queries), interests, DIM)
    every = lowest_unless(placed, products(states, one.vectors))
    keys = queries.tie_keys()
    assert one.applies(rules)
    return SearchedScores.under(states, one, rules, keys), Scored.of(every, queries.eligible(N), keys)


@pytest.mark.parametrize("some_missing", [False, True])
@pytest.mark.parametrize("interests", [1, 3])
@pytest.mark.parametrize("rules", ["all", "open", "seen"])
def test_what_is_told_is_what_all_scores_tell(some_missing, interests, rules):
    queries = questions(include_seen=rules == "seen")
    if rules == "open":
        queries = replace(queries, open=np.arange(N) % 4 != 1)
    ours, theirs = both(interests, some_missing, queries)
    for name, values in theirs.facts.items():
        np.testing.assert_allclose(ours.facts[name], values, rtol=1e-4, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)
    every = np.tile(np.arange(N, dtype=np.int32), (len(queries), 1))
    np.testing.assert_allclose(ours.at(every), theirs.at(every), atol=1e-4)
    for m in (1, 20, 500, N + 5):  # the last is more than an index is asked for
        np.testing.assert_allclose(ours.offer(m).column("score"), theirs.offer(m).column("score"), atol=1e-4)
        assert (ours.offer(m).items[:, :20] == theirs.offer(m).items[:, :20]).mean() > 0.98
    rows = np.array([False, True, False, True])
    np.testing.assert_array_equal(ours.best(7, rows)[0], theirs.best(7, rows)[0])


def test_nothing_is_hidden_twice_and_the_next_rules_are_not_those_before():
    one = shelf(np.ones(N, dtype=bool))
    first, second = np.arange(N) % 4 != 1, np.arange(N) % 5 != 2
    for shown in (first, second, first):
        rules = replace(questions(), open=shown).eligible(N)
        summed = one.sums(rules)
        np.testing.assert_allclose(summed.total, VECTORS[shown].sum(axis=0, dtype=np.float64), atol=1e-6)
        np.testing.assert_allclose(summed.squares, VECTORS[shown].T.astype(float) @ VECTORS[shown], atol=1e-6)
        assert summed.count == shown.sum()


def test_whoever_asks_for_little_is_answered_by_all_scores():
    one = shelf(np.ones(N, dtype=bool))
    few = replace(questions(), candidates=np.arange(N // 3, dtype=np.int32))
    assert not one.applies(few.eligible(N))
    assert not one.applies(Queries.of([]).eligible(N))


def test_those_of_whom_nothing_is_known_are_told_nothing():
    one = shelf(np.ones(N, dtype=bool))
    queries = Queries.of([[1], [2]])
    states = np.stack([np.zeros((1, DIM), np.float32), ASKED[:1]])
    said = SearchedScores.under(states, one, queries.eligible(N), queries.tie_keys())
    assert said.facts["spread"][0] == 0 < said.facts["spread"][1]
    assert (said.offer(5).items[0] == -1).all()


def test_a_sample_tells_of_several_interests(monkeypatch):
    monkeypatch.setattr(searched, "SAMPLE", 1_000)
    ours, theirs = both(3, True, questions())
    spread = theirs.facts["spread"]
    assert (np.abs(ours.facts["mean"] - theirs.facts["mean"]) < 0.15 * spread).all()
    np.testing.assert_allclose(ours.facts["spread"], spread, rtol=0.1)
    assert (ours.facts["low"] >= theirs.facts["low"] - 1e-4).all()
    np.testing.assert_allclose(ours.facts["high"], theirs.facts["high"], atol=1e-4)
