"""The small shop with stars, or with impressions, and pipelines with heads."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

import shop
from accord.core.dataset import Dataset
from accord.pipeline.spec import PipelineSpec, spec_of

HEADS = """
[heads.stars]
kind = "rating"
neighbours = 20

[heads.click]
kind = "click"
"""


def spec() -> PipelineSpec:
    return spec_of(shop.SMALL + HEADS, "heads.toml")


def stars() -> Dataset:
    """Ratings 1 to 5: some users are mild, some items good, the rest is chance; a tenth has no rating."""
    data, rng = shop.shop(), np.random.default_rng(7)
    user, item = rng.normal(0, 0.8, data.n_users), rng.normal(0, 0.8, data.n_items)
    value = 3 + user[data.event_users] + item[data.event_items] + rng.normal(0, 0.3, data.n_events)
    value[rng.random(data.n_events) < 0.1] = np.nan
    column = pa.array(np.clip(value, 1, 5).astype(np.float32), mask=np.isnan(value))
    return replace(data, events=data.events.append_column("value", column))


def impressions() -> Dataset:
    """Every event is an item shown; items differ in how often they are chosen, and so do users."""
    data, rng = shop.shop(), np.random.default_rng(8)
    lift = rng.normal(0, 1.5, data.n_items)[data.event_items] + rng.normal(0, 1.5, data.n_users)[data.event_users]
    chosen = rng.random(data.n_events) < 1 / (1 + np.exp(-lift))
    kinds = pa.array(np.where(chosen, "click", "impression"))
    return replace(data, events=data.events.append_column("event", kinds))
