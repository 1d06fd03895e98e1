"""Before there is a trained model: nothing, then what the store has, then the model when it comes."""

import shutil

from patience import soon


def test_from_nothing_to_popularity_and_content_to_a_model(serve, run_folder, tmp_path):
    run = tmp_path / "later"
    server = serve(run=run, rebuild=0.3)
    empty = server.client.post("/v1/recommend", json={"user_id": "u1"})
    assert (empty.status_code, empty.json()["error"]["code"]) == (503, "starting")
    assert server.client.get("/readyz").status_code == 503
    rows = [{"item_id": f"n{n}", "title": f"red shoe {n}" if n % 2 else f"blue hat {n}"} for n in range(20)]
    server.client.post("/v1/items", json={"items": rows})
    assert soon(lambda: server.client.get("/readyz").status_code == 200)
    assert len(server.items(user_id="u1", n=5)) == 5
    server.post(*[{"user_id": f"v{n}", "item_id": "n3"} for n in range(4)])
    assert soon(lambda: server.items(user_id="u1", n=5)[0] == "n3")
    answer = server.recommend(history=["n5"], n=4)
    assert answer["model"] == "starting"
    assert all(int(place["item_id"][1:]) % 2 for place in answer["items"])
    shutil.copytree(run_folder, run)
    assert soon(lambda: server.recommend(user_id="u1", n=3)["model"] != "starting", 10)
    assert "n5" in server.items(user_id="u1", n=100)
