"""The API keeps its own description: whatever is sent that it may describe, no answer is a fault of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings

from auditstream.core.problem_details import CONTENT_TYPE
from tests.support.api_house import ApiHouse
from tests.support.examples import examples


def test_every_answer_of_the_description_is_a_problem_or_has_a_form(lasting_house: ApiHouse) -> None:
    with lasting_house.client() as client:
        paths = client.get("/api/openapi.json").json()["paths"]

    for path, methods in paths.items():
        for method, operation in methods.items():
            assert operation["summary"], path
            for status, answer in operation["responses"].items():
                assert answer.get("content"), (path, method, status)
                if int(status) >= 400:
                    assert set(answer["content"]) == {CONTENT_TYPE}, (path, status)


def test_no_request_that_the_description_allows_or_forbids_breaks_or_leaks(lasting_house: ApiHouse) -> None:
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    promised: list[Callable[..., Any]] = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", lasting_house.app)
    token = {"authorization": f"Bearer {lasting_house.token('security')}"}
    tried = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith(("/tail", "/proof")):
            continue  # one never ends, the other has nothing published to prove by

        @settings(
            max_examples=examples(6), deadline=None, suppress_health_check=list(HealthCheck), database=None
        )
        @given(
            case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
            | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        )
        def answered(case: Any) -> None:
            lasting_house.clock.advance(60)
            answer = case.call(headers=token)
            case.validate_response(answer, checks=promised)

        answered()
        tried.add(operation.label)
    assert len(tried) >= 12
