import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import shop
from accord import __version__
from accord.cli.app import main
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


def sealed(folder: Path, card: str) -> None:
    """Write a card with a seal that fits, as somebody who means harm would."""
    (folder / "card.json").write_text(card, encoding="utf-8")
    (folder / "card.sha256").write_text(f"{file_digest(folder / 'card.json')}  card.json\n", encoding="utf-8")


def changed_card(folder: Path, **values: object) -> None:
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    sealed(folder, json.dumps(card | values))


def refused(folder: Path, *words: str) -> None:
    """Loading ends in one clear error, in the library and on the command line."""
    with pytest.raises(AccordError) as caught:
        load(folder)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert caught.value.place
    with pytest.raises(SystemExit) as ended:
        main(["similar", str(folder), "--item", "i3"])
    assert ended.value.code == 2


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
    assert kinds == {".toml", ".json", ".sha256", ".parquet", ".safetensors"}
    assert set(read_card(trained_folder)["files"]) >= set(FILES)


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


@pytest.mark.parametrize("name", [*FILES, "card.json", "card.sha256"])
def test_any_changed_byte_is_refused(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    rng = np.random.default_rng(len(whole))
    few = len(whole) <= 100
    places = range(len(whole)) if few else np.unique([0, len(whole) - 1, *rng.integers(0, len(whole), 40)]).tolist()
    for place in places:
        content = bytearray(whole)
        content[place] ^= int(rng.integers(1, 256))
        (folder / name).write_bytes(content)
        with pytest.raises(ArtefactError, match=r"hash differs|not UTF-8") as caught:
            load(folder)
        assert str(caught.value.place).startswith(str(folder))
    (folder / name).write_bytes(whole)
    load(folder)


@pytest.mark.parametrize("name", [*FILES, "card.json", "card.sha256"])
@pytest.mark.parametrize("harm", ["cut", "empty", "longer", "missing", "link", "folder", "pipe"])
def test_every_file_must_be_there_plain_and_whole(folder: Path, name: str, harm: str) -> None:
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if harm == "link":
        (folder.parent / "elsewhere").write_bytes(content)
        path.symlink_to(folder.parent / "elsewhere")
    elif harm == "folder":
        path.mkdir()
    elif harm == "pipe":
        os.mkfifo(path)
    elif harm != "missing":
        path.write_bytes({"cut": content[:-3], "empty": b"", "longer": content + b"\n"}[harm])
    with pytest.raises(ArtefactError) as caught:
        load(folder)
    assert name in str(caught.value)


def test_linked_folders_inside_are_refused(folder: Path) -> None:
    shutil.move(folder / "parts", folder.parent / "elsewhere")
    (folder / "parts").symlink_to(folder.parent / "elsewhere")
    refused(folder, "parts", "plain file")


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "live").symlink_to(folder)
    load(tmp_path / "live")


@pytest.mark.parametrize(
    "card", ["", "{", "[]", "3", "null", "{}", '{"format": 1}', "\x00", "[" * 100_000, '{"format": "1.x"}']
)
def test_damaged_cards_are_refused(folder: Path, card: str) -> None:
    sealed(folder, card)
    refused(folder, "card.json")


def test_a_huge_card_is_not_read(folder: Path) -> None:
    with (folder / "card.json").open("r+b") as file:
        file.truncate(1 << 40)
    refused(folder, "card.json", "larger than")


@pytest.mark.parametrize("version", ["1.2", "1.40", "2.0", 2, 0])
def test_cards_of_another_format_name_both_versions_and_the_remedy(folder: Path, version: object) -> None:
    changed_card(folder, format=version, accord="9.8.7")
    refused(folder, "by Accord 9.8.7", f"this is Accord {__version__}", "1.0 to 1.1", "Install Accord 9.8.7")


def test_a_card_of_this_format_needs_its_seal(folder: Path) -> None:
    (folder / "card.sha256").unlink()
    refused(folder, "card.sha256", "missing")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps(card | {"format": 1}), encoding="utf-8")
    load(folder)  # as the first format was


@pytest.mark.parametrize("header", [1 << 62, 1 << 40, 200_000_000, 9])
def test_oversized_headers_are_refused(folder: Path, header: int) -> None:
    name = "parts/sources-knn.safetensors"
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(header.to_bytes(8, "little") + content[8:])
    changed_card(folder, files=read_card(folder)["files"] | {name: file_digest(folder / name)})
    refused(folder, name)


def test_files_of_another_artefact_do_not_fit_together(folder: Path) -> None:
    """Numbers beyond the catalogue would be read from memory that is none of theirs."""
    for name, change in (
        ("vocab.parquet", lambda table: table.slice(0, 5)),
        ("users.parquet", lambda table: table.slice(0, 5)),
        ("vocab.parquet", lambda table: table.drop_columns(["item_id"])),
        ("users.parquet", lambda table: table.rename_columns(["name"])),
        ("histories.parquet", lambda table: table.drop_columns(["weight"])),
        ("vocab.parquet", lambda table: pa.concat_tables([table, table.slice(0, 1)])),
    ):
        copy = folder.with_name("copy")
        shutil.copytree(folder, copy)
        pq.write_table(change(pq.read_table(copy / name)), copy / name)
        changed_card(copy, files=read_card(copy)["files"] | {name: file_digest(copy / name)})
        refused(copy)
        shutil.rmtree(copy)


@pytest.mark.parametrize("text", ["x = " + "[" * 50_000, "\x80", "name = 3"])
def test_a_specification_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / "pipeline.toml").write_bytes(text.encode("latin-1"))
    name = "pipeline.toml"
    changed_card(folder, files=read_card(folder)["files"] | {name: file_digest(folder / name)})
    refused(folder, name)


def test_what_killed_jobs_left_beside_it_is_removed(pipeline: Pipeline, tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in (f".run.{dead.pid}.new", f".run.{dead.pid}.old", f".run.{os.getppid()}.new", f".other.{dead.pid}.new"):
        (tmp_path / name).mkdir()
    save(pipeline, tmp_path / "run", {})
    assert entries(tmp_path) == sorted([f".run.{os.getppid()}.new", f".other.{dead.pid}.new", "run"])


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
    assert spec.sources["knn"] == {"kind": "item_knn", **pipeline.sources["knn"].config.model_dump()}
    assert spec.fusers == [{"kind": "weighted", **pipeline.fuser.config.model_dump()}]
    assert (spec.depth, spec.hide) == (shop.small().depth, shop.small().hide)
    assert not spec.search.values
