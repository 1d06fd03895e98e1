import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from embeddings_server import DIM, EmbeddingsServer, meaning

from accord.core.errors import CannotFit, InputError
from accord.core.run import Run
from accord.encode import pretrained
from accord.encode.openai import OpenAI

pytestmark = pytest.mark.skipif(not pretrained.installed("httpx2"), reason="needs httpx2")

RUN = Run(cache=None)
ITEMS = pa.table({"title": ["red lipstick", "dog food", None, "dog food", "无线键盘"]})


def asking(server: EmbeddingsServer, **settings) -> OpenAI:
    return OpenAI(**{"base_url": server.url, "key_variable": "", "wait": 0.0, "dimensions": DIM, **settings})


def first(encoder: OpenAI) -> np.ndarray:
    return encoder.fit(ITEMS, RUN).encode(ITEMS, RUN)


def test_rows_are_the_answers_in_the_order_of_the_items() -> None:
    with EmbeddingsServer() as server:
        rows = asking(server, texts=2).fit(ITEMS, RUN).encode(ITEMS, RUN)
    wanted = np.array(meaning("无线键盘", DIM))
    np.testing.assert_allclose(rows[4], wanted / np.linalg.norm(wanted), atol=1e-6)
    np.testing.assert_array_equal(rows[1], rows[3])
    assert not rows[2].any()
    assert [len(request["input"]) for request in server.asked] == [2, 1]
    assert server.asked[0]["model"] == "text-embedding-3-small"


def test_the_width_is_asked_for_or_learned() -> None:
    with EmbeddingsServer() as server:
        assert asking(server, dimensions=8).fit(ITEMS, RUN).encode(ITEMS, RUN).shape == (5, 8)
        assert server.asked[0]["dimensions"] == 8
        assert asking(server, dimensions=None).fit(ITEMS, RUN).dim == DIM
        assert "dimensions" not in server.asked[-1]


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    run = Run(cache=tmp_path)
    with EmbeddingsServer() as server:
        rows = asking(server).fit(ITEMS, run).encode(ITEMS, run)
        assert sorted(server.texts) == ["dog food", "red lipstick", "无线键盘"]
        again = asking(server).fit(ITEMS, run).encode(ITEMS, run)
        assert len(server.texts) == 3
        other = asking(server, model="another").fit(ITEMS, run).encode(ITEMS, run)
        assert len(server.texts) == 6
    np.testing.assert_array_equal(again, rows)
    assert other.shape == rows.shape


@pytest.mark.parametrize("trouble", [429, 500, (503, None, {"Retry-After": "0"}), 408])
def test_a_busy_server_is_asked_again(trouble) -> None:
    with EmbeddingsServer(trouble, trouble) as server:
        assert first(asking(server, retries=2)).any()
        assert len(server.asked) == 3


@pytest.mark.parametrize("trouble", [400, 401, 404])
def test_a_refusal_is_told_at_once(trouble: int) -> None:
    with EmbeddingsServer((trouble, {"error": "model not found " + "x" * 5000})) as server:
        with pytest.raises(InputError, match="model not found") as caught:
            first(asking(server))
        assert len(server.asked) == 1
    assert len(str(caught.value)) < 800


def test_waiting_doubles_and_heeds_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = list[float]()
    monkeypatch.setattr("accord.encode.endpoint.time.sleep", slept.append)
    answers = (500, 500, (429, None, {"Retry-After": "7"}), (429, None, {"Retry-After": "9000"}), 500)
    with EmbeddingsServer(*answers) as server, pytest.raises(InputError, match="told to fail"):
        first(asking(server, wait=0.5, retries=4))
    assert slept == [0.5, 1.0, 7.0, 60.0]


def test_no_server_and_a_silent_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddingsServer() as server:
        gone = server.url
    with pytest.raises(InputError, match=r"ConnectError.*run it again"):
        first(OpenAI(base_url=gone, key_variable="", wait=0.0, retries=1, dimensions=DIM))
    with EmbeddingsServer() as server:
        release = threading.Event()
        monkeypatch.setattr(server, "answer", lambda _: (release.wait(5) and 200, {}, {}))
        with pytest.raises(InputError, match="Timeout"):
            first(asking(server, timeout=0.05, retries=0))
        release.set()


@pytest.mark.parametrize(
    "body",
    [
        {"data": []},
        {"nonsense": 1},
        [1, 2],
        {"data": [{"index": 0, "embedding": [1.0]}] * 3},
        {"data": [{"index": n, "embedding": [1.0] * (1 + n)} for n in range(3)]},
        {"data": [{"index": n, "embedding": ["x"]} for n in range(3)]},
        {"data": [{"index": n, "embedding": [float("nan")] * DIM} for n in range(3)]},
        {"data": [{"index": n, "embedding": [1.0] * (DIM - 1)} for n in range(3)]},
    ],
)
def test_a_wrong_answer_is_not_believed(body) -> None:
    with EmbeddingsServer((200, body)) as server, pytest.raises(InputError):
        first(asking(server))


def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accord.encode.endpoint.LARGEST", 1000)
    with EmbeddingsServer((200, {"data": "x" * 5000})) as server, pytest.raises(InputError, match="longer than"):
        first(asking(server))


def test_what_was_answered_outlives_a_failure_and_a_budget(tmp_path: Path) -> None:
    run = Run(cache=tmp_path)
    with EmbeddingsServer() as server:
        with pytest.raises(InputError, match="budget"):
            asking(server, texts=1, budget=2).fit(ITEMS, run).encode(ITEMS, run)
        assert len(server.texts) == 2
        asking(server, texts=1, budget=2).fit(ITEMS, run).encode(ITEMS, run)
        assert sorted(server.texts) == ["dog food", "red lipstick", "无线键盘"]


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "secret-value")
    with EmbeddingsServer((401, {"error": "bad key secret-value"})) as server:
        encoder = asking(server, key_variable="A_KEY")
        with pytest.raises(InputError) as caught:
            first(encoder)
    assert server.keys == ["Bearer secret-value"]
    kept = f"{caught.value} {encoder.config.model_dump_json()} {encoder.fingerprint} {vars(encoder)}"
    assert "secret-value" not in kept
    monkeypatch.delenv("A_KEY")
    with pytest.raises(InputError, match="A_KEY"):
        asking(server, key_variable="A_KEY").fit(ITEMS, RUN)


@pytest.mark.parametrize(
    "url",
    ["ftp://host/v1", "host/v1", "https://me:key@host/v1", "https://host/v1?key=1", "http://elsewhere.example/v1"],
)
def test_addresses_that_cannot_be_used_or_would_give_the_key_away(url: str) -> None:
    with pytest.raises(InputError):
        OpenAI(base_url=url)


def test_long_texts_are_cut() -> None:
    with EmbeddingsServer() as server:
        asking(server, max_chars=10).fit(ITEMS, RUN).encode(pa.table({"title": ["x" * 1000]}), RUN)
    assert server.texts == ["x" * 10]


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "installed", lambda *_: False)
    with pytest.raises(CannotFit, match=r"\[openai\]"):
        OpenAI(key_variable="").fit(ITEMS, RUN)
