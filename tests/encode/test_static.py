from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.core.state import load_state
from accord.encode import pretrained, static
from accord.encode.static import Static

pytestmark = pytest.mark.skipif(not pretrained.installed("wordllama", "tokenizers"), reason="needs wordllama")

RUN = Run(cache=None)
ITEMS = pa.table(
    {"title": ["Red nail polish", "Wireless keyboard for the office", "无线键盘", None, "Blue nail polish"]}
)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return Static().fit(ITEMS, RUN).encode(ITEMS, RUN)


def test_equals_the_package_that_ships_the_vectors(rows: np.ndarray) -> None:
    """Golden: the first numbers that wordllama 0.4.0.post1 gives for these texts."""
    wanted = [
        [0.0239092, 0.0258424, -0.1137057, -0.0547050],
        [0.1235092, -0.0160109, -0.0245058, -0.0615295],
        [0.0025359, 0.1266579, -0.0226786, -0.0676846],
    ]
    np.testing.assert_allclose(rows[:3, :4], wanted, atol=1e-6)
    assert not rows[3].any()
    assert rows[0] @ rows[4] > 0.5 > 0.2 > rows[0] @ rows[1]


def test_a_text_is_the_sum_of_its_pieces(rows: np.ndarray) -> None:
    encoder = Static()
    table = load_state(encoder._folder / static.WEIGHTS)["embedding.weight"].astype(np.float32)
    pieces = encoder._tokenizer.encode("Red nail polish", add_special_tokens=False).ids
    total = table[pieces].sum(axis=0)
    np.testing.assert_allclose(rows[0], total / np.linalg.norm(total), atol=1e-6)


def test_special_tokens_in_a_text_are_plain_text() -> None:
    tokens = Static()._tokenizer.encode("<s>", add_special_tokens=False).tokens
    assert "<s>" not in tokens
    assert "".join(tokens).endswith("<s>")


def test_chunks_change_nothing(rows: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "CHUNK", 2)
    np.testing.assert_allclose(Static().fit(ITEMS, RUN).encode(ITEMS, RUN), rows, atol=1e-7)


def test_what_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(pretrained, "package_folder", lambda *_: tmp_path)
        with pytest.raises(CannotFit, match=r"l2_supercat_256.*\[static\]"):
            Static().fit(ITEMS, RUN)
    monkeypatch.setattr(pretrained, "installed", lambda *_: False)
    with pytest.raises(CannotFit, match=r"\[static\]"):
        Static().fit(ITEMS, RUN)
