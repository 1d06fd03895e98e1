"""Versions over HTTP: promoted and rolled back while requests go on, refused where they are damaged."""

from patience import soon

from accord.registry import Registry


def answers_from(server, version: str) -> bool:
    return soon(lambda: server.recommend(user_id="u1", n=3)["model"] == version, 10)


def test_promote_and_roll_back_without_a_restart(serve, run, second):
    one, other = serve(run=run), serve(run=run)
    listed = one.client.get("/v1/models").json()
    first = listed["live"]
    assert [(each["version"], each["stage"]) for each in listed["versions"]] == [(first, "live"), (second, "candidate")]
    promoted = one.client.post(f"/v1/models/{second}/promote").json()
    assert promoted["live"] == second
    assert answers_from(one, second)
    assert answers_from(other, second)
    assert one.client.post("/v1/models/rollback").json()["live"] == first
    assert answers_from(one, first)
    assert answers_from(other, first)
    refused = one.client.post("/v1/models/rollback")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")


def test_the_card_of_a_version_is_there(serve, run):
    server = serve(run=run)
    card = server.client.get(f"/v1/models/{server.live.answering}").json()
    assert card["note"] == "made by the tests"
    assert card["files"]


def test_another_version_knows_what_was_posted_and_deleted(serve, run, second):
    server = serve(run=run)
    title = server.live.store.items(["i7"])[0]["title"]
    server.client.put("/v1/items/fresh", json={"title": title})
    server.client.delete("/v1/items/i9")
    server.client.post(f"/v1/models/{second}/promote")
    assert answers_from(server, second)
    assert server.client.get("/v1/items/fresh/similar").status_code == 200
    assert server.client.get("/v1/items/i9/similar").status_code == 404


def test_a_damaged_version_is_refused_and_the_old_one_answers_on(serve, run, second):
    server = serve(run=run)
    first = server.live.answering
    part = next((Registry.around(run).place(second) / "parts").glob("*.safetensors"))
    part.write_bytes(b"\x00" * part.stat().st_size)
    server.client.post(f"/v1/models/{second}/promote")
    assert soon(lambda: "version refused" in server.logged.getvalue())
    assert server.recommend(user_id="u1", n=3)["model"] == first
    server.client.put("/v1/items/fresh", json={"title": server.live.store.items(["i7"])[0]["title"]})
    assert soon(lambda: server.client.get("/v1/items/fresh/similar").status_code == 200)
