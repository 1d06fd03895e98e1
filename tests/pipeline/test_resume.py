"""A job that is stopped after any of its steps goes on, and ends as if nothing had happened."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import shop
from accord.core import checkpoint as module
from accord.core.checkpoint import Checkpoint
from accord.core.dataset import Dataset
from accord.core.digest import digest_of
from accord.core.run import Run
from accord.core.slate import Slate
from accord.data import splits
from accord.models.content import Content
from accord.models.item_knn import ItemKNN
from accord.pipeline import resume
from accord.pipeline.learning import Learned, learn
from accord.pipeline.resume import kept_lists
from accord.pipeline.spec import PipelineSpec
from accord.testing.planted import checkerboard


class KilledError(BaseException):
    """As sudden as a signal: nothing that expects an error catches it."""


@pytest.fixture(scope="module")
def data() -> Dataset:
    return shop.world(20, 12, 2, 6).data


@pytest.fixture(scope="module")
def spec() -> PipelineSpec:
    """With a parameter that needs a new fit, and one that does not."""
    values = {"knn.tau": [4.0, float("inf")], "knn.k": [5, 10]}
    return shop.small().model_copy(update={"search": shop.small().search.model_copy(update={"values": values})})


def job(data: Dataset, spec: PipelineSpec, store: Checkpoint, seed: int = 0) -> Learned:
    run = Run(seed=seed, cache=None, checkpoint=store)
    return learn(spec, splits.validation_only(data, run.rng("validation")), run, keep_all=True)


def result(learned: Learned) -> str:
    """A digest of everything that was learned and chosen, to the last bit."""
    pipeline = learned.pipeline
    parts = {**pipeline.sources, **learned.alone, "fallback": pipeline.fallback, "fuser": pipeline.fuser}
    states = {name: (part.config, part.state()) for name, part in sorted(parts.items())}
    return digest_of(states, learned.tried, learned.tuned, learned.dropped, learned.skipped, pipeline.data)


@pytest.fixture(scope="module")
def whole(data: Dataset, spec: PipelineSpec) -> str:
    return result(job(data, spec, Checkpoint()))


def killed_at(moment: int, patch: pytest.MonkeyPatch) -> None:
    """Stop the job at its so-and-so-manieth step: before, in the middle of, or after writing it."""
    moments = iter(range(1 << 30))
    save, flush = module.save_state, module.flush

    def due() -> bool:
        return next(moments) == moment

    def torn(path: Path, arrays: dict) -> None:
        if due():
            raise KilledError
        save(path, arrays)
        if due():
            path.write_bytes(path.read_bytes()[:50])
            raise KilledError

    def flushed(path: Path) -> None:
        flush(path)
        if due():
            raise KilledError

    patch.setattr(module, "save_state", torn)
    patch.setattr(module, "flush", flushed)
    patch.setattr(module, "_remove", lambda _: None)  # a killed process does not clean up


def moments() -> Iterator[int]:
    """Moments some steps ahead, so that some dozen kills cover a job."""
    rng = np.random.default_rng(0)
    while True:
        yield int(rng.integers(0, 14))


def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(
    data: Dataset, spec: PipelineSpec, whole: str, tmp_path: Path
) -> None:
    kills = 0
    for moment in moments():
        store = Checkpoint(tmp_path)
        try:
            with pytest.MonkeyPatch.context() as patch:
                killed_at(moment, patch)
                learned = job(data, spec, store)
            break
        except KilledError:
            kills += 1
    assert kills >= 5
    assert result(learned) == whole
    assert store.taken["fits"] >= 4


def test_a_finished_job_run_again_fits_nothing(
    data: Dataset, spec: PipelineSpec, whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert result(job(data, spec, Checkpoint(tmp_path))) == whole
    for kind in (ItemKNN, Content):
        monkeypatch.setattr(kind, "_fit", lambda *_: pytest.fail("fitted again"))
    monkeypatch.setattr("accord.pipeline.learning.choose", lambda *_: pytest.fail("chosen again"))
    store = Checkpoint(tmp_path)
    assert result(job(data, spec, store)) == whole
    assert (store.taken["choices"], store.taken["fusers"]) == (1, 1)


def test_another_seed_configuration_or_log_takes_nothing_wrong(
    data: Dataset, spec: PipelineSpec, whole: str, tmp_path: Path
) -> None:
    job(data, spec, Checkpoint(tmp_path))
    fewer = data.with_events(np.arange(data.n_events) != 7)
    sources = {**spec.sources, "knn": {**spec.sources["knn"], "k": 3}}
    other = spec.model_copy(update={"sources": sources})
    titles = data.items.set_column(1, "title", data.items["title"].take(np.roll(np.arange(data.n_items), 1)))
    for name, (log, config, seed) in {
        "log": (fewer, spec, 0),
        "configuration": (data, other, 0),
        "seed": (data, spec, 1),
        "titles": (replace(data, items=titles), spec, 0),
    }.items():
        resumed = result(job(log, config, Checkpoint(tmp_path), seed))
        assert resumed == result(job(log, config, Checkpoint(), seed)), name
        assert resumed != whole, name


def test_a_fuser_whose_file_has_changed_is_chosen_anew(
    data: Dataset, spec: PipelineSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(data, spec, Checkpoint(tmp_path))
    known = resume._source_digest
    monkeypatch.setattr(resume, "_source_digest", lambda name: known(name) + "x" * name.startswith("accord.fuse."))
    store = Checkpoint(tmp_path)
    job(data, spec, store)
    assert "choices" not in store.taken
    assert store.taken["fits"] > 0


def test_lists_are_kept_with_their_columns_and_facts(tmp_path: Path) -> None:
    planted = checkerboard()
    slate = Slate(np.array([[3, -1]], np.int32), {"score": np.array([[1.5, np.nan]], np.float32)}, {"eligible": [4.0]})
    slate = replace(slate, facts={"eligible": np.array([4.0])})
    wide = Slate(np.zeros((1, 3), np.int32), {"b": np.ones((1, 3), np.float32), "a": np.zeros((1, 3), np.float32)})
    for _ in range(2):
        run = Run(cache=None, checkpoint=Checkpoint(tmp_path))
        kept = kept_lists(run, (planted.data,), lambda: {"fused": slate, "alone": wide})
        assert list(kept) == ["fused", "alone"]
        assert list(kept["alone"].columns) == ["b", "a"]
        assert digest_of(kept) == digest_of({"fused": slate, "alone": wide})
    assert run.checkpoint.taken == {"sets of lists": 1}
