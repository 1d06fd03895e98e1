"""The torch backend of sentence encoders: a transformer, its mean over the mask, unit length."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import AutoModel
from transformers.utils import logging

from accord.core.arrays import Floats, Longs


class SentenceModel(torch.nn.Module):
    """Token ids and mask ``[B, T]`` to unit vectors ``[B, dim]`` (Reimers & Gurevych 2019, mean pooling)."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        with quiet():
            # Eager attention: the plain matrix form, which exports to ONNX as it stands.
            self.body = AutoModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, attn_implementation="eager"
            )
        self.eval()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The unit vector of each row."""
        return pooled(self.body(input_ids=ids, attention_mask=mask).last_hidden_state, mask)


def pooled(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """``float32[B, T, dim]`` to ``[B, dim]``: the mean of the token vectors where the mask is one, at unit length."""
    weight = mask.unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
    return torch.nn.functional.normalize(mean, dim=1)


class TorchForward:
    """Runs a ``SentenceModel`` on NumPy arrays."""

    def __init__(self, model: SentenceModel, device: str = "cpu") -> None:
        self.model = model.to(device)
        self.device = device

    def __call__(self, ids: Longs, mask: Longs) -> Floats:
        """``int64[B, T]`` ids and mask to ``float32[B, dim]``."""
        with torch.inference_mode():
            given = (torch.from_numpy(array).to(self.device) for array in (ids, mask))
            return self.model(*given).float().cpu().numpy()


@contextmanager
def quiet() -> Generator[None]:
    """Without the loader's progress bar, which would tear the caller's own display."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
