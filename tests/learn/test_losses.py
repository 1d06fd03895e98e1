"""Every loss against plain maths on small numbers."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.nn.functional import logsigmoid

from accord.learn import softmax
from accord.learn.objective import Objective, ObjectiveConfig
from accord.learn.sampled import HIDDEN, bce, bpr, gbce, sampled_logits, sampled_softmax
from accord.learn.softmax import full_softmax
from accord.learn.targets import Targets

N, ITEMS, DIM = 7, 11, 4


@pytest.fixture
def states() -> torch.Tensor:
    return torch.randn(N, DIM, generator=torch.Generator().manual_seed(1)).requires_grad_()


@pytest.fixture
def items() -> torch.Tensor:
    return torch.randn(ITEMS, DIM, generator=torch.Generator().manual_seed(2)).requires_grad_()


@pytest.fixture
def targets() -> Targets:
    chosen = torch.tensor([[0, 3], [1, -1], [2, 2], [3, 5], [4, -1], [10, 0], [6, 7]])
    weights = torch.tensor([[0.7, 0.3], [1, 0], [0.5, 0.5], [0.9, 0.1], [2, 0], [0.6, 0.4], [0.8, 0.2]])
    return Targets(chosen, weights, torch.tensor([0, 0, 1, 5, 6]), torch.tensor([0, 8, 9, 0, 1]))


def plain(states, items, targets: Targets) -> torch.Tensor:
    """The definition, cell by cell."""
    total = torch.zeros(())
    for row in range(len(states)):
        mine = targets.items[row].tolist()
        hidden = {
            int(item)
            for at, item in zip(targets.seen_rows, targets.seen_items, strict=True)
            if at == row and int(item) not in mine
        }
        shown = [item for item in range(len(items)) if item not in hidden]
        logits = states[row] @ items.T
        for item, weight in zip(mine, targets.weights[row].tolist(), strict=True):
            if item >= 0:
                total = total + weight * (torch.logsumexp(logits[shown], 0) - logits[item])
    return total


@pytest.mark.parametrize("cells", [ITEMS * 100, ITEMS * 3, 1])
def test_the_chunked_softmax_is_the_plain_one_with_its_gradient(states, items, targets, cells, monkeypatch):
    monkeypatch.setattr(softmax, "CELLS", cells)
    ours, theirs = full_softmax(states, items, targets), plain(states, items, targets)
    torch.testing.assert_close(ours, theirs)
    mine = torch.autograd.grad(3 * ours, (states, items))
    right = torch.autograd.grad(3 * theirs, (states, items))
    torch.testing.assert_close(mine, right)


def test_targets_and_what_is_seen_are_hidden_among_those_drawn(states, items, targets):
    drawn = torch.tensor([3, 8, 0, 5])
    positive, negative = sampled_logits(states, lambda some: items[some], ITEMS, drawn, targets)
    hidden = [(row, column) for row, column in (negative == HIDDEN).nonzero().tolist()]
    assert hidden == [(0, 0), (0, 1), (0, 2), (3, 0), (3, 3), (5, 2)]
    torch.testing.assert_close(positive[3, 1], states[3] @ items[5])
    torch.testing.assert_close(negative[1, 1], states[1] @ items[8])


def test_a_softmax_over_all_others_is_the_full_one(states, items):
    only = Targets(torch.arange(N)[:, None], torch.ones(N, 1), torch.empty(0).long(), torch.empty(0).long())
    logits = sampled_logits(states, lambda some: items[some], ITEMS, torch.arange(ITEMS), only)
    torch.testing.assert_close(sampled_softmax(*logits, only.weights), full_softmax(states, items, only))


def test_the_correction_undoes_that_frequent_items_are_drawn_more_often(states, items):
    """With many draws by popularity the corrected normaliser is the true one, up to a constant that all share."""
    share = torch.linspace(1, 9, ITEMS) / torch.linspace(1, 9, ITEMS).sum()
    drawn = torch.multinomial(share, 40_000, replacement=True, generator=torch.Generator().manual_seed(0))
    logits = states.detach() @ items.detach().T
    corrected = (logits[:, drawn] - share.log()[drawn]).logsumexp(1) - np.log(len(drawn))
    torch.testing.assert_close(corrected, logits.logsumexp(1), atol=0.02, rtol=0)


def test_pairs_and_binary_losses_are_as_defined():
    positive, negative = torch.tensor([[1.0], [0.5]]), torch.tensor([[0.2, -1.0], [HIDDEN, 2.0]])
    weights = torch.tensor([[1.0], [2.0]])
    first = (-logsigmoid(torch.tensor([1 - 0.2, 1 + 1.0]))).mean()
    second = -logsigmoid(torch.tensor(0.5 - 2.0))
    torch.testing.assert_close(bpr(positive, negative, weights), first + 2 * second)
    against = [-logsigmoid(torch.tensor([-0.2, 1.0])).mean(), -logsigmoid(torch.tensor(-2.0))]
    right = [-logsigmoid(torch.tensor(1.0)), -logsigmoid(torch.tensor(0.5))]
    torch.testing.assert_close(bce(positive, negative, weights), right[0] + against[0] + 2 * (right[1] + against[1]))
    sums = [-logsigmoid(torch.tensor([-0.2, 1.0])).sum(), -logsigmoid(torch.tensor(-2.0))]
    for trust, beta in ((0.0, 1.0), (1.0, 0.25), (0.5, 0.625)):
        told = gbce(positive, negative, weights, 0.25, trust)
        torch.testing.assert_close(told, beta * right[0] + sums[0] + 2 * (beta * right[1] + sums[1]))


@pytest.mark.parametrize("loss", ["softmax", "sampled", "in_batch", "gbce", "bce", "bpr"])
def test_every_loss_falls_when_the_target_rises(loss, states, items, targets):
    counts = torch.arange(1.0, ITEMS + 1)
    config = ObjectiveConfig(loss=loss, negatives=6)

    def value(better: float) -> float:
        objective = Objective(config, counts, torch.Generator().manual_seed(0))
        vectors = torch.cat([items.detach(), torch.zeros(ITEMS, 1)], dim=1)
        asks = torch.cat([states.detach(), torch.ones(N, 1)], dim=1)
        first = targets.items[:1, 0]
        vectors[first, -1] = better
        only = Targets(first[:, None], torch.ones(1, 1), torch.empty(0).long(), torch.empty(0).long())
        others = Targets(torch.tensor([[7], [8]]), torch.zeros(2, 1), only.seen_rows, only.seen_items)
        both = Targets(torch.cat([only.items, others.items]), torch.cat([only.weights, others.weights]), *_none())
        return float(objective(asks[:3], lambda some: vectors[some], both))

    assert value(5.0) < value(0.0) < value(-5.0)


@pytest.mark.parametrize("loss", ["sampled", "in_batch", "gbce", "bce", "bpr"])
def test_pairs_are_as_products_where_they_are_products(loss, states, items, targets):
    config, counts = ObjectiveConfig(loss=loss, negatives=6), torch.arange(1.0, ITEMS + 1)

    def logits(some: torch.Tensor) -> torch.Tensor:
        return states @ items[some].T if some.ndim == 1 else torch.einsum("nd,nkd->nk", states, items[some])

    ours = Objective(config, counts, torch.Generator().manual_seed(0)).of_pairs(logits, targets)
    theirs = Objective(config, counts, torch.Generator().manual_seed(0))(states, lambda some: items[some], targets)
    torch.testing.assert_close(ours, theirs)


def test_pairs_against_all_others_are_the_full_softmax(states, items):
    only = Targets(torch.arange(N)[:, None], torch.ones(N, 1), torch.tensor([0, 0, 3]), torch.tensor([0, 8, 9]))
    objective = Objective(ObjectiveConfig(loss="softmax"), torch.ones(ITEMS), torch.Generator())

    def logits(some: torch.Tensor) -> torch.Tensor:
        return states @ items[some].T if some.ndim == 1 else torch.einsum("nd,nkd->nk", states, items[some])

    torch.testing.assert_close(objective.of_pairs(logits, only), full_softmax(states, items, only))


def test_large_catalogues_are_sampled_and_small_ones_are_not():
    generator = torch.Generator().manual_seed(0)
    assert Objective(ObjectiveConfig(), torch.ones(20_000), generator).kind == "softmax"
    assert Objective(ObjectiveConfig(), torch.ones(20_001), generator).kind == "sampled"


def _none() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty(0).long(), torch.empty(0).long()
