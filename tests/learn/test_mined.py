"""Hard candidates beside those drawn: together they estimate the loss over all."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from accord.learn.mined import MinedObjective
from accord.learn.objective import Objective, ObjectiveConfig
from accord.learn.softmax import full_softmax
from accord.learn.targets import Targets

N, ITEMS, DIM = 6, 40, 4
NONE = torch.empty(0).long()


@pytest.fixture
def states() -> torch.Tensor:
    return torch.randn(N, DIM, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def items() -> torch.Tensor:
    return 0.5 * torch.randn(ITEMS, DIM, generator=torch.Generator().manual_seed(2))


def drawn_targets(counts: torch.Tensor, seed: int) -> Targets:
    chosen = torch.multinomial(counts, N, replacement=True, generator=torch.Generator().manual_seed(seed))
    return Targets(chosen[:, None], torch.ones(N, 1), NONE, NONE)


def objective(loss: str, counts: torch.Tensor, negatives: int = 10) -> MinedObjective:
    config = ObjectiveConfig(loss=loss, negatives=negatives)
    return MinedObjective(config, counts, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("loss", ["softmax", "sampled", "in_batch"])
def test_with_all_candidates_as_hard_ones_it_is_the_full_softmax(loss, states, items):
    counts = torch.arange(1.0, ITEMS + 1)
    targets = drawn_targets(counts, 0)
    ours = objective(loss, counts).against(states, lambda some: items[some], targets, torch.arange(ITEMS))
    torch.testing.assert_close(ours, full_softmax(states, items, targets))


def test_without_hard_ones_a_batch_is_corrected_alike(states, items):
    counts = torch.arange(1.0, ITEMS + 1)
    targets = drawn_targets(counts, 0)
    ours = objective("in_batch", counts)
    plain = Objective(ours.config, counts, torch.Generator())
    table = items.__getitem__
    torch.testing.assert_close(plain(states, table, targets), ours.against(states, table, targets, NONE))


@pytest.mark.parametrize("hard", [NONE, torch.tensor([3, 17, 30])], ids=["none", "three"])
@pytest.mark.parametrize("loss", ["sampled", "in_batch"])
def test_the_weighed_sum_over_many_draws_is_that_over_all(loss, hard, states, items):
    """Undo the logarithms: the mean of the sums that stand against the target is the sum over all other candidates."""
    counts = torch.linspace(1, 9, ITEMS)
    one = objective(loss, counts)
    target = torch.full((N, 1), 5)
    against = []
    for seed in range(6_000):
        others = drawn_targets(counts, seed)
        asked = Targets(others.items, torch.zeros(N, 1), NONE, NONE)
        drawn = one._drawn(asked)
        drawn = drawn[~torch.isin(drawn, hard)]
        both = torch.cat([drawn, hard])
        weight = torch.cat([one._log_probability(drawn, asked), torch.zeros(len(hard))])
        against.append(((states @ items[both].T - weight).exp() * (both != 5)).sum(dim=1))
    everything = (states @ items.T).exp()
    everything[:, target[0]] = 0
    torch.testing.assert_close(torch.stack(against).mean(0), everything.sum(dim=1), rtol=0.05, atol=0)


@pytest.mark.parametrize("loss", ["sampled", "in_batch", "gbce", "bce", "bpr"])
def test_a_hard_candidate_is_pushed_away(loss, states, items):
    counts, table = torch.ones(ITEMS), items.clone().requires_grad_()
    targets = Targets(torch.zeros(1, 1).long(), torch.ones(1, 1), NONE, NONE)
    hard = torch.tensor([39])
    loss = objective(loss, counts, negatives=2).against(states[:1], lambda some: table[some], targets, hard)
    moved = -torch.autograd.grad(loss, table)[0]
    assert float(states[0] @ moved[39]) < 0 < float(states[0] @ moved[0])
    assert np.isfinite(float(loss.detach()))


def test_what_is_seen_is_no_hard_candidate(states, items):
    seen = Targets(torch.arange(N)[:, None], torch.ones(N, 1), torch.arange(N), torch.full((N,), 39))
    table = items.clone().requires_grad_()
    one = objective("sampled", torch.ones(ITEMS), negatives=2)
    loss = one.against(states, lambda some: table[some], seen, torch.tensor([39]))
    assert float(torch.autograd.grad(loss, table)[0][39].abs().sum()) == 0
