import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import shop
from accord.core.errors import AccordError, ArtefactError
from accord.core.state import file_digest
from accord.pipeline import artefact
from accord.pipeline.artefact import load, read_card, resolved, save
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.spec import spec_of

FILES = [
    "histories.parquet",
    "parts/encoders-attributes.safetensors",
    "parts/encoders-tfidf.safetensors",
    "parts/fusers-fuser.safetensors",
    "parts/sources-fallback.safetensors",
    "parts/sources-knn.safetensors",
    "pipeline.toml",
    "users.parquet",
    "vocab.parquet",
]


@pytest.fixture
def folder(trained_folder: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    copy = tmp_path / "run"
    shutil.copytree(trained_folder, copy)
    return copy


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def changed_card(folder: Path, **values: object) -> None:
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps(card | values), encoding="utf-8")


@pytest.mark.parametrize("fuser", ["weighted", "rank"])
def test_saved_and_loaded_gives_the_same_lists(
    fuser: str, pipeline: Pipeline, ranked: Pipeline, tmp_path: Path
) -> None:
    original = pipeline if fuser == "weighted" else ranked
    save(original, tmp_path / "run", {})
    loaded = load(tmp_path / "run")
    users = [f"u{number}" for number in range(60)] + ["nobody"]
    for settings in ({}, {"include_seen": True}, {"candidates": np.arange(0, 80, 3, dtype=np.int32)}):
        before = original.recommend(original.queries(users, **settings), 12)
        after = loaded.recommend(loaded.queries(users, **settings), 12)
        assert after.items.tolist() == before.items.tolist()
        assert after.column("score").tobytes() == before.column("score").tobytes()
    assert (
        loaded.similar(np.array([3], np.int32), 5).items.tolist()
        == original.similar(np.array([3], np.int32), 5).items.tolist()
    )


def test_a_loaded_pipeline_can_be_saved_again(trained_folder: Path, tmp_path: Path) -> None:
    save(load(trained_folder), tmp_path / "again", {})
    for name in (name for name in FILES if not name.endswith(".parquet")):
        assert file_digest(tmp_path / "again" / name) == file_digest(trained_folder / name), name


def test_nothing_is_pickled(trained_folder: Path) -> None:
    kinds = {path.suffix for path in trained_folder.rglob("*") if path.is_file()}
    assert kinds == {".toml", ".json", ".parquet", ".safetensors"}
    assert set(read_card(trained_folder)["files"]) >= set(FILES)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0, -1])
def test_one_altered_byte_is_refused(folder: Path, name: str, where: int) -> None:
    content = bytearray((folder / name).read_bytes())
    content[where] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ArtefactError, match=r"hash differs") as caught:
        load(folder)
    assert caught.value.place == str(folder / name)


def test_every_file_is_checked(trained_folder: Path, folder: Path) -> None:
    for name in read_card(folder)["files"]:
        with (folder / name).open("ab") as file:
            file.write(b"\n")
        with pytest.raises(ArtefactError, match=name):
            load(folder)
        shutil.copy(trained_folder / name, folder / name)
    load(folder)


@pytest.mark.parametrize("name", FILES)
def test_missing_files_are_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtefactError, match=name):
        load(folder)


@pytest.mark.parametrize("name", ["extra.txt", "parts/code.pkl", "parts/card.json", ".hidden", "more/x.safetensors"])
def test_files_that_the_card_does_not_list_are_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    with pytest.raises(ArtefactError, match=name):
        load(folder)


@pytest.mark.parametrize("card", ["", "{", "[]", "3", "null", "{}", '{"format": 1}', "\x00"])
def test_damaged_cards_are_refused(folder: Path, card: str) -> None:
    (folder / "card.json").write_text(card, encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"card\.json"):
        load(folder)


def test_cards_of_another_format_are_refused(folder: Path) -> None:
    changed_card(folder, format=2)
    with pytest.raises(ArtefactError, match=r"another version.*Received: 2.*format 1"):
        load(folder)


def test_a_card_without_files_is_refused(folder: Path) -> None:
    for files in (None, [], {}, "x"):
        changed_card(folder, files=files)
        with pytest.raises(ArtefactError):
            load(folder)


@pytest.mark.parametrize("name", ["../../outside", "/etc/passwd", "a/../../b", "..", "a\\b"])
def test_names_cannot_lead_out_of_the_folder(folder: Path, name: str) -> None:
    text = (folder / "pipeline.toml").read_text(encoding="utf-8").replace("[sources.knn]", f"[sources.'{name}']")
    (folder / "pipeline.toml").write_text(text, encoding="utf-8")
    card = read_card(folder)
    changed_card(folder, files=card["files"] | {"pipeline.toml": file_digest(folder / "pipeline.toml")})
    with pytest.raises(AccordError, match=r"pipeline\.toml\.sources"):
        load(folder)


@pytest.mark.parametrize("name", ["histories.parquet", "parts/sources-knn.safetensors"])
def test_rubbish_with_a_fitting_hash_is_a_clear_error(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"rubbish")
    changed_card(folder, files=read_card(folder)["files"] | {name: file_digest(folder / name)})
    with pytest.raises(AccordError, match=name):
        load(folder)


def test_folders_and_files_that_are_no_artefact_say_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for place in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(ArtefactError, match="accord train"):
            load(place)


def test_saving_over_an_artefact_replaces_all_of_it(pipeline: Pipeline, ranked: Pipeline, tmp_path: Path) -> None:
    save(pipeline, tmp_path / "run", {"mark": "first"})
    save(replace(ranked, encoders={}), tmp_path / "run", {"mark": "second"})
    assert read_card(tmp_path / "run")["mark"] == "second"
    assert not list((tmp_path / "run" / "parts").glob("encoders-*"))
    assert type(load(tmp_path / "run").fuser) is type(ranked.fuser)
    assert entries(tmp_path) == ["run"]


def test_a_save_that_fails_leaves_the_old_artefact(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(pipeline, tmp_path / "run", {"mark": "first"})

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(artefact, "save_state", full)
    with pytest.raises(OSError, match="no space"):
        save(pipeline, tmp_path / "run", {"mark": "second"})
    assert read_card(tmp_path / "run")["mark"] == "first"
    load(tmp_path / "run")
    assert entries(tmp_path) == ["run"]


def test_saving_over_something_else_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("x", encoding="utf-8")
    other = tmp_path / "other"
    other.mkdir()
    (other / "card.json").write_text('{"format": 1}', encoding="utf-8")
    for place in (precious, other, precious / "thesis.txt"):
        with pytest.raises(ArtefactError, match=r"something else.*--out"):
            save(pipeline, place, {})
    assert (precious / "thesis.txt").read_text(encoding="utf-8") == "x"
    assert entries(tmp_path) == ["other", "precious"]


def test_saving_into_an_empty_or_deep_new_folder_works(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "a" / "b" / "c"):
        save(pipeline, place, {})
        load(place)


def test_the_resolved_specification_says_what_was_chosen(pipeline: Pipeline) -> None:
    spec = resolved(pipeline)
    assert spec_of(spec.to_toml(), "resolved").to_toml() == spec.to_toml()
    assert set(spec.sources) == set(pipeline.sources)
    assert spec.sources["knn"] == {"kind": "item_knn", "k": 20, "tau": pipeline.sources["knn"].config.tau}
    assert spec.fusers == [{"kind": "weighted", "sources": tuple(pipeline.sources)}]
    assert (spec.depth, spec.hide) == (shop.small().depth, shop.small().hide)
    assert not spec.search.values
