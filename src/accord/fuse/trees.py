"""Gradient-boosted trees that order places, kept as text and checked before they are used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Doubles, Floats, Longs
from accord.core.errors import ArtefactError, CannotFit

MOST_TREES = 5_000
MOST_LEAVES = 1_024
MOST_TEXT = 64 << 20
"""Bytes; a booster of the default size has about half a million."""
_END = "end of trees\n"
_ALLOWED = re.compile(r"[\w =.:\-+\[\]\n]*", re.ASCII)
_OF_SPLITS = ("split_gain", "threshold", "decision_type", "internal_value", "internal_weight", "internal_count")
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")


class Trees:
    """A trained booster. Only its text is kept; LightGBM reads it when it is first asked."""

    def __init__(self, text: str, n_features: int) -> None:
        check(text, n_features)
        self.text = text
        self._booster: Any = None

    @classmethod
    def trained(cls, X: Floats, y: NDArray[np.int8], groups: Longs, parameters: dict[str, Any], rounds: int) -> Trees:
        """Fit ``rounds`` trees on rows grouped by query (consecutive; ``groups`` holds their numbers)."""
        lightgbm = _lightgbm()
        rows = lightgbm.Dataset(X, y, group=groups, params={"verbose": -1})
        text: str = lightgbm.train(parameters, rows, rounds).model_to_string()
        return cls(text[: text.index(_END) + len(_END)], X.shape[1])

    def predict(self, X: Floats, rounds: int | None = None) -> Doubles:
        """``float64[N]``: the sum of the (first ``rounds``) trees."""
        return np.asarray(self._loaded().predict(X, num_iteration=rounds or -1, raw_score=True))

    def contributions(self, X: Floats) -> Doubles:
        """``float64[N, F]``: what each feature adds (Lundberg and Lee, "Consistent individualized feature attribution
        for tree ensembles", 2018)."""
        return np.asarray(self._loaded().predict(X, pred_contrib=True))[:, :-1]

    def gains(self) -> Doubles:
        """``float64[F]``: how much each feature has lowered the loss in training."""
        return np.asarray(self._loaded().feature_importance("gain"), dtype=np.float64)

    def _loaded(self) -> Any:
        if self._booster is None:
            self._booster = _lightgbm().Booster(model_str=self.text)
        return self._booster


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError:
        raise CannotFit(
            "LightGBM is not installed", remedy="Install the extra, in the checkout: pip install '.[stack]'."
        ) from None
    return lightgbm


OBJECTIVES: dict[str, dict[str, Any]] = {
    "lambdarank": {"objective": "lambdarank", "lambdarank_truncation_level": 100, "lambdarank_norm": False},
    "binary": {"objective": "binary"},
}
"""LambdaMART (Burges, "From RankNet to LambdaRank to LambdaMART", 2010), or the log-loss of each place by itself."""


def boosting(objective: str, leaves: int, lr: float, min_leaf: int) -> dict[str, Any]:
    """Parameters of LightGBM; the same trees come out whatever the number of threads."""
    return OBJECTIVES[objective] | {
        "metric": "None",
        "num_leaves": leaves,
        "learning_rate": lr,
        "min_data_in_leaf": min_leaf,
        "feature_fraction": 0.3,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "max_bin": 63,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }


def check(text: str, n_features: int) -> None:
    """Raise ``ArtefactError`` where the text is not a booster over so many features whose trees are sound.

    The library that reads it trusts what it reads; a stranger's file must not lead it outside its own arrays.
    """
    try:
        _check(text, n_features)
    except (ValueError, KeyError, IndexError) as error:
        raise ArtefactError(f"the saved trees are damaged ({error})", remedy="Train again.") from None


def _check(text: str, n_features: int) -> None:
    if len(text) > MOST_TEXT or not text.endswith(_END) or not _ALLOWED.fullmatch(text):
        raise ValueError("not the text of a booster")
    head, *blocks = re.split(r"^Tree=", text.removesuffix(_END), flags=re.MULTILINE)
    header = _values(head)
    if not 0 < len(blocks) <= MOST_TREES:
        raise ValueError(f"{len(blocks)} trees")
    if int(header["max_feature_idx"]) != n_features - 1 or int(header["num_class"]) != 1:
        raise ValueError("another number of features")
    sizes = [int(size) for size in header["tree_sizes"].split()]
    if len(sizes) != len(blocks) or header["num_tree_per_iteration"] != "1":
        raise ValueError("another number of trees")
    for number, block in enumerate(blocks):
        _check_tree(number, block, sizes[number], n_features)


def _check_tree(number: int, block: str, size: int, n_features: int) -> None:
    values = _values(block)
    leaves = int(values["num_leaves"])
    if int(block.split("\n", 1)[0]) != number or len("Tree=" + block) != size:
        raise ValueError(f"tree {number} is cut")
    if not 1 <= leaves <= MOST_LEAVES or values["num_cat"] != "0" or values["is_linear"] != "0":
        raise ValueError(f"tree {number} is of another kind")
    if leaves == 1:
        _numbers(values, "leaf_value", 1)
        return
    for name in _OF_LEAVES:
        _numbers(values, name, leaves)
    for name in _OF_SPLITS:
        _numbers(values, name, leaves - 1)
    features = _numbers(values, "split_feature", leaves - 1)
    children = np.stack([_numbers(values, name, leaves - 1) for name in ("left_child", "right_child")])
    if features.min() < 0 or features.max() >= n_features:
        raise ValueError(f"tree {number} reads a feature that there is not")
    wanted = np.concatenate([np.arange(-leaves, 0), np.arange(1, leaves - 1)])
    if not np.array_equal(np.sort(children.ravel()), wanted) or _has_loop(children):
        raise ValueError(f"tree {number} is no tree")


def _has_loop(children: Doubles) -> bool:
    """Whether some inner node cannot be reached from the root; each is the child of exactly one node."""
    reached, waiting = 0, [0]
    while waiting:
        node = waiting.pop()
        reached += 1
        waiting += [int(child) for child in children[:, node] if child >= 0]
    return reached != children.shape[1]


def _numbers(values: dict[str, str], name: str, n: int) -> Doubles:
    numbers = np.array([float(word) for word in values[name].split()])
    if len(numbers) != n or not np.isfinite(numbers).all():
        raise ValueError(f"{name} holds {len(numbers)} numbers, not {n}")
    return numbers


def _values(block: str) -> dict[str, str]:
    return dict(_pairs(block))


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            yield name, value
