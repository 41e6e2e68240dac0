"""The gateway keeps its own description: whatever is sent that it may describe, no answer is a 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings

from auditstream.gateway.openapi import description
from auditstream.gateway.problems import STATUSES
from tests.support.gateway_server import ServedGateway, served
from tests.support.gateways import ACME, KeptMessages

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    with served(tmp_path_factory.mktemp("gateway"), KeptMessages) as running:
        yield running


OPERATIONS = [f"{method.upper()} {path}" for path, item in description()["paths"].items() for method in item]


@pytest.fixture(scope="module")
def operations() -> dict[str, Any]:
    """Schemathesis' operations by their labels."""
    import schemathesis

    found = schemathesis.openapi.from_dict(description()).get_all_operations()
    return {each.ok().label: each.ok() for each in found}


def test_every_operation_of_the_description_is_tried(operations: dict[str, Any]) -> None:
    assert sorted(operations) == sorted(OPERATIONS)


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_that_the_description_allows_or_forbids_is_answered_with_a_fault_of_ours(
    label: str, operations: dict[str, Any], gateway: ServedGateway
) -> None:
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    promised = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    operation = operations[label]
    key = {"Authorization": f"Bearer {gateway.keys[ACME]}"}

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    )
    def answered(case: Any) -> None:
        response = case.call(base_url=gateway.url, headers=key)
        case.validate_response(response, checks=promised)

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
