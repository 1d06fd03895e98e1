"""Before any worker starts: the run is published once, an empty store is filled once, also when killed half way."""

from pathlib import Path

import pytest

from accord.core.errors import ArtefactError, InputError
from accord.core.run import Run
from accord.data.store import Event, SqliteStore, open_store
from accord.pipeline.pipeline import Pipeline
from accord.registry import Registry
from accord.serve.preparing import prepare
from accord.serve.settings import ServeSettings

RUN = Run(cache=None)


@pytest.fixture
def settings(run_folder: Path, tmp_path: Path) -> ServeSettings:
    return ServeSettings(run=run_folder, store=str(tmp_path / "store.db"))


def counts(settings: ServeSettings) -> dict[str, int]:
    store = open_store(settings.store_url)
    try:
        return store.counts()
    finally:
        store.close()


def test_everybody_has_a_history_from_the_start(settings, pipeline: Pipeline):
    assert prepare(settings, RUN) == Registry.beside(settings.run).live()
    filled = counts(settings)
    assert (filled["events"], filled["items"]) == (pipeline.data.n_events, pipeline.data.n_items)
    prepare(settings, RUN)
    assert counts(settings) == filled


def test_a_filling_that_was_broken_off_is_finished(settings, pipeline: Pipeline, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "add_events", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare(settings, RUN)
    assert counts(settings)["events"] == 0
    prepare(settings, RUN)
    assert counts(settings)["events"] == pipeline.data.n_events


def test_a_store_with_rows_of_its_own_is_left_alone(settings):
    store = open_store(settings.store_url)
    store.append_events([Event("e1", "ann", "i1", timestamp=1.7e9)])
    store.close()
    prepare(settings, RUN)
    assert counts(settings)["events"] == 1


def test_without_a_run_there_is_no_version_and_the_store_is_made(tmp_path):
    settings = ServeSettings(run=tmp_path / "later")
    assert prepare(settings, RUN) is None
    assert (tmp_path / "later.store.db").exists()


def test_an_exchanged_version_is_refused(settings, tmp_path):
    version = prepare(settings, RUN)
    card = Registry.beside(settings.run).place(version) / "card.json"
    text = card.read_text()
    card.write_text(text + " ")
    try:
        with pytest.raises(ArtefactError, match="not the one that was published"):
            prepare(settings, RUN)
    finally:
        card.write_text(text)


def placed(settings, tmp_path, text: str) -> ServeSettings:
    path = tmp_path / "placements.toml"
    path.write_text(f"[placements.home]\n{text}\n", encoding="utf-8")
    return settings.model_copy(update={"placements": path})


def test_placements_are_checked_against_the_live_version(settings, tmp_path):
    told: list[str] = []
    prepare(placed(settings, tmp_path, 'n = 5\nrules.blocked = ["i1", "unheard of"]'), RUN, told.append)
    assert len(told) == 1
    assert "placement home" in told[0]
    assert "'unheard of'" in told[0]
    with pytest.raises(InputError, match=r"placements\.home\..*colour"):
        prepare(placed(settings, tmp_path, "caps = { colour = 2 }"), RUN)


def test_a_placement_that_names_a_version_is_refused(settings, tmp_path):
    with pytest.raises(InputError, match=r"placements\.home\.version: .*live version"):
        prepare(placed(settings, tmp_path, 'version = "20260101T000000.000000Z-00000000"'), RUN)
