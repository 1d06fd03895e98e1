"""What every request passes: keys and scopes on every route, limits, headers, one shape of errors, quiet logs."""

import json
import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

from accord.core.errors import InputError
from accord.serve.access import OPEN, SCOPE
from accord.serve.app import ROUTERS
from accord.serve.keys import SCOPES, create_key, revoke_key
from accord.serve.settings import ServeSettings

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
CALLS = [(method, route) for route in ROUTES for method in sorted(route.methods)]
PUBLIC = {"/healthz", "/readyz"}
VALUES = {"item_id": "i1", "user_id": "u1", "version": "none", "name": "none"}


def address(route: APIRoute) -> str:
    return re.sub(r"{(\w+)(:path)?}", lambda found: VALUES[found[1]], route.path)


def scope_of(route: APIRoute) -> str | None:
    return (route.openapi_extra or {}).get(SCOPE)


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> tuple[Any, dict[str, str]]:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    return path, {scope: create_key(path, scope, [scope]) for scope in SCOPES}


@pytest.fixture
def keyed(serve, keys):
    return serve(keys=keys[0])


def test_every_route_is_public_on_purpose_or_needs_a_scope():
    assert {route.path for route in ROUTES if scope_of(route) is None} == PUBLIC
    assert OPEN - {"/openapi.json"} == PUBLIC


def test_every_route_opens_for_its_own_scope_alone(keyed, keys):
    for method, route in CALLS:
        for scope, key in keys[1].items():
            answer = keyed.client.request(method, address(route), headers={"Authorization": f"Bearer {key}"})
            allowed = scope_of(route) in (None, scope)
            assert (answer.status_code == 403) is not allowed, (method, route.path, scope, answer.text)
            assert answer.status_code not in (401, 500), (method, route.path, answer.text)


def test_no_route_opens_without_a_key_or_with_a_wrong_one(keyed, keys):
    wrong = keys[1]["admin"][:-2] + "xx"
    for method, route in CALLS:
        for headers in ({}, {"Authorization": f"Bearer {wrong}"}, {"X-API-Key": "x"}, {"Authorization": "Basic eDp5"}):
            answer = keyed.client.request(method, address(route), headers=headers)
            if scope_of(route) is None:
                assert answer.status_code == 200
            else:
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), route.path
                assert answer.json()["error"]["code"] == "unauthorized"


def test_without_a_key_not_even_the_body_is_read(keyed):
    answer = keyed.client.post("/v1/events", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 401


def test_keys_are_taken_in_either_header_and_revoked_while_it_runs(serve, tmp_path):
    path = tmp_path / "keys.json"
    key = create_key(path, "shop", ["read"])
    client = serve(keys=path).client
    assert client.get("/v1/placements", headers={"X-API-Key": key}).status_code == 200
    assert client.get("/v1/placements", headers={"Authorization": f"bearer {key}"}).status_code == 200
    revoke_key(path, "shop")
    assert client.get("/v1/placements", headers={"X-API-Key": key}).status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "shop.example"])  # noqa: S104
def test_without_keys_it_does_not_listen_beyond_this_machine(run_folder, host):
    with pytest.raises(InputError, match="this machine only"):
        ServeSettings(run=run_folder, host=host).check_exposed()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.3.2.1"])
def test_without_keys_it_listens_on_this_machine(run_folder, host):
    ServeSettings(run=run_folder, host=host).check_exposed()


def test_without_keys_a_strangers_name_for_this_machine_is_refused(server):
    for host, status in (("evil.example", 403), ("localhost:8000", 200), ("[::1]:8000", 200), ("127.0.0.1", 200)):
        assert server.client.get("/v1/placements", headers={"Host": host}).status_code == status, host


def test_a_rate_holds_for_each_key(serve, keys):
    client = serve(keys=keys[0], rate="3/minute").client
    read, write = ({"X-API-Key": keys[1][scope]} for scope in ("read", "write"))
    assert [client.get("/v1/placements", headers=read).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = client.get("/v1/placements", headers=read)
    assert (refused.headers["retry-after"], refused.json()["error"]["code"]) == ("60", "too_many_requests")
    assert client.post("/v1/events", json={"events": []}, headers=write).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_guessing_keys_is_limited_by_address(serve, keys):
    client = serve(keys=keys[0], rate="5/minute").client
    statuses = [client.get("/v1/placements", headers={"X-API-Key": f"guess{n}"}).status_code for n in range(7)]
    assert statuses == [401] * 5 + [429] * 2


def test_a_bad_rate_is_told_at_the_start(serve):
    with pytest.raises(InputError, match="--rate: not a rate"):
        serve(rate="often")


def test_large_bodies_are_refused_however_they_are_sent(serve):
    client = serve(max_body=2_000).client
    body = json.dumps({"text": "x" * 3_000}).encode()
    json_type = {"Content-Type": "application/json"}
    announced = client.post("/v1/recommend", content=body, headers=json_type)
    chunked = client.post(
        "/v1/recommend", content=(body[at : at + 500] for at in range(0, 3_000, 500)), headers=json_type
    )
    for answer in (announced, chunked):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/nowhere", None, 404, "not_found"),
        ("PATCH", "/v1/events", None, 405, "method_not_allowed"),
        ("POST", "/v1/events", b"{", 422, "bad_input"),
        ("POST", "/v1/events", b'{"events": 3}', 422, "bad_input"),
        ("POST", "/v1/events", b"\xff\xfe", 422, "bad_input"),
        ("POST", "/v1/events", b"[" * 100_000, 400, "bad_request"),
        ("POST", "/v1/recommend", b'{"n": "5"}', 422, "bad_input"),
        ("POST", "/v1/recommend", b'{"user_id": "\\ud800"}', 422, "bad_input"),
        ("POST", "/v1/recommend", b'{"timestamp": NaN}', 422, "bad_input"),
        ("PUT", "/v1/items/x", b'{"price": Infinity}', 422, "bad_input"),
        ("GET", "/v1/users/u1/recommendations?n=0", None, 422, "bad_input"),
        ("GET", "/v1/models/none", None, 404, "not_found"),
        ("POST", "/v1/models/none/promote", None, 404, "not_found"),
    ],
)
def test_every_error_has_the_one_shape(server, method, path, content, status, code):
    answer = server.client.request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"].endswith(".")
    assert set(error) <= {"code", "message", "field", "remedy"}


def test_an_error_of_the_server_tells_nothing_but_its_number(serve, monkeypatch):
    server = serve()
    monkeypatch.setattr(server.live, "current", lambda: 1 / 0)
    answer = server.client.post("/v1/recommend", json={"user_id": "secret user"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert answer.headers["x-request-id"] in answer.json()["error"]["remedy"]
    assert "division" not in answer.text
    failed = next(line for line in map(json.loads, server.logged.getvalue().splitlines()) if line["event"] == "failed")
    assert failed["error"] == "ZeroDivisionError"


def test_answers_carry_careful_headers(server):
    headers = server.client.get("/healthz").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert re.fullmatch(r"[0-9a-f]{16}", headers["x-request-id"])


def test_other_origins_are_shut_out_unless_they_are_named(serve):
    asks = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    closed = serve().client.options("/v1/recommend", headers=asks)
    assert "access-control-allow-origin" not in closed.headers
    client = serve(cors_origins=("https://shop.example",)).client
    assert client.options("/v1/recommend", headers=asks).headers["access-control-allow-origin"] == asks["Origin"]
    other = client.options("/v1/recommend", headers={**asks, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_logs_are_json_lines_without_ids_texts_or_keys(serve, keys):
    server = serve(keys=keys[0])
    headers = {"X-API-Key": keys[1]["read"]}
    server.client.post("/v1/recommend", json={"user_id": "jane.doe", "text": "my secret wish"}, headers=headers)
    server.client.get("/v1/users/jane.doe/recommendations", headers=headers)
    server.client.get("/v1/items/i1/similar", headers=headers)
    lines = [json.loads(line) for line in server.logged.getvalue().splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["route"] for line in requests] == [
        "/v1/recommend",
        "/v1/users/{user_id:path}/recommendations",
        "/v1/items/{item_id:path}/similar",
    ]
    assert {"method", "status", "ms", "request", "timestamp", "level"} <= set(requests[0])
    for secret in ("jane", "wish", "i1/", keys[1]["read"]):
        assert secret not in server.logged.getvalue()


def test_metrics_count_requests_stages_and_events(server):
    server.recommend(user_id="u1")
    server.post({"user_id": "u1", "item_id": "i1"}, {})
    text = server.client.get("/metrics").text
    assert 'accord_requests_total{method="POST",route="/v1/recommend",status="200"} 1.0' in text
    for stage in ("history", "score", "fuse", "rerank", "store"):
        assert f'accord_stage_seconds_count{{stage="{stage}"}}' in text
    assert 'accord_events_total{outcome="accepted"} 1.0' in text
    assert 'accord_events_total{outcome="rejected"} 1.0' in text
    assert f'accord_pipeline_version{{version="{server.live.answering}"}} 1.0' in text


def test_the_document_names_scopes_errors_and_how_keys_are_sent(server):
    document = server.client.get("/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    post = document["paths"]["/v1/recommend"]["post"]
    assert post[SCOPE] == "read"
    assert post["responses"]["422"]["content"]["application/json"]["schema"]["$ref"].endswith("ErrorAnswer")
    assert document["components"]["schemas"]["RecommendIn"]["examples"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
