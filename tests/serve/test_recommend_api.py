"""Lists over HTTP: the same as offline, live histories, rules, reasons, impressions."""

import numpy as np
import pytest

from accord.pipeline.pipeline import Pipeline


def test_served_lists_are_the_offline_lists_of_everybody(server, pipeline: Pipeline):
    users = pipeline.data.user_ids.tolist()
    slate = pipeline.recommend(pipeline.queries(users), 10)
    for row, user in enumerate(users):
        served = server.recommend(user_id=user, n=10)["items"]
        assert [place["item_id"] for place in served] == pipeline.data.item_ids[slate.items[row]].tolist()
        np.testing.assert_allclose([place["score"] for place in served], slate.column("score")[row], atol=1e-5)


def test_an_event_counts_on_the_next_request(server):
    before = server.items(user_id="u0", n=5)
    assert server.post({"user_id": "u0", "item_id": before[0]})["accepted"] == 1
    after = server.items(user_id="u0", n=5)
    assert before[0] not in after
    assert before != after


def test_somebody_new_gets_a_list_and_then_one_of_their_own(server, pipeline: Pipeline):
    nobody = server.items(user_id="never seen", n=10)
    assert len(nobody) == 10
    server.post({"user_id": "never seen", "item_id": "i5"})
    assert server.items(user_id="never seen", n=10) != nobody


def test_a_history_in_the_body_is_enough(server, pipeline: Pipeline):
    user = 3
    history = pipeline.data.item_ids[pipeline.data.histories.ragged[user]].tolist()
    anonymous = server.items(history=history, n=10)
    assert not set(anonymous) & set(history)
    known = server.items(user_id=pipeline.data.user_ids[user], n=10)
    assert len(set(anonymous) & set(known)) >= 8  # weights of the log are not those of a bare list


def test_a_history_extends_what_the_store_knows_or_replaces_it(server):
    best = server.items(user_id="u1", n=3)
    assert best[0] not in server.items(user_id="u1", history=[best[0]], n=5)
    replaced = server.items(user_id="u1", history=["i7"], history_mode="replace", n=20)
    assert replaced == server.items(history=["i7"], n=20)


def test_unknown_items_of_a_history_count_for_nothing(server):
    assert server.items(history=["i7", "unheard of"], n=10) == server.items(history=["i7"], n=10)


def test_kinds_in_a_history_weigh_as_in_training(server):
    strong = [{"item_id": "i7", "event": "purchase"}, {"item_id": "i8", "event": "view"}]
    weak = [{"item_id": "i7", "event": "view"}, {"item_id": "i8", "event": "purchase"}]
    scores = [[place["score"] for place in server.recommend(history=one, n=10)["items"]] for one in (strong, weak)]
    assert scores[0] != scores[1]


def test_rules_of_a_request_hold(server, pipeline: Pipeline):
    genres = dict(zip(pipeline.data.item_ids, pipeline.data.items["genres"].to_pylist(), strict=True))
    found = server.items(user_id="u2", filters={"genres": "genre1"}, n=10)
    assert found
    assert all("genre1" in genres[item] for item in found)
    plain = server.items(user_id="u2", n=5)
    assert plain[0] not in server.items(user_id="u2", exclude=[plain[0]], n=5)
    assert set(server.items(user_id="u2", only=plain[3:], n=5)) == set(plain[3:])
    assert not set(server.items(user_id="u2", mute={"items": plain[:2]}, n=5)) & set(plain[:2])
    assert server.items(user_id="u2", boosts=[{"items": [plain[4]], "by": 10}], n=5)[0] == plain[4]


def test_a_pinned_place_has_a_label_and_no_score(server):
    found = server.recommend(user_id="u2", pins=[{"place": 2, "item": "i9", "label": "sponsored"}], n=5)["items"]
    assert found[1] == {"item_id": "i9", "score": None, "label": "sponsored"}
    assert [place["item_id"] for place in found].count("i9") == 1


def test_a_rule_on_a_field_that_is_not_there_is_a_clear_error(server):
    answer = server.client.post("/v1/recommend", json={"user_id": "u2", "filters": {"colour": "red"}})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == ("bad_input", "rules.filters.colour")
    assert "genres" in error["remedy"]


@pytest.mark.parametrize(
    ("wish", "field", "message"),
    [
        ({"pins": [{"place": 1, "item": "i9"}, {"place": 1, "item": "i8"}]}, "pins", "Two pins have the same place"),
        ({"pins": [{"place": 1, "item": "i9"}, {"place": 2, "item": "i9"}]}, "pins", "Two pins have the same item"),
        ({"less_like": {"items": [f"i{n}" for n in range(51)]}}, "less_like", "at most 50 items"),
        ({"more_like": {"items": [f"i{n}" for n in range(51)]}}, "more_like", "at most 50 items"),
    ],
)
def test_wishes_that_make_no_sense_are_a_clear_error(server, wish, field, message):
    answer = server.client.post("/v1/recommend", json={"user_id": "u2", **wish})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["field"] == field
    assert message in error["message"]


def test_reasons_add_up_and_come_in_both_languages(server):
    for language, word in (("en", "ecause"), ("zh", "因")):
        place = server.recommend(user_id="u3", n=3, explain=True, language=language)["items"][0]
        assert sum(place["sources"].values()) == pytest.approx(place["score"], abs=1e-4)
        assert word in place["reasons"]["text"]
        assert place["reasons"]["because"]


def test_explaining_given_items_tells_where_they_would_stand_without_an_event(server):
    items = server.items(user_id="u3", n=2)
    answer = server.client.post("/v1/explain", json={"user_id": "u3", "items": items, "without": True}).json()
    assert [place["item_id"] for place in answer["items"]] == items
    assert answer["items"][0]["reasons"]["without"]
    unknown = server.client.post("/v1/explain", json={"user_id": "u3", "items": ["i1", "unheard of"]})
    assert (unknown.status_code, unknown.json()["error"]["field"]) == (404, "items.1")


def test_similar_items_come_from_the_same_group(server):
    found = server.client.get("/v1/items/i1/similar?n=5").json()
    assert len(found["items"]) == 5
    assert "i1" not in [place["item_id"] for place in found["items"]]
    assert server.client.get("/v1/items/unheard/similar").status_code == 404


def test_reading_pages_get_the_same_list(server):
    answer = server.client.get("/v1/users/u4/recommendations?n=7&explain=true").json()
    assert [place["item_id"] for place in answer["items"]] == server.items(user_id="u4", n=7)
    assert answer["items"][0]["reasons"]["text"]


def test_a_list_leaves_an_impression_without_the_words_of_the_person(server):
    answer = server.recommend(user_id="u5", n=4, context={"device": "phone"}, seed=7)
    impression = server.live.store.impression(answer["impression_id"])
    assert [shown["item_id"] for shown in impression.items] == [place["item_id"] for place in answer["items"]]
    assert [shown["place"] for shown in impression.items] == [1, 2, 3, 4]
    assert (impression.user_id, impression.model) == ("u5", answer["model"])
    assert impression.request == {"n": 4, "context": {"device": "phone"}, "history": 9, "seed": 7}


def test_placements_are_named_and_hold(serve, tmp_path):
    path = tmp_path / "placements.toml"
    path.write_text('[placements.home]\nn = 3\ncaps = { brand = 1 }\n[placements.home.rules]\nblocked = ["i1"]\n')
    server = serve(placements=path)
    found = server.recommend(user_id="u1", placement="home")
    assert len(found["items"]) == 3
    assert server.client.get("/v1/placements/home").json()["caps"] == {"brand": 1}
    assert list(server.client.get("/v1/placements").json()) == ["home"]
    assert server.client.get("/v1/placements/away").status_code == 404
    refused = server.client.post("/v1/recommend", json={"user_id": "u1", "placement": "away"})
    assert refused.json()["error"]["remedy"] == "There are: home."


def test_a_seed_draws_ties_and_nothing_else(server):
    tied = {"user_id": "u5", "only": [f"i{n}" for n in range(80)], "include_seen": True, "n": 80}
    plain = server.recommend(**tied)["items"]
    lists = [server.recommend(seed=seed, **tied)["items"] for seed in (7, 7, 8, 9)]
    assert lists[0] == lists[1]
    for seeded in lists:
        assert {place["item_id"]: place["score"] for place in seeded} == pytest.approx(
            {place["item_id"]: place["score"] for place in plain}
        )
        assert [place["score"] for place in seeded] == pytest.approx([place["score"] for place in plain])
    assert len({tuple(place["item_id"] for place in one) for one in lists}) > 1  # cold items of one group tie
