"""A small trained run, and the app over it, with a store of its own for each test."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi import FastAPI
from fastapi.testclient import TestClient

from accord.pipeline.artefact import save
from accord.pipeline.pipeline import Pipeline
from accord.registry import Registry
from accord.serve.app import create_app
from accord.serve.live import Live
from accord.serve.logs import make_log
from accord.serve.settings import ServeSettings

WEIGHTS = {"purchase": 3.0, "view": 0.5}


@dataclass
class Server:
    """A running app and a client that speaks to it."""

    app: FastAPI
    client: TestClient
    logged: StringIO

    @property
    def live(self) -> Live:
        return self.app.state.live

    def recommend(self, **asked: Any) -> dict[str, Any]:
        answer = self.client.post("/v1/recommend", json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def items(self, **asked: Any) -> list[str]:
        return [place["item_id"] for place in self.recommend(**asked)["items"]]

    def post(self, *events: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.post("/v1/events", json={"events": list(events)})
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def run_folder(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run, published in the registry beside it by the first server."""
    folder = tmp_path_factory.mktemp("served") / "run"
    save(pipeline, folder, {"note": "made by the tests", "event_weights": WEIGHTS})
    return folder


@pytest.fixture
def run(run_folder: Path, tmp_path: Path) -> Path:
    """The trained run in a folder that the test may change."""
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


@pytest.fixture
def second(run: Path, ranked: Pipeline, tmp_path: Path) -> str:
    """Another version of the run, as candidate."""
    save(replace(ranked), tmp_path / "other", {"note": "fused by ranks"})
    return Registry.around(run).publish(tmp_path / "other")


Serve = Callable[..., Server]


@pytest.fixture
def serve(run_folder: Path, tmp_path: Path) -> Iterator[Serve]:
    """Starts servers that end with the test: ``serve(budget=1.0, ...)`` takes settings by name."""
    with ExitStack() as stack:

        def start(*, wait: bool = True, **given: Any) -> Server:
            values = {"run": run_folder, "store": f"sqlite:///{tmp_path / 'store.db'}", "budget": 10.0, "rate": ""}
            logged = StringIO()
            app = create_app(ServeSettings(**(values | given)), make_log(logged))
            client = TestClient(app, base_url="http://127.0.0.1")
            server = Server(app, stack.enter_context(client), logged)
            assert not wait or server.live.wait(30)
            return server

        yield start


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve()
