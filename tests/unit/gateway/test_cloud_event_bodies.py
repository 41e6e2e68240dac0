"""CloudEvents over HTTP: the conformance cases, the SDK's own output, the mapping."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import http as binding
from cloudevents.core.v1.event import CloudEvent

from tests.support.gateways import ID, gateway, problem, text
from tests.support.shared_data import shared_file

ONE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


def cloud_event(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": ID,
        "source": "svc://checkout",
        "type": "io.auditstream.ai.inference.v1",
        "time": "2026-03-01T12:30:15.123456Z",
    } | changes


async def test_attributes_become_the_envelope_and_data_the_families() -> None:
    async with gateway() as gate:
        body = cloud_event(
            subject="c-1",
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            sequence="12",
            authtype="service_account",
            authid="svc-1",
            recordedtime="2026-03-01T12:30:16Z",
            severitynumber=17,
            dataref="s3://bucket/key",
            vendor="x",
            data={"inference": {"provider": "openai", "operation": "chat"}, "severity": 2},
        )
        response = await gate.post(text(body), ONE)

        assert response.status_code == 202, response.text
        (found,) = gate.producer.events()
        assert str(found["event_id"]) == ID
        assert (found["event_type"], found["source"]) == ("ai.inference", "svc://checkout")
        assert found["inference"]["provider"] == "openai"
        assert (found["conversation_id"], found["source_seq"]) == ("c-1", 12)
        assert (found["trace_id"], found["span_id"]) == (
            "0af7651916cd43dd8448eb211c80319c",
            "b7ad6b7169203331",
        )
        assert (found["actor_type"], found["actor_id"], found["severity"]) == ("SERVICE", "svc-1", 2)
        assert found["observed_time"].isoformat() == "2026-03-01T12:30:16+00:00"
        assert (found["content_ref"], found["attributes"]) == ("s3://bucket/key", {"vendor": "x"})


async def test_binary_mode_is_the_same_event() -> None:
    async with gateway() as gate:
        headers = {f"ce-{name}": value for name, value in cloud_event(vendor="x%20y").items()}
        data = {"inference": {"provider": "openai", "operation": "chat"}}
        response = await gate.post(text(data), headers=headers)

        assert response.status_code == 202, response.text
        (found,) = gate.producer.events()
        assert (str(found["event_id"]), found["inference"]["operation"]) == (ID, "chat")
        assert found["attributes"] == {"vendor": "x y", "datacontenttype": "application/json"}


async def test_an_event_that_is_none_of_ours_is_kept_without_its_data() -> None:
    async with gateway() as gate:
        foreign = cloud_event(type="com.example.order.v2", id="o-1", subject="s", data={"said": "secret"})
        first = await gate.post(text(foreign), ONE)
        again = await gate.post(text(foreign), ONE)

        assert first.json()["ids"] == again.json()["ids"]
        found = gate.producer.events()[0]
        assert (found["event_type"], found["idempotency_key"]) == ("com.example.order.v2", "o-1")
        assert (found["content_bytes"], found["attributes"]) == (len('{"said":"secret"}'), {"subject": "s"})
        assert found["event_id"].version == 7
        assert b"secret" not in (gate.producer.messages[0].value or b"")


async def test_the_same_source_and_id_of_two_tenants_are_two_events() -> None:
    async with gateway() as gate:
        foreign = text(cloud_event(id="o-1"))
        acme = await gate.post(foreign, ONE)
        other = await gate.post(foreign, ONE, headers={"authorization": f"Bearer {gate.keys['globex']}"})

        assert acme.json()["ids"] != other.json()["ids"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"data": {"event_id": "0197f3a0-1c2b-7d4e-8f00-000000000001"}}, "id"),
        ({"data": {"event_type": "ai.tool_call"}}, "type"),
        ({"data": {"source": "another"}}, "source"),
        ({"data": "text"}, "data"),
        ({"data_base64": "%%%"}, "data_base64"),
        ({"time": "2026-02-30T00:00:00Z"}, "time"),
        ({"number": 2**40}, "number"),
        ({"number": 1.5}, "number"),
    ],
)
async def test_what_contradicts_itself_or_the_specification_is_refused(
    change: dict[str, Any], field: str
) -> None:
    async with gateway() as gate:
        found = problem(await gate.post(text(cloud_event(**change)), ONE), 422, "not_an_event")
        assert found["field"] == field


async def test_a_batch_is_not_one_event_and_one_event_no_batch() -> None:
    async with gateway() as gate:
        problem(await gate.post(text(cloud_event()), BATCH), 400, "malformed")
        problem(await gate.post(b"[]", ONE), 400, "malformed")


def cases(name: str) -> list[dict[str, Any]]:
    path = shared_file("cloudevents-conformance", "format-json", f"{name}.json")
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["tests"]
    assert found
    return found


async def test_the_conformance_cases_of_events_pass() -> None:
    async with gateway() as gate:
        for case in cases("valid-events"):
            response = await gate.post(text(case["event"]), ONE)
            assert (response.status_code, response.json()["accepted"]) == (202, 1), case["id"]
        for case in cases("invalid-events"):
            response = await gate.post(text(case["event"]), ONE)
            assert response.status_code == 422, case["id"]
            assert response.json()["field"], case["id"]


async def test_the_conformance_cases_of_batches_pass() -> None:
    async with gateway() as gate:
        for case in cases("valid-batches"):
            response = await gate.post(json.dumps(case["batch"]).encode(), BATCH)
            assert response.status_code == 202, case["id"]
            assert response.json()["accepted"] == len(case["batch"]), case["id"]
        for case in cases("invalid-batches"):
            body = json.dumps(case["batch"]).encode()
            response = await gate.post(body, BATCH, params={"mode": "blocking-strict"})
            assert response.status_code == 422, case["id"]


@pytest.mark.parametrize("to_http", [binding.to_structured_event, binding.to_binary_event])
async def test_what_the_sdk_of_cloudevents_sends_is_taken(to_http: Any) -> None:
    attributes = {
        "id": "sdk-1",
        "source": "svc://checkout",
        "type": "io.auditstream.ai.inference.v1",
        "time": datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        "datacontenttype": "application/json",
        "vendor": "ünïcode %",
    }
    data = {"inference": {"provider": "openai", "operation": "chat"}}
    message = to_http(CloudEvent(attributes, data))
    async with gateway() as gate:
        response = await gate.client.post("/v1/events", content=message.body, headers=dict(message.headers))

        assert response.status_code == 202, response.text
        (found,) = gate.producer.events()
        assert (found["source"], found["inference"]["provider"]) == ("svc://checkout", "openai")
        assert found["attributes"]["vendor"] == "ünïcode %"
