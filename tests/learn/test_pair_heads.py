"""Heads: what a state says of an item, worked out by hand; they begin with what is known of the items."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from accord.core.errors import ArtefactError
from accord.learn.heads import DAMP, PairHead


def head(dim: int = 3) -> PairHead:
    made = PairHead.of_marks(dim, 4, np.array([0, 0, 1, 2], np.int32), np.float32([5, 5, 1, np.nan]))
    for weights in (made.map.weight, made.map.bias, made.base):
        torch.nn.init.normal_(weights)
    return made


def test_a_head_is_the_formula() -> None:
    torch.manual_seed(0)
    made, states, vectors = head(), torch.randn(2, 3), torch.randn(2, 3)
    items = torch.tensor([1, 3])
    said = made(states, vectors, items)
    for row in range(2):
        mapped = made.map.weight @ vectors[row] + made.map.bias
        wanted = states[row] @ mapped + made.biases[items[row]] + made.base[0]
        torch.testing.assert_close(said[row], wanted)
    wide = made(states[:, None], vectors[None].expand(2, 2, 3), items.expand(2, 2))
    torch.testing.assert_close(wide.diagonal(), said)


def test_biases_begin_damped_and_new_items_have_none() -> None:
    made = PairHead.of_marks(3, 4, np.array([0, 0, 1, 2], np.int32), np.float32([5, 5, 1, np.nan]))
    mean, spread = 11 / 3, np.std([5, 5, 1])
    wanted = [2 * (5 - mean) / spread / (2 + DAMP), (1 - mean) / spread / (1 + DAMP), 0, 0]
    np.testing.assert_allclose(made.biases.detach().numpy(), wanted, rtol=1e-5)
    nowhere = torch.zeros(2, 3)
    said = made.told(made(nowhere, nowhere, torch.tensor([0, 9])))
    np.testing.assert_allclose(said.detach().numpy(), [mean + spread * wanted[0], mean], rtol=1e-5)
    assert made.told(torch.tensor([9.0, -9.0])).tolist() == [5, 1]


def test_choices_begin_at_the_rates() -> None:
    items, chosen = np.array([0] * 10 + [1] * 10, np.int32), np.array([True] * 8 + [False] * 12)
    made = PairHead.of_choices(3, 2, items, chosen)
    zeros = torch.zeros(2, 3)
    said = torch.sigmoid(made.told(made(zeros, zeros, torch.tensor([0, 1])))).detach().numpy()
    np.testing.assert_allclose(said, [0.4 + (8 - 4) / (10 + DAMP), 0.4 + (0 - 4) / (10 + DAMP)], rtol=1e-5)


def test_losses_by_hand() -> None:
    made = head()
    mean, spread = 11 / 3, np.std([5, 5, 1])
    loss, count = made.squared(torch.tensor([0.5, 2.0, 0.0]), torch.tensor([5.0, torch.nan, 1.0]))
    assert count == 2
    assert float(loss) == pytest.approx((0.5 - (5 - mean) / spread) ** 2 + ((1 - mean) / spread) ** 2, rel=1e-5)
    click = PairHead.of_choices(3, 2, np.array([0, 1], np.int32), np.array([True, False]))
    loss, count = click.crossed(torch.tensor([0.3, -1.0]), torch.tensor([1.0, 0.0]))
    assert count == 2  # half are chosen, so the base is a logit of 0
    assert float(loss) == pytest.approx(np.log1p(np.exp(-0.3)) + np.log1p(np.exp(-1.0)), rel=1e-5)


def test_saved_and_loaded() -> None:
    made = head()
    arrays = {name: values.numpy() for name, values in made.state_dict().items()}
    loaded = PairHead.of_state(3, arrays)
    pair = torch.randn(2, 3), torch.randn(2, 3), torch.tensor([0, 3])
    torch.testing.assert_close(loaded.told(loaded(*pair)), made.told(made(*pair)))
    with pytest.raises(ArtefactError, match="does not fit"):
        PairHead.of_state(3, {name: values for name, values in arrays.items() if name != "map.bias"})
