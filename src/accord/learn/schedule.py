"""The learning rate over the steps of a training."""

from __future__ import annotations

import math
from collections.abc import Callable

from accord.learn.settings import TrainConfig


def warm_cosine(config: TrainConfig, steps: int) -> Callable[[int], float]:
    """Factor of the learning rate at each step: up a straight line, then down a cosine to ``floor``.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, without restarts.
    """
    rising = max(1, math.ceil(config.warmup * steps))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        done = min(1.0, (step - rising) / max(1, steps - rising))
        return config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * done))

    return factor
