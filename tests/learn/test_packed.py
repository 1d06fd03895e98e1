"""Rows of unequal length, flat and padded."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from accord.learn.packed import Packed


def test_places_rows_and_back_again():
    packed = Packed.of(np.array([2, 1, 3]))
    assert packed.rows.tolist() == [0, 0, 1, 2, 2, 2]
    assert packed.places.tolist() == [0, 1, 0, 0, 1, 2]
    assert packed.starts.tolist() == [0, 2, 3]
    assert packed.newest.tolist() == [1, 2, 5]
    flat = torch.arange(12.0).view(6, 2)
    padded = packed.padded(flat)
    assert padded.shape == (3, 3, 2)
    assert padded[1, 1:].abs().sum() == 0
    torch.testing.assert_close(packed.flat(padded), flat)


def test_no_gradient_comes_from_padding():
    packed = Packed.of(np.array([1, 2]))
    flat = torch.ones(3, 1, requires_grad=True)
    (packed.padded(flat) + 5).sum().backward()
    torch.testing.assert_close(flat.grad, torch.ones(3, 1))
