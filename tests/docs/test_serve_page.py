"""The example of docs/serve.md prints what it says, and the page names every address and its scope."""

import pytest

pytest.importorskip("fastapi")

import pages
from accord.serve.access import SCOPE
from accord.serve.app import ROUTERS


def test_the_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    pages.run_page("docs/serve.md")
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("{")]
    assert lines == ["i1 starting"]
    assert "# i1 starting\n" in pages.text("docs/serve.md")


def test_every_address_is_in_the_table_with_its_scope() -> None:
    rows = [line for line in pages.text("docs/serve.md").splitlines() if line.startswith("| `")]
    for route in (route for router in ROUTERS for route in router.routes):
        path = route.path.replace("{item_id:path}", "{id}").replace("{user_id:path}", "{id}")
        scope = (route.openapi_extra or {}).get(SCOPE, "none")
        assert any(f"{path}`" in row and f"| {scope} |" in row for row in rows), (path, scope)
