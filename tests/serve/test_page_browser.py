"""The page in a real browser: Chromium, without a window, against a real server."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from patience import soon

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Browser, Page, expect, sync_playwright

from accord.serve.keys import create_key

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium here; apt-get install chromium"
)

REPLACED = ("htmx:afterRequest, ", "htmx:sendAbort, ")  # failures proper are told beside them, under other names


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as started:
        # Chromium has no sandbox for root, as CI runs it
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = started.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@contextmanager
def listening(app) -> Iterator[str]:
    """A real server for an app that is running already."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert soon(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def opened(browser: Browser, url: str, **settings) -> Iterator[Page]:
    """The page in a browser of its own; it must not leave an error on the console.

    A newer question replaces an older one on purpose, which htmx tells as two errors there.
    """
    complaints: list[str] = []
    context = browser.new_context(**settings)
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    try:
        yield page
        assert [line for line in complaints if not line.startswith(REPLACED)] == []
    finally:
        context.close()


def items(page: Page) -> list[str]:
    return page.locator(".list li").evaluate_all("rows => rows.map(row => row.dataset.item)")


def test_choosing_moves_the_list_and_the_language_changes_around_it(serve, browser):
    server = serve()
    with listening(server.app) as url, opened(browser, f"{url}/?lang=en") as page:
        expect(page.locator(".list li")).to_have_count(20)
        expect(page.locator("#card")).to_contain_text("weighted")
        before = items(page)
        page.locator(".list button[name=add]").nth(3).click()
        expect(page.locator(".chip")).to_have_count(1)
        after = items(page)
        assert after == server.items(history=[before[3]], n=20) != before
        expect(page.locator(".move.up, .move.new").first).to_be_visible()
        expect(page.locator("#status")).to_contain_text("New:")
        assert page.evaluate("document.activeElement.id") == "add-3"  # the keyboard goes on where it was

        page.locator("details summary").first.click()
        page.locator("button[name=why]").first.click()
        expect(page.locator(".outcome td").first).to_be_visible()

        page.get_by_role("link", name="中文").click()
        expect(page.locator("#list-title")).to_have_text("给一位虚构的人")
        assert page.evaluate("document.documentElement.lang") == "zh"
        assert page.title().startswith("Accord：")
        assert page.url.endswith("/?lang=zh")
        assert items(page) == after

        page.locator("button.chip").click()
        expect(page.locator(".chip")).to_have_count(0)
        assert items(page) == before
        assert page.evaluate("document.activeElement.id") == "list-title"  # its button is gone


def test_a_known_person_is_found_and_a_real_choice_is_counted(serve, browser):
    server = serve()
    with listening(server.app) as url, opened(browser, url, locale="en-GB") as page:
        page.locator("#user").press_sequentially("u1")
        expect(page.locator("#users option")).to_have_count(8)
        page.locator("#user").press("Enter")
        expect(page.locator("#list-title")).to_have_text("For u1")
        page.locator("#real").check()
        page.get_by_role("button", name="Recommend").click()
        chosen = items(page)[0]
        page.locator(".list button[name=add]").first.click()
        expect(page.locator("#status strong")).to_contain_text("Written")
        assert server.live.store.histories(["u1"], 1)[0][0].item_id == chosen
        expect(page.locator("#counters")).to_contain_text("Events received1")
        page.get_by_role("button", name="Start over").click()
        expect(page.locator("#list-title")).to_contain_text("nothing is known")


def test_an_item_is_found_and_a_hostile_title_stays_a_title(serve, browser):
    server = serve()
    title = "<img src=x onerror=\"document.title='owned'\"> zork"
    server.client.put("/v1/items/evil", json={"title": title, "genres": ["<script>alert(1)</script>"]})
    with listening(server.app) as url, opened(browser, f"{url}/?lang=en") as page:
        assert soon(lambda: server.live.changes.waiting == 0)
        page.locator("#find").press_sequentially("zork")
        page.locator(".found button").click()
        expect(page.locator("button.chip")).to_contain_text(title)
        expect(page.locator(".found")).to_have_count(0)
        assert page.title() == "Accord: playground"


def test_the_key_is_asked_for_and_kept_where_scripts_cannot_read_it(serve, browser, tmp_path):
    path = tmp_path / "keys.json"
    key = create_key(path, "reader", ["read"])
    with listening(serve(keys=path).app) as url, opened(browser, f"{url}/?lang=en") as page:
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Use this key").click()
        expect(page.locator(".list li")).to_have_count(20)
        assert page.evaluate("document.cookie") == ""
        assert page.locator("#real").count() == 0
        page.get_by_role("button", name="Forget the key").click()
        expect(page.get_by_label("API key")).to_be_visible()


def test_a_wrong_key_and_errors_are_said_in_words(serve, browser, tmp_path):
    path = tmp_path / "keys.json"
    create_key(path, "reader", ["read"])
    context = browser.new_context()
    with listening(serve(keys=path).app) as url:
        page = context.new_page()
        page.goto(f"{url}/?lang=en")
        page.get_by_label("API key").fill("密钥")
        page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_role("alert")).to_contain_text("An API key is needed")
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_nothing_is_wider_than_a_telephone_and_all_fields_have_names(serve, browser, lang, scheme):
    phone = {"viewport": {"width": 375, "height": 800}, "color_scheme": scheme}
    with listening(serve().app) as url, opened(browser, f"{url}/?lang={lang}", **phone) as page:
        expect(page.locator(".list li")).to_have_count(20)
        expect(page.locator("#card h2")).to_be_visible()
        page.locator("details summary").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        fields = page.locator("input:not([type=hidden]):visible, select:visible")
        assert all(fields.nth(at).evaluate("field => field.labels.length") == 1 for at in range(fields.count()))
