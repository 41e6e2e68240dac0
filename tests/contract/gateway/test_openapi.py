"""The gateway keeps its own description: whatever is sent that it may describe, no answer is a 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from auditstream.gateway.openapi import description
from auditstream.gateway.problems import STATUSES
from tests.support.gateway_server import ServedGateway, served
from tests.support.gateways import ACME, KeptMessages

pytestmark = pytest.mark.timeout(300)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    with served(tmp_path_factory.mktemp("gateway"), KeptMessages) as running:
        yield running


def operations() -> list[Any]:
    schema = schemathesis.openapi.from_dict(description())
    return [each.ok() for each in schema.get_all_operations()]


@pytest.mark.parametrize("operation", operations(), ids=lambda each: each.label)
def test_no_request_that_the_description_allows_or_forbids_is_answered_with_a_fault_of_ours(
    operation: Any, gateway: ServedGateway
) -> None:
    key = {"Authorization": f"Bearer {gateway.keys[ACME]}"}

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    )
    def answered(case: Any) -> None:
        response = case.call(base_url=gateway.url, headers=key)
        case.validate_response(response, checks=CHECKS)

    answered()


def test_every_route_of_the_application_is_described(gateway: ServedGateway) -> None:
    paths = description()["paths"]

    for path, operations in paths.items():
        for method in operations:
            url = gateway.url + path.replace("{value_sha256}", "0" * 64)
            status = httpx2.request(method.upper(), url, timeout=10).status_code
            assert status not in {404, 405}, path


def test_every_code_of_a_problem_is_in_the_description() -> None:
    assert description()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == sorted(STATUSES)


def test_the_description_is_kept_in_step_with_the_contract() -> None:
    event = description()["components"]["schemas"]["AuditEvent"]

    assert event["required"] == ["event_id", "event_type", "event_time", "source"]
    assert event["additionalProperties"] is False
    assert {"usage", "costs", "attributes"} <= set(event["properties"])
