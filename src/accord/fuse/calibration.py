"""Whether probabilities over the places of a list keep their word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accord.core.arrays import Floats
from accord.evaluate.prediction import calibration_error
from accord.fuse.base import Panel
from accord.fuse.likelihood import TINY, hits


@dataclass(frozen=True, slots=True)
class Calibration:
    """Agreement of probabilities with what came up, given that it was in the list."""

    log_loss: float
    """Mean of ``-log p`` of the true items, in nats."""
    even_log_loss: float
    """That of equal probabilities over the places of each list: the loss of knowing nothing."""
    error: float
    """Expected calibration error of the likeliest place of each list: how far, over bins of equally many lists, the
    mean probability lies from the share that came up (Guo et al., ICML 2017)."""


def calibration(logs: Floats, panel: Panel) -> Calibration:
    """Judge log probabilities ``float32[B, K]`` whose places sum to one in each list of the panel.

    Each true item is one event: where a list has several, the first place can take a share of them only.
    """
    hit, targets = hits(panel), panel.targets()
    asked = hit.sum(axis=1)
    lengths = np.maximum(panel.slate.filled.sum(axis=1), 1)
    events = max(1, len(targets[0]))
    loss = -float(np.maximum(logs[targets], np.log(TINY)).sum(dtype=np.float64)) / events
    even = float((asked * np.log(lengths)).sum()) / events
    known = asked > 0
    first = np.where(np.isnan(logs), -np.inf, logs)[known].argmax(axis=1)
    rows = np.flatnonzero(known)
    said, came = np.exp(logs[rows, first], dtype=np.float64), (hit[rows, first] / asked[rows]).astype(np.float64)
    return Calibration(loss, even, calibration_error(came, said, asked[rows].astype(np.float64)))
