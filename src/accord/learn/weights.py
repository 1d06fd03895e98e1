"""Weights of torch modules as arrays that an artefact holds."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from accord.core.errors import ArtefactError
from accord.core.part import State, prefixed

M = TypeVar("M", bound=nn.Module)


def saved_weights(module: nn.Module, prefix: str = "") -> State:
    """All parameters and saved buffers by name, with a prefix before it."""
    return prefixed(prefix, {name: values.numpy() for name, values in module.state_dict().items()})


def with_weights(module: M, arrays: State) -> M:
    """The module with these arrays as its own, ready to answer. Raises ``ArtefactError`` where they do not fit it."""
    try:
        module.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in arrays.items()})
    except (RuntimeError, TypeError) as error:
        raise ArtefactError(f"the saved network does not fit ({error})", remedy="Train it again.") from None
    return module.eval()
