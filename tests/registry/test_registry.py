"""Versions, the pointer to the live one, and what happens when things go wrong."""

import itertools
import json
import multiprocessing
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from artefacts import fake_artefact

from accord.core.errors import ArtefactError, InputError
from accord.core.state import file_digest
from accord.pipeline.card import CARD, SEAL
from accord.pipeline.pipeline import Pipeline
from accord.registry import Registry
from accord.registry.ledger import Ledger


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "shop.registry")


def published(registry: Registry, n: int, stage: str = "candidate") -> list[str]:
    """``n`` different versions."""
    parent = registry.folder.parent
    return [registry.publish(fake_artefact(parent / f"run{i}", str(i)), stage) for i in range(n)]  # type: ignore[arg-type]


def test_a_version_goes_in_and_comes_back(registry: Registry, trained_folder: Path, pipeline: Pipeline) -> None:
    version = registry.publish(trained_folder, "live", note="by hand")
    assert registry.live() == version
    assert registry.version(version).note == "by hand"
    assert registry.version(version).sha256 == file_digest(trained_folder / CARD)
    assert registry.card(version)["note"] == "made by the tests"
    queries = pipeline.data.queries()
    assert (registry.load(version).recommend(queries, 5).items == pipeline.recommend(queries, 5).items).all()


def test_promote_and_rollback_walk_the_line(registry: Registry) -> None:
    a, b, c = published(registry, 3)
    assert registry.live() is None
    assert [one.stage for one in registry.versions()] == ["candidate"] * 3
    for name in (a, b, c):
        registry.promote(name)
    assert (registry.live(), registry.previous()) == (c, b)
    assert (registry.rollback(), registry.live()) == (b, b)
    assert registry.rollback() == a
    assert [one.stage for one in registry.versions()] == ["live", "retired", "retired"]
    with pytest.raises(InputError, match="no version was live before"):
        registry.rollback()
    told = [(entry.action, entry.version, entry.previous) for entry in registry.history()[3:]]
    assert told == [("promote", a, None), ("promote", b, a), ("promote", c, b), ("rollback", b, c), ("rollback", a, b)]


def test_promoting_the_live_version_changes_nothing(registry: Registry) -> None:
    a, b = published(registry, 2, "live")
    stamp, history = registry.stamp(), registry.history()
    registry.promote(b)
    assert (registry.stamp(), registry.history()) == (stamp, history)
    assert registry.rollback() == a


def test_names_sort_by_time_even_when_the_clock_goes_back(registry: Registry) -> None:
    [first] = published(registry, 1)
    path = registry.path
    later = "21991231T235959.999999Z-" + first[-8:]
    path.write_text(path.read_text().replace(first, later))
    (registry.place(first)).rename(registry.place(later))
    newer = registry.publish(fake_artefact(registry.folder.parent / "again", "again"))
    assert newer > later
    assert newer.startswith("22000101T000000.000000Z-")


def test_publishing_twice_is_one_version(registry: Registry) -> None:
    source = fake_artefact(registry.folder.parent / "run", "x")
    version = registry.publish(source)
    assert registry.publish(source, "live") == version
    assert [one.stage for one in registry.versions()] == ["live"]


def test_a_stamp_changes_with_every_change_however_quick(registry: Registry) -> None:
    a, b = published(registry, 2)
    watch = registry.watch()
    assert watch.changed()
    assert not watch.changed()
    stamps = [registry.stamp()]
    for turn in range(40):
        registry.promote((a, b)[turn % 2])
        stamps.append(registry.stamp())
        assert watch.changed()
    times = [stamp[0] for stamp in stamps]
    assert times == sorted(set(times))


def test_prune_keeps_what_a_rollback_needs(registry: Registry) -> None:
    names = published(registry, 6)
    registry.promote(names[0])
    registry.promote(names[1])
    assert registry.prune(1) == names[2:5]
    assert [one.version for one in registry.versions()] == [names[0], names[1], names[5]]
    assert sorted(path.name for path in (registry.folder / "versions").iterdir()) == [names[0], names[1], names[5]]
    assert registry.rollback() == names[0]
    with pytest.raises(InputError, match="not a number"):
        registry.prune(-1)


def test_an_exchanged_folder_is_refused_before_it_is_read(registry: Registry, trained_folder: Path) -> None:
    version = registry.publish(trained_folder, "live")
    folder = registry.place(version)
    shutil.rmtree(folder)
    fake_artefact(folder, "a whole artefact with a seal of its own")
    for read in (registry.load, registry.card, registry.promote):
        with pytest.raises(ArtefactError, match="not the one that was published"):
            read(version)


def test_an_altered_file_is_refused(registry: Registry, trained_folder: Path) -> None:
    version = registry.publish(trained_folder, "live")
    path = registry.place(version) / "pipeline.toml"
    path.write_text(path.read_text() + "# and more\n")
    with pytest.raises(ArtefactError, match="not the one that was saved"):
        registry.load(version)


def test_a_rollback_to_a_missing_folder_is_refused(registry: Registry) -> None:
    a, b = published(registry, 2, "live")
    shutil.rmtree(registry.place(a))
    with pytest.raises(ArtefactError, match="the version is missing"):
        registry.rollback()
    assert registry.live() == b


@pytest.mark.parametrize("harm", ["altered", "incomplete", "no card", "link"])
def test_a_bad_artefact_leaves_nothing(registry: Registry, harm: str) -> None:
    source = fake_artefact(registry.folder.parent / "bad", "x")
    if harm == "altered":
        (source / "pipeline.toml").write_text("name = 'other'\n")
    elif harm == "incomplete":
        (source / "pipeline.toml").unlink()
    elif harm == "link":
        (source / "pipeline.toml").unlink()
        (source / "pipeline.toml").symlink_to("/etc/passwd")
    else:
        (source / CARD).unlink()
    with pytest.raises(ArtefactError):
        registry.publish(source)
    assert registry.versions() == []
    assert not list(registry.folder.glob("versions/*"))


def test_leftovers_of_a_killed_publish_are_swept(registry: Registry) -> None:
    [a] = published(registry, 1)
    versions = registry.folder / "versions"
    for name in (".20260101T000000.000000Z-00000000.new", "20260101T000000.000000Z-00000000"):
        (versions / name).mkdir()  # killed while it copied; killed before it was written down
    assert [one.version for one in registry.versions()] == [a]
    b = registry.publish(fake_artefact(registry.folder.parent / "next", "next"))
    assert sorted(path.name for path in versions.iterdir()) == [a, b]


def test_a_publish_killed_anywhere_counts_wholly_or_not_at_all(registry: Registry, tmp_path: Path) -> None:
    """The process ends without warning at each step of its last publish in turn."""
    [first] = published(registry, 1, "live")
    source = fake_artefact(tmp_path / "killed", "killed")
    steps = 0
    while True:
        child = multiprocessing.get_context("fork").Process(target=_killed_at, args=(registry, source, steps))
        child.start()
        child.join()
        for version in Registry(registry.folder).versions():
            registry.card(version.version)
        assert registry.live() == first
        if child.exitcode == 0:
            break
        steps += 1
    assert steps > 5
    assert [one.sha256 for one in registry.versions()][1:] == [file_digest(source / CARD)]


def _killed_at(registry: Registry, source: Path, step: int) -> None:
    """Publish, and die before the given system call that flushes or moves."""
    left = [step]

    def counted(function):
        def inner(*arguments, **named):
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            return function(*arguments, **named)

        return inner

    os.fsync, os.rename, os.replace = counted(os.fsync), counted(os.rename), counted(os.replace)
    registry.publish(source)
    os._exit(0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1, "line": ["../../etc"]}', '{"format": 1, "odd": 1}'])
def test_a_damaged_file_is_refused_with_the_remedy(registry: Registry, text: str) -> None:
    [version] = published(registry, 1)
    registry.path.write_text(text)
    for act in (registry.live, registry.rollback, lambda: registry.promote(version)):
        with pytest.raises(ArtefactError, match="Restore it from a backup, or move"):
            act()
    assert registry.path.read_text() == text


def test_a_newer_format_is_refused(registry: Registry) -> None:
    published(registry, 1)
    values = json.loads(registry.path.read_text())
    registry.path.write_text(json.dumps(values | {"format": 2, "news": []}))
    with pytest.raises(ArtefactError, match="Install the version of Accord that wrote it"):
        registry.live()


def test_stages_that_disagree_with_the_line_are_refused(registry: Registry) -> None:
    published(registry, 2, "live")
    text = registry.path.read_text()
    registry.path.write_text(text.replace('"retired"', '"live"'))
    with pytest.raises(ArtefactError, match="do not agree"):
        registry.live()


def test_unknown_versions_and_stages(registry: Registry) -> None:
    [version] = published(registry, 1)
    with pytest.raises(InputError, match=version):
        registry.promote("20260101T000000.000000Z-00000000")
    with pytest.raises(InputError, match="candidate or live"):
        registry.publish(fake_artefact(registry.folder.parent / "y", "y"), "retired")  # type: ignore[arg-type]


def test_an_empty_place_has_no_versions(registry: Registry) -> None:
    assert (registry.live(), registry.previous(), registry.versions(), registry.history()) == (None, None, [], [])
    assert registry.stamp() == (0, 0, 0)
    assert registry.prune() == []
    assert not registry.folder.exists()
    with pytest.raises(ArtefactError, match="accord models publish"):
        registry.rollback()


def test_threads_and_processes_promote_at_the_same_time(registry: Registry) -> None:
    names = published(registry, 4, "live")
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_promote_many, args=(registry.folder, names, turn)) for turn in range(3)]
    for process in processes:
        process.start()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda turn: _promote_many(registry.folder, names, turn), range(3, 6)))
    for process in processes:
        process.join()
        assert process.exitcode == 0
    moves = [entry for entry in registry.history() if entry.action == "promote"]
    for before, after in itertools.pairwise(moves):
        assert after.previous == before.version
        assert after.version != before.version
    assert moves[-1].version == registry.live()
    assert len(moves) > 20


def _promote_many(folder: Path, names: list[str], turn: int) -> None:
    registry = Registry(folder)
    for step in range(20):
        registry.promote(names[(step + turn) % len(names)])
        registry.live()


def test_around_publishes_a_run_once(tmp_path: Path) -> None:
    run = fake_artefact(tmp_path / "run", "first")
    registry = Registry.around(run)
    assert registry.folder == tmp_path / "run.registry"
    [first] = [one.version for one in registry.versions()]
    assert Registry.around(run).live() == first
    refreshed = registry.publish(fake_artefact(tmp_path / "other", "second"), "live")
    assert Registry.around(run).live() == refreshed
    registry.prune(0)
    registry.publish(fake_artefact(tmp_path / "third", "third"), "live")
    registry.prune(0)
    assert first not in [one.version for one in registry.versions()]
    assert Registry.around(run).live() != first  # pruned, and not published again by itself
    shutil.rmtree(run)
    newly = fake_artefact(run, "trained anew")
    assert registry.version(Registry.around(newly).live() or "").sha256 == file_digest(newly / CARD)


def test_around_takes_the_registry_itself_and_refuses_nothing_at_all(tmp_path: Path) -> None:
    run = fake_artefact(tmp_path / "run", "first")
    live = Registry.around(run).live()
    assert Registry.around(tmp_path / "run.registry").live() == live
    shutil.rmtree(run)
    assert Registry.around(run).live() == live
    with pytest.raises(ArtefactError, match="not a trained pipeline"):
        Registry.around(tmp_path / "nothing")


def test_many_arounds_at_once_publish_once(tmp_path: Path) -> None:
    run = fake_artefact(tmp_path / "run", "first")
    with ThreadPoolExecutor(6) as pool:
        lives = list(pool.map(lambda _: Registry.around(run).live(), range(6)))
    assert len(set(lives)) == 1
    assert len(Registry.around(run).versions()) == 1


def test_an_artefact_without_a_seal_is_published(tmp_path: Path) -> None:
    golden = Path(__file__).parents[1] / "golden" / "format-1.0"
    source = next(path.parent for path in golden.rglob(CARD))
    assert not (source / SEAL).exists()
    registry = Registry(tmp_path / "old.registry")
    assert registry.load(registry.publish(source)).data.n_items > 0


def test_the_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accord.registry.ledger.HISTORY", 5)
    ledger = Ledger().published("20260101T000000.000000Z-00000000", "0" * 64, "")
    ledger = ledger.published("20260101T000000.000001Z-11111111", "1" * 64, "")
    for turn in range(8):
        ledger = ledger.promoted(ledger.versions[turn % 2].version)
    assert len(ledger.history) == 5
