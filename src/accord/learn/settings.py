"""How a torch model is trained: the settings that every one of them has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from accord.core.config import Config


class TrainConfig(Config):
    """Settings of the training loop; a model's own configuration is derived from it."""

    epochs: int = Field(default=40, ge=1)
    """At most so many passes over the data."""
    patience: int = Field(default=4, ge=0)
    """Stop after so many epochs without a better validation figure, and go back to the best; 0: train all epochs and
    hold nothing back."""
    batch: int = Field(default=2048, ge=1)
    """Examples a batch: events of whole histories, or pairs of user and item."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are added up before a step."""
    lr: float = Field(default=1e-3, gt=0)
    """The highest learning rate (AdamW)."""
    warmup: float = Field(default=0.02, ge=0, le=1)
    """Share of all steps in which the learning rate rises from nothing; then it falls as a cosine."""
    floor: float = Field(default=0.05, ge=0, le=1)
    """Where the cosine ends, as a share of ``lr``."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled decay of all weights."""
    clip: float = Field(default=5.0, gt=0)
    """The longest that the gradient may be."""
    average: float = Field(default=0.99, ge=0, lt=1)
    """Decay of the moving average of the weights that is kept in the end, reached step by step; 0: the weights
    themselves."""
    adversarial: float = Field(default=0.0, ge=0)
    """Length of the step against the model that is taken in its embeddings before each gradient (Miyato et al.,
    "Adversarial Training Methods for Semi-Supervised Text Classification", ICLR 2017); 0: none, twice as fast."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """``bfloat16``: products in half precision; weights, losses and the optimiser stay in float32."""
