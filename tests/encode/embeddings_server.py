"""An embeddings endpoint on this machine, as OpenAI's speaks, that can be told to misbehave."""

from __future__ import annotations

import json
import re
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

DIM = 256


def meaning(text: str, dim: int) -> list[float]:
    """Hashed words, not of length one; never zero."""
    vector = np.full(dim, 0.01)
    for word in sorted(set(re.findall(r"\w+", text.lower()))):
        vector += np.random.default_rng(zlib.crc32(word.encode())).normal(size=dim)
    return (2 * vector).tolist()


class EmbeddingsServer:
    """Answers in a thread of its own, notes what it was asked, and first gives the answers in ``script``.

    A scripted answer is a status, or status and body, or status, body and headers.
    """

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> EmbeddingsServer:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    @property
    def texts(self) -> list[str]:
        """Every text of every request."""
        return [text for request in self.asked for text in request["input"]]

    def answer(self, request: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if self.script:
            told = self.script.pop(0)
            status, body, headers = (*(told if isinstance(told, tuple) else (told,)), None, None)[:3]
            return status, body or {"error": {"message": "told to fail"}}, headers or {}
        dim = request.get("dimensions", DIM)
        data = [{"index": n, "embedding": meaning(text, dim)} for n, text in enumerate(request["input"])]
        return 200, {"data": data[::-1]}, {}  # the order is not promised

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's own name
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.asked.append(request)
                server.keys.append(self.headers["Authorization"])
                status, body, headers = server.answer(request)
                payload = json.dumps(body).encode()
                self.send_response(status if self.path == "/v1/embeddings" else 404)
                for name, value in {**headers, "Content-Length": str(len(payload))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
