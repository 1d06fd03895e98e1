"""Several losses as one."""

import math

import pytest

pytest.importorskip("torch")

import torch

from accord.learn.balance import Balance


def losses(first: float, second: float) -> dict:
    return {
        "a": (torch.tensor(first * 4, requires_grad=True), torch.tensor(4.0)),
        "b": (torch.tensor(second * 2, requires_grad=True), torch.tensor(2.0)),
    }


def test_given_weights_are_of_the_means():
    total, of = Balance({"a": 3.0, "b": 0.5}, learned=False)(losses(1.0, 10.0))
    assert float(total.detach() / of) == pytest.approx(3 * 1 + 0.5 * 10)
    assert float(of) == 4


def test_learned_weights_go_to_what_each_loss_leaves_open():
    balance = Balance({"a": 1.0, "b": 1.0}, learned=True)
    start, _ = balance(losses(1.0, 10.0))
    assert float(start.detach()) == pytest.approx(4 * 11)
    optimiser = torch.optim.Adam(balance.parameters(), lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        total, _ = balance(losses(1.0, 10.0))
        total.backward()
        optimiser.step()
    assert balance.shares == pytest.approx({"a": 1 / 2, "b": 1 / 20}, rel=1e-2)  # exp(-s) L = 1 / 2
    assert float(total.detach()) / 4 == pytest.approx(1 + 0.5 * (math.log(2) + math.log(20)), rel=1e-3)


def test_a_loss_without_weight_is_nothing():
    told = losses(1.0, 1.0)
    told["b"] = (torch.tensor(0.0), torch.tensor(0.0))
    total, of = Balance({"a": 1.0, "b": 1.0}, learned=False)(told)
    assert float(total.detach() / of) == 1
