"""What trees move a place by goes to the sources whose features moved it."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest

from accord.fuse.features import OWN, VIEWS
from accord.fuse.moves import by_source, shares
from accord.fuse.trees import Trees, boosting


def test_features_of_a_source_are_its_own_and_the_base_is_split_by_size():
    features = np.zeros((1, 2 * len(VIEWS) + len(OWN)))
    features[0, : len(VIEWS)] = [1.0, 2.0, 3.0]  # of "a"
    features[0, 2 * len(VIEWS) :] = [0.4, 0.3, 0.3, 0.4, 0.1, 0.1]  # base three times, events, age, history
    base = np.array([[0.3, -0.1]], np.float32)
    found = by_source(features, ("a", "b"), ("a", "b"), base)
    np.testing.assert_allclose(found, [[6 + 0.75 + 0.3, 0.25 + 0.3]], rtol=1e-6)


def test_what_an_absent_source_would_say_belongs_to_nobody():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(5, 3 * len(VIEWS) + len(OWN)))
    base = rng.normal(size=(5, 2)).astype(np.float32)
    found = by_source(features, ("gone", "b", "a"), ("a", "b"), base)
    np.testing.assert_allclose(found.sum(axis=1), features.sum(axis=1))
    more = features.copy()
    more[:, : len(VIEWS)] += 1
    np.testing.assert_allclose(by_source(more, ("gone", "b", "a"), ("a", "b"), base) - found, len(VIEWS) / 2)


def test_only_those_that_pull_the_way_it_went_have_moved_it():
    values = np.array([[3.0, -1.0, 1.0], [3.0, -1.0, 1.0], [2.0, 2.0, 0.0]])
    found = shares(values, np.array([0.5, -0.5, -0.1], np.float32))
    np.testing.assert_allclose(found, [[0.75, 0, 0.25], [0, 1, 0], [0.5, 0.5, 0]], atol=1e-6)


@pytest.fixture(scope="module")
def trees() -> tuple[Trees, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2_000, 3)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int8)
    settings = boosting("binary", 8, 0.1, 20)
    return Trees.trained(X, y, np.full(200, 10), settings, 5), X


def test_parts_of_trees_are_shapley_values(trees):
    """Against the definition: expectations over the training rows that each tree's nodes counted, all 2^3 of them."""
    booster, X = trees
    for row, parts in zip(X[:4], booster.contributions(X[:4]), strict=True):
        value = {known: expected(booster, row, known) for size in range(4) for known in combinations(range(3), size)}
        wanted = [shapley(value, feature) for feature in range(3)]
        np.testing.assert_allclose(parts, wanted, atol=1e-9)
        assert parts.sum() + value[()] == pytest.approx(float(booster.predict(row[None])[0]), abs=1e-9)


def shapley(value: dict[tuple[int, ...], float], feature: int) -> float:
    total = 0.0
    for known, before in value.items():
        if feature not in known:
            weight = factorial(len(known)) * factorial(2 - len(known)) / factorial(3)
            total += weight * (value[tuple(sorted((*known, feature)))] - before)
    return total


def expected(booster: Trees, row: np.ndarray, known: tuple[int, ...]) -> float:
    """The sum over trees of the mean leaf, following the known features and weighing by counts at the others."""
    return sum(walked(tree["tree_structure"], row, known) for tree in booster._loaded().dump_model()["tree_info"])


def walked(node: dict, row: np.ndarray, known: tuple[int, ...]) -> float:
    if "leaf_value" in node:
        return node["leaf_value"]
    sides = [node["left_child"], node["right_child"]]
    if node["split_feature"] in known:
        return walked(sides[int(row[node["split_feature"]] > node["threshold"])], row, known)
    counts = [side.get("leaf_count", side.get("internal_count")) for side in sides]
    return sum(n * walked(side, row, known) for n, side in zip(counts, sides, strict=True)) / sum(counts)
