"""The catalogue over HTTP: new items are recommended in a moment, edits are read, deletions hold at once."""

import pytest
from patience import soon

from accord.data.store import Event, SqliteStore


def title_of(server, item: str) -> str:
    return server.live.store.items([item])[0]["title"]


def test_a_new_item_with_only_a_title_is_recommended_to_a_matching_history(server):
    title = title_of(server, "i7")
    answer = server.client.put("/v1/items/fresh", json={"title": title})
    assert answer.json() == {"accepted": 1, "rejected": []}
    assert soon(lambda: "fresh" in server.items(history=["i7"], n=20))
    assert server.client.get("/v1/items/fresh/similar?n=5").json()["items"]


def test_events_that_came_before_their_item_count_when_it_comes(server):
    server.post({"user_id": "early", "item_id": "late"})
    nobody = server.items(user_id="nobody ever", n=20)
    assert server.items(user_id="early", n=20) == nobody
    server.client.put("/v1/items/late", json={"title": title_of(server, "i7")})
    assert soon(lambda: server.items(user_id="early", n=20) != nobody)


def test_a_batch_keeps_good_items_and_rejects_bad_ones(server):
    rows = [
        {"item_id": "a", "title": "word1"},
        {"title": "x"},
        3,
        {"item_id": "b", "nested": {"a": 1}},
        {"item_id": "c"},
    ]
    answer = server.client.post("/v1/items", json={"items": rows}).json()
    assert answer["accepted"] == 2
    assert [rejected["index"] for rejected in answer["rejected"]] == [1, 2, 3]
    assert "fields.nested" in answer["rejected"][2]["reason"]
    assert server.live.store.items(["a", "c"]) == [{"title": "word1"}, {}]
    wrong = server.client.post("/v1/items", json={"items": [{"item_id": "d", "price": "cheap"}]}).json()["rejected"]
    assert "the field 'price' does not fit the catalogue, which holds numbers" in wrong[0]["reason"]
    put = server.client.put("/v1/items/d", json={"price": "cheap"})
    assert (put.status_code, put.json()["error"]["field"]) == (422, "item 'd'")
    other = server.client.put("/v1/items/d", json={"item_id": "e"})
    assert (other.status_code, other.json()["error"]["field"]) == (422, "item_id")
    too_many = server.client.post("/v1/items", json={"items": [{"item_id": "a"}] * 501})
    assert (too_many.status_code, too_many.json()["error"]["field"]) == (422, "items")


def test_a_deleted_item_is_gone_at_once_and_comes_back_when_posted(serve):
    one, other = serve(), serve()
    best = other.items(user_id="u8", n=5)[0]
    fields = one.live.store.items([best])[0]
    assert one.client.delete(f"/v1/items/{best}").json() == {"deleted": True}
    for server in (one, other):
        assert best not in server.items(user_id="u8", n=80)
        assert server.client.get(f"/v1/items/{best}/similar").status_code == 404
        similar = server.client.get("/v1/items/i1/similar?n=80").json()["items"]
        assert best not in [place["item_id"] for place in similar]
    assert one.client.delete(f"/v1/items/{best}").status_code == 404
    one.client.put(f"/v1/items/{best}", json=fields)
    assert best in other.items(user_id="u8", n=5)


def test_an_item_that_only_the_model_knows_can_be_deleted(serve, tmp_path):
    store = SqliteStore(tmp_path / "own.db")
    store.append_events([Event("e1", "somebody", "i1", timestamp=1.7e9)])
    store.close()
    server = serve(store=str(tmp_path / "own.db"))
    assert server.live.store.items(["i9"]) == [None]
    assert server.client.delete("/v1/items/i9").json() == {"deleted": True}
    assert server.client.get("/v1/items/i9/similar").status_code == 404
    assert server.client.delete("/v1/items/i9").status_code == 404


def test_an_edit_is_read(server, pipeline):
    groups = dict(zip(pipeline.data.item_ids, pipeline.data.items["brand"].to_pylist(), strict=True))
    like = next(item for item in groups if groups[item] != groups["i7"])

    def alike() -> list[str]:
        return [place["item_id"] for place in server.client.get(f"/v1/items/{like}/similar?n=10").json()["items"]]

    server.client.put("/v1/items/fresh", json={"title": title_of(server, "i7")})
    assert soon(lambda: server.client.get("/v1/items/fresh/similar").status_code == 200)
    assert "fresh" not in alike()
    server.client.put("/v1/items/fresh", json={"title": title_of(server, like)})
    assert soon(lambda: "fresh" in alike())


def test_after_a_restart_everything_posted_is_there(serve):
    first = serve()
    first.client.put("/v1/items/fresh", json={"title": title_of(first, "i7")})
    first.client.delete("/v1/items/i9")
    again = serve()
    assert again.client.get("/v1/items/fresh/similar?n=3").status_code == 200
    assert again.client.get("/v1/items/i9/similar?n=3").status_code == 404


def test_ids_may_hold_slashes_and_any_script(server):
    for item in ("a/b/similar", "鞋子", "x y"):
        assert server.client.put(f"/v1/items/{item}", json={"title": "word1"}).status_code == 200
    assert server.live.store.items(["a/b/similar", "鞋子", "x y"]) == [{"title": "word1"}] * 3
    assert soon(lambda: server.client.get("/v1/items/a/b/similar/similar").status_code == 200)


@pytest.mark.parametrize(
    "title", ["<script>alert(1)</script>", "'; DROP TABLE items; --", "../../etc/passwd", "{{7*7}}"]
)
def test_texts_come_out_as_text(server, title):
    server.client.put("/v1/items/odd", json={"title": f"{title} {title_of(server, 'i7')}"})
    assert soon(lambda: server.client.get("/v1/items/odd/similar").status_code == 200)
    assert server.live.store.items(["odd"])[0]["title"].startswith(title)
    answer = server.client.post("/v1/recommend", json={"history": ["odd"], "explain": True, "n": 3})
    assert answer.headers["content-type"] == "application/json"


def test_words_find_items(server, pipeline):
    title = title_of(server, "i7")
    assert server.items(text=title, n=5)[0] == "i7"
    assert server.items(text="unheard", n=5) == []
