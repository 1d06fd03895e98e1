"""Requests made up from the OpenAPI document, good and bad: no 5xx, and every answer as the document says.

All routes are asked, with few examples each; ``make test-all`` asks longer.
"""

import warnings
from contextlib import suppress
from typing import Any

import pytest

pytest.importorskip("schemathesis")

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
BASE = "http://127.0.0.1"
PHASES = (Phase.explicit, Phase.generate)


def asked(server: Any, examples: int) -> dict[str, set[int]]:
    """Ask every operation so many good and as many bad requests; the statuses that came, by operation."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", server.app, headers={"Host": "127.0.0.1"})
    statuses: dict[str, set[int]] = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        came = statuses.setdefault(operation.label, set())
        for mode in GenerationMode:
            with suppress(Unsatisfiable):  # where nothing is asked for, nothing can be asked wrongly
                run(operation, mode, examples, came)
    return statuses


def run(operation: Any, mode: Any, examples: int, came: set[int]) -> None:
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.large_base_example]

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=PHASES,
        suppress_health_check=quiet,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(base_url=BASE)
        came.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    ask()


def check(server: Any, examples: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tool about itself
        statuses = asked(server, examples)
    assert len(statuses) > 15
    for label, came in statuses.items():
        assert not any(status >= 500 for status in came), label
    assert 200 in statuses["POST /v1/recommend"]
    assert {200, 422} & statuses["POST /v1/events"]


def test_every_answer_is_as_the_document_says(server):
    check(server, 4)


@pytest.mark.slow
def test_for_longer(server):
    check(server, 100)
