import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from accord.core.config import Config
from accord.core.errors import ArtefactError, InputError
from accord.core.part import Part
from accord.core.state import file_digest, load_state, map_state, save_state


class Both(Part):
    """A part with a dense and a sparse array."""

    class Config(Config):
        reg: float = 1.0

    learned = ("dense", "sparse")
    dense: Any
    sparse: Any


def trained() -> Both:
    part = Both(reg=2.0)
    part.dense = np.arange(6, dtype=np.float32).reshape(2, 3)
    part.sparse = csr_array(np.array([[0, 1.5, 0], [2, 0, 0]], np.float32))
    return part


def test_configuration_is_checked_where_it_is_given():
    assert Both(reg=2.0).config == Both(Both.Config(reg=2.0)).config
    with pytest.raises(InputError, match=r"Both\.regg: .*Known keys: reg\."):
        Both(regg=2.0)


def test_what_is_saved_comes_back(tmp_path):
    path = tmp_path / "parts" / "both.safetensors"
    save_state(path, trained().state())
    again = Both().load_state(load_state(path))
    assert np.array_equal(again.dense, trained().dense)
    assert np.array_equal(again.sparse.toarray(), trained().sparse.toarray())
    assert again.sparse.dtype == np.float32


@pytest.mark.parametrize(
    "array",
    [np.asarray(5), np.empty((0, 3), np.float32), np.array([True]), np.arange(6.0).reshape(2, 3).T, np.float16([1, 2])],
    ids=["number", "empty", "flag", "transposed", "half"],
)
def test_shape_type_and_values_survive(array, tmp_path):
    save_state(tmp_path / "x.safetensors", {"x": array})
    again = load_state(tmp_path / "x.safetensors")["x"]
    assert (again.shape, again.dtype) == (array.shape, array.dtype)
    assert np.array_equal(again, array)
    mapped = map_state(tmp_path / "x.safetensors")["x"]
    assert (mapped.shape, mapped.dtype) == (array.shape, array.dtype)
    assert np.array_equal(mapped, array)


def test_a_mapped_array_is_its_readers_own(tmp_path):
    path = tmp_path / "both.safetensors"
    save_state(path, trained().state())
    before = path.read_bytes()
    one, other = map_state(path), map_state(path)
    one["dense"][:] = 7
    assert np.array_equal(other["dense"], trained().dense)
    assert path.read_bytes() == before
    with pytest.raises(ArtefactError, match="missing"):
        map_state(tmp_path / "nothing.safetensors")
    path.write_bytes(before[:-4])
    with pytest.raises(ArtefactError, match="not a readable"):
        map_state(path)


def test_what_earlier_versions_lack_is_none(tmp_path):
    class Later(Both):
        learned_lately = ("extra",)
        extra: Any = None

    again = Later().load_state(trained().state())
    assert again.extra is None
    assert "extra" not in again.state()
    again.extra = csr_array(np.eye(2))
    assert np.array_equal(Later().load_state(again.state()).extra.toarray(), np.eye(2))


def test_a_missing_array_is_named():
    arrays = trained().state()
    del arrays["sparse.indptr"]
    with pytest.raises(ArtefactError, match=r"saved Both lacks the array 'sparse\.indptr'.*Train it again"):
        Both().load_state(arrays)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sparse.indices", [1, 3]),
        ("sparse.indices", [1, -1]),
        ("sparse.indices", [1]),
        ("sparse.indptr", [0, 1, 9]),
        ("sparse.indptr", [0, 2, 1]),
        ("sparse.indptr", [0, 1]),
        ("sparse.shape", [2]),
        ("sparse.shape", [2, 1]),
        ("sparse.shape", [-2, 3]),
        ("sparse.data", [[1.0, 2.0]]),
    ],
)
def test_a_sparse_matrix_that_points_outside_itself_is_refused(name, value):
    arrays = trained().state() | {name: np.array(value)}
    with pytest.raises(ArtefactError, match="saved matrix sparse of Both is damaged"):
        Both().load_state(arrays)


def test_a_missing_file_and_a_folder_are_no_artefacts(tmp_path):
    with pytest.raises(ArtefactError, match=r"gone\.safetensors: the file is missing"):
        load_state(tmp_path / "gone.safetensors")
    with pytest.raises(ArtefactError, match="not a readable safetensors file"):
        load_state(tmp_path)


@given(st.integers(0, 200))
def test_a_file_cut_short_is_refused(tmp_path_factory, length):
    path = tmp_path_factory.getbasetemp() / "whole.safetensors"
    if not path.exists():
        save_state(path, {"x": np.arange(40.0)})
    whole = path.read_bytes()
    assert len(whole) > 200
    cut = path.with_name("cut.safetensors")
    cut.write_bytes(whole[:length])
    with pytest.raises(ArtefactError, match=r"cut\.safetensors: not a readable"):
        load_state(cut)


def test_a_number_format_that_numpy_lacks_is_refused(tmp_path):
    header = json.dumps({"x": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0")
    with pytest.raises(ArtefactError, match="bfloat16"):
        load_state(path)


def test_the_digest_is_sha256_of_the_bytes(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert file_digest(tmp_path / "abc") == expected
