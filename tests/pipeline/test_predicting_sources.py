"""What a source predicts itself reaches the head that predicts the same, in learning, answers and files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rated
import shop
from accord.core.arrays import Floats, Ints
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.core.roles import Predicts
from accord.core.run import Run
from accord.data import splits
from accord.evaluate import prediction
from accord.fuse.heads import Marks
from accord.fuse.weighted import Weighted
from accord.models.popular import Popular
from accord.pipeline.artefact import load, save
from accord.pipeline.heads import predicted, with_heads
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import make, spec_of


class Oracle(Popular):
    """Ranks by popularity, and knows every mark of the log, if a little too high and not of all."""

    marks: Marks
    measure: str

    @property
    def predicts(self) -> tuple[str, ...]:
        return (self.measure,)

    def predict(self, measure: str, queries: Queries, items: Ints) -> Floats:
        assert measure == self.measure
        rows = np.repeat(np.arange(len(items)), items.shape[1])
        marks = self.marks.of(queries.users[rows], items.ravel()).reshape(items.shape)
        return (np.clip(marks, 0.2, 0.8) if measure == "click" else marks + 0.5).astype(np.float32)


def heads_of(data: Dataset, kind: str, oracle: bool) -> dict[str, float]:
    """Errors of a head and its floors on the test of a world, with a source that predicts or one that does not."""
    split = splits.random_split(data, np.random.default_rng(3))[0]
    spec = spec_of(shop.SMALL + f'\n[heads.mine]\nkind = "{kind}"', "t.toml")
    source = (Oracle if oracle else Popular)().fit(split.refit, Run(cache=None))
    pipeline = Pipeline(
        spec, split.refit, {"known": source}, Weighted(sources=("known",)), Popular().fit(data, shop.run())
    )
    if isinstance(source, Oracle):
        source.measure = kind
        source.marks = Marks(data, make("heads", spec.heads["mine"], "heads.mine", sources=("known",)).marks(data))
    pipeline = with_heads(pipeline, pipeline.sources, split, shop.run(), {})
    assert pipeline.heads["mine"].config.predicting == (("known",) if oracle else ())
    found = predicted(pipeline, "mine", split.tests["test"], data, shop.run())
    known = found.cells.known
    loss = prediction.rmse if kind == "rating" else prediction.log_loss
    return {name: loss(found.cells.outcomes[known], values[known]) for name, values in found.values.items()}


def test_a_rating_head_takes_over_what_a_source_knows() -> None:
    errors = heads_of(rated.stars(), "rating", oracle=True)
    assert errors["mine"] < 0.3 * errors["bias"]
    without = heads_of(rated.stars(), "rating", oracle=False)
    assert without["mine"] > 0.8 * without["bias"]


def test_a_click_head_takes_over_what_a_source_knows() -> None:
    errors = heads_of(rated.impressions(), "click", oracle=True)
    assert errors["mine"] < 0.3 * errors["item rate"]
    assert heads_of(rated.impressions(), "click", oracle=False)["mine"] > errors["mine"]


def test_saved_with_a_network_that_rates(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from accord.models.sequential import Sequential

    data = rated.stars()
    split = splits.random_split(data, np.random.default_rng(3))[0]
    order = '\n[sources.order]\nkind = "sequential"\ndim = 8\nepochs = 2\ntasks = { next = 1.0, rating = 1.0 }\n'
    spec = spec_of(f'name = "t"\n{order}\n[heads.stars]\nkind = "rating"', "t.toml")
    source = Sequential(**{key: v for key, v in spec.sources["order"].items() if key != "kind"})
    source.fit(split.train, shop.run())
    assert isinstance(source, Predicts)
    popular = Popular().fit(split.refit, shop.run())
    plain = Pipeline(spec, split.refit, {"order": source}, Weighted(sources=("order",)), popular)
    pipeline = with_heads(plain, plain.sources, split, shop.run(), {})
    save(pipeline, tmp_path / "run", {})
    loaded = load(tmp_path / "run")
    queries, items = pipeline.queries(["u1", "u2", "nobody"]), np.tile(np.arange(9, dtype=np.int32), (3, 1))
    said = pipeline.predict(queries, items, "stars")
    assert np.isfinite(said).all()
    np.testing.assert_array_equal(loaded.predict(loaded.queries(["u1", "u2", "nobody"]), items, "stars"), said)
    other = replace(pipeline, sources={"order": Sequential(**source.config.model_dump()).load_state(shaken(source))})
    assert np.abs(other.predict(queries, items, "stars") - said).max() > 1e-4


def shaken(source):
    """The state of a source whose rating head says something else."""
    state = source.state()
    return {**state, "heads/rating.biases": state["heads/rating.biases"][::-1].copy()}
