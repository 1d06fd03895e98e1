"""The page at /: what it shows in both languages, strangers' texts as texts, nothing written, keys and origins."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.routing import APIRoute
from patience import soon

from accord.serve.keys import SCOPES, create_key, revoke_key
from accord.serve.pages.access import FREE
from accord.serve.pages.routes import asks, shell
from accord.serve.pages.static import KINDS

ASKS = [route for route in asks.routes if isinstance(route, APIRoute)]
FROM_PAGE = {"HX-Request": "true"}
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><a href="javascript:alert(1)">x</a>',
    "javascript:alert(1)",
    "' hx-on::load='alert(1)",
    "{{ 7 * 7 }}",
)


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def values(self, name: str) -> list[str | None]:
        return [attrs.get("value") for _, attrs in self.found if attrs.get("name") == name]

    def items(self) -> list[str | None]:
        return [attrs["data-item"] for _, attrs in self.found if "data-item" in attrs]


def asked(server: Any, what: str, form: dict[str, Any] | None = None, **headers: str) -> str:
    answer = server.client.post(f"/page/{what}", data=form or {}, headers=FROM_PAGE | headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def read(server: Any, what: str) -> str:
    answer = server.client.get(f"/page/{what}", headers=FROM_PAGE)
    assert answer.status_code == 200, answer.text
    return answer.text


def counts(server: Any) -> dict[str, int]:
    return server.live.store.counts()


def test_the_front_is_in_the_language_of_the_browser_or_the_switch(server):
    client = server.client
    assert '<html lang="en">' in client.get("/").text
    assert '<html lang="zh">' in client.get("/", headers={"Accept-Language": "zh-CN,en;q=0.5"}).text
    assert '<html lang="en">' in client.get("/?lang=en", headers={"Accept-Language": "zh"}).text
    assert '<html lang="en">' in client.get("/?lang=xx").text


def test_the_policy_lets_nothing_in_and_the_page_needs_nothing_inline(server):
    front = server.client.get("/")
    policy = front.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    pages = [front.text, asked(server, "main"), asked(server, "list", {"item": "i5"}), read(server, "card")]
    pages += [
        read(server, "counters"),
        asked(server, "why", {"item": "i5", "why": "i7"}),
        read(server, "items?find=word"),
    ]
    for text in pages:
        assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=|hx-on|hx-vals|https?://", text)
    config = next(attrs for _, attrs in Tags(front.text).found if attrs.get("name") == "htmx-config")
    assert '"allowEval": false' in config["content"]


def test_files_are_sent_as_what_they_are_and_no_others(server):
    for name, kind in KINDS.items():
        answer = server.client.get(f"/static/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert "immutable" in answer.headers["cache-control"]
    for name in ("VENDORED.md", "nothing", "..%2Ftexts.py", "%2e%2e/texts.py"):
        assert server.client.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize(
    ("lang", "whose", "nobody", "because"),
    [("en", "For u3", "somebody of whom nothing", "ecause of"), ("zh", "给 u3", "一位毫无记录的人", "因为")],
)
def test_a_list_has_titles_bars_and_reasons_in_both_languages(server, lang, whose, nobody, because):
    text = asked(server, f"list?lang={lang}", {"user": "u3", "n": "5"})
    assert Tags(text).items() == server.items(user_id="u3", n=5)
    assert whose in text
    assert because in text
    assert text.count('class="parts"') == 5
    title = server.live.store.items([server.items(user_id="u3", n=1)[0]])[0]["title"]
    assert title in text
    assert nobody in asked(server, f"list?lang={lang}")
    assert asked(server, f"main?lang={lang}").count('aria-current="true"') == 1


def test_choosing_an_item_moves_the_list_and_writes_nothing(server):
    start = counts(server)
    first = asked(server, "list", {"n": "8"})
    before = Tags(first).items()
    form = {"n": "8", "before": before, "whose": "", "add": "i5"}
    second = asked(server, "list", form)
    assert Tags(second).values("item") == ["i5"]
    assert Tags(second).items() == server.items(history=["i5"], n=8) != before
    assert re.search(r'class="move (up|down|new)"', second)
    assert re.search(r"New: \d+, up: \d+, down: \d+\.", second)
    third = asked(server, "list", {"n": "8", "item": ["i5", "i6"], "drop": "0"})
    assert Tags(third).values("item") == ["i6"]
    assert Tags(asked(server, "list", {"n": "8", "user": "u1", "item": ["i5"], "clear": "yes"})).items() == before
    api = counts(server)
    assert (api["events"], api["impressions"]) == (start["events"], start["impressions"] + 1)  # that of server.items


def test_another_persons_list_is_no_move(server):
    before = Tags(asked(server, "list", {"user": "u1"})).items()
    assert "move up" not in asked(server, "list", {"user": "u2", "whose": "u1", "before": before})


def test_a_real_choice_is_an_event_that_answers_the_list(server):
    start = counts(server)
    first = asked(server, "list", {"user": "u1", "real": "on", "n": "3"})
    impression = Tags(first).values("impression")[0]
    assert server.live.store.impression(impression).user_id == "u1"
    chosen = Tags(first).items()[0]
    form = {"user": "u1", "real": "on", "n": "3", "impression": impression, "add": chosen, "kind": "purchase"}
    text = asked(server, "list", form)
    assert "Written:" in text
    event = server.live.store.histories(["u1"], 1)[0][0]
    assert (event.item_id, event.event, event.weight, event.impression_id) == (chosen, "purchase", 3.0, impression)
    assert Tags(text).values("item") == []
    assert chosen not in Tags(text).items()
    assert counts(server)["events"] == start["events"] + 1


def test_a_real_choice_of_nobody_is_not_written(server):
    start = counts(server)
    text = asked(server, "list", {"real": "on", "add": "i5"})
    assert "name a person first" in text
    assert Tags(text).values("item") == ["i5"]
    assert counts(server) == start


def test_what_if_tells_where_an_item_would_be(server):
    text = asked(server, "why", {"item": ["i5", "i9"], "why": server.items(history=["i5", "i9"], n=1)[0]})
    assert re.search(r"number \d+|not among the first", text)
    refused = server.client.post("/page/why", data={"why": "unheard of"}, headers=FROM_PAGE)
    assert refused.status_code == 404


def test_items_are_found_by_title_and_people_by_how_their_id_begins(server):
    title = server.live.store.items(["i7"])[0]["title"]
    assert "i7" in Tags(read(server, f"items?find={title.upper()}")).values("add")
    assert "No title has these words" in read(server, "items?find=zzzzzz")
    assert read(server, "items?find=").strip() == ""
    users = [attrs["value"] for _, attrs in Tags(read(server, "users?user=u1")).found]
    assert len(users) == 8
    assert all(user.startswith("u1") for user in users)
    assert users == sorted(users)


def test_counters_and_card_tell_what_there_is(server):
    server.post({"user_id": "u1", "item_id": "i5"})
    server.client.delete("/v1/items/i9")
    text = re.sub(r"<[^>]+>|\s+", " ", read(server, "counters"))
    assert "Events received 1" in re.sub(r"\s+", " ", text)
    assert "deleted i9" in text
    assert "Items 79" in re.sub(r"\s+", " ", text)
    card = read(server, "card?lang=zh")
    assert server.live.answering in card
    assert "weighted" in card
    assert "权重" in card


def test_strangers_texts_stay_texts(server):
    rows = [{"item_id": f"<b>{n}</b>", "title": f"zork {text}", "genres": [text]} for n, text in enumerate(HOSTILE)]
    assert server.client.post("/v1/items", json={"items": rows}).json()["accepted"] == len(HOSTILE)
    ids = [row["item_id"] for row in rows]
    assert soon(lambda: len(Tags(read(server, "items?find=zork")).values("add")) == len(HOSTILE))
    hostile_user = "<script>alert(2)</script>"
    pages = [read(server, "items?find=zork"), read(server, "counters")]
    pages.append(asked(server, "list", {"user": hostile_user, "item": ids, "n": "50", "text": "zork"}))
    pages.append(
        asked(server, "main", {"user": hostile_user, "item": ids, "text": HOSTILE[0], "placement": HOSTILE[2]})
    )
    for text in pages:
        tags = Tags(text)
        assert not [tag for tag, _ in tags.found if tag == "script"]
        assert all("icon.svg" in (attrs["src"] or "") for tag, attrs in tags.found if tag == "img")
        for _, attrs in tags.found:
            assert not [name for name in attrs if name.startswith(("on", "hx-on")) or name == "style"]
            assert not (attrs.get("href") or "").startswith("javascript")
    assert all(text in unescape(pages[0]) for text in HOSTILE)
    assert hostile_user in unescape(pages[2])


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"n": "900"}, "n"),
        ({"n": "many"}, "n"),
        ({"placement": "none"}, "placement"),
        ({"user": "a\x01b"}, "user_id"),
        ({"item": ["i1"] * 2_000}, None),
    ],
)
def test_what_cannot_be_used_gets_the_errors_of_the_api(server, form, field):
    answer = server.client.post("/page/list", data=form, headers=FROM_PAGE)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"].get("field") == field


def test_other_sites_cannot_ask_for_the_page(serve):
    server = serve(cors_origins=("https://shop.example",))
    for route in ASKS:
        for method in sorted(route.methods):
            assert server.client.request(method, route.path).status_code == 403, route.path
    preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    answer = server.client.options("/page/list", headers=preflight | {"Access-Control-Request-Headers": "hx-request"})
    assert answer.status_code == 400
    strange = server.client.post("/page/list", headers=FROM_PAGE | {"Host": "evil.example"})
    assert strange.status_code == 403


def test_every_address_of_the_page_is_an_empty_shell_or_needs_a_key(serve, tmp_path):
    path = tmp_path / "keys.json"
    create_key(path, "any", ["read"])
    client = serve(keys=path).client
    assert {route.path for route in shell.routes if isinstance(route, APIRoute)} == {"/", "/static/{name}"}
    assert all(client.get(address).status_code == 200 for address in FREE)
    assert 'hx-post="/page/main' not in client.get("/").text
    for route in ASKS:
        for method in sorted(route.methods):
            assert client.request(method, route.path, headers=FROM_PAGE).status_code == 401, route.path


def test_a_key_is_asked_for_once_and_opens_the_page_alone(serve, tmp_path):
    path = tmp_path / "keys.json"
    key = create_key(path, "reader", ["read"])
    client = serve(keys=path).client
    answer = client.post("/page/key", headers=FROM_PAGE | {"X-API-Key": key})
    cookies = answer.headers.get_list("set-cookie")
    kept = next(cookie for cookie in cookies if key in cookie)
    assert all("httponly" in cookie.lower() and "samesite=strict" in cookie.lower() for cookie in cookies)
    assert "path=/page;" in kept.lower()
    assert answer.headers["hx-refresh"] == "true"
    assert 'hx-post="/page/main' in client.get("/").text
    assert client.post("/page/list", headers=FROM_PAGE).status_code == 200
    plain = {"Cookie": f"accord_key={key}"}
    assert client.get("/v1/placements", headers=plain).status_code == 401
    assert client.post("/page/list", headers=plain).status_code == 403  # not from our scripts
    assert client.post("/page/forget", headers=FROM_PAGE).status_code == 200
    assert client.post("/page/list", headers=FROM_PAGE).status_code == 401


def test_a_cookie_that_is_no_key_or_was_revoked_opens_nothing(serve, tmp_path):
    path = tmp_path / "keys.json"
    key = create_key(path, "reader", ["read"])
    client = serve(keys=path).client
    cookie = {"Cookie": f"accord_key={key}"}
    assert client.get("/page/card", headers=FROM_PAGE | cookie).status_code == 200
    for wrong in (key[:-2] + "xx", "", 'a; b="', "x" * 4_000):
        assert client.get("/page/card", headers=FROM_PAGE | {"Cookie": f"accord_key={wrong}"}).status_code == 401
    revoke_key(path, "reader")
    assert client.get("/page/card", headers=FROM_PAGE | cookie).status_code == 401


def test_the_page_does_no_more_than_the_scopes_of_its_key(serve, tmp_path):
    path = tmp_path / "keys.json"
    keys = {scopes: create_key(path, "-".join(scopes), scopes) for scopes in (("read",), ("read", "write"), SCOPES)}
    server = serve(keys=path)
    start = counts(server)
    past = [event.item_id for event in server.live.store.histories(["u1"], 3)[0]]
    titles = [fields["title"] for fields in server.live.store.items(past)]
    form = {"user": "u1", "real": "on", "add": "i5", "n": "1"}
    for scopes, key in keys.items():
        head = FROM_PAGE | {"X-API-Key": key}
        text = server.client.post("/page/list", data=form, headers=head).text
        assert ("Written:" in text) is ("write" in scopes)
        assert ("Done before" in text) is ("admin" in scopes)
        assert all(title in text for title in titles) or "admin" not in scopes
        assert ('name="real"' in server.client.post("/page/main", headers=head).text) is ("write" in scopes)
        assert server.client.get("/page/users", headers=head).status_code == (200 if "admin" in scopes else 403)
        assert ("scope admin" in server.client.get("/page/card", headers=head).text) is ("admin" not in scopes)
    assert counts(server)["events"] == start["events"] + 2


def test_before_there_is_anything_the_page_says_so(serve, tmp_path):
    server = serve(run=tmp_path / "not trained yet")
    assert server.client.get("/").status_code == 200
    assert "Recommend" in asked(server, "main")
    refused = server.client.post("/page/list", headers=FROM_PAGE)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "starting")
    assert re.sub(r"<[^>]+>|\s+", " ", read(server, "counters")).split()[:3] == ["API", "requests", "0"]
    server.client.put("/v1/items/a", json={"title": "red shoe"})
    assert soon(lambda: server.client.post("/page/list", headers=FROM_PAGE).status_code == 200)
    assert "no trained model yet" in read(server, "card")
