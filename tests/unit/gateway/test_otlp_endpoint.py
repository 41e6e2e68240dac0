"""OTLP over the application: answers in the request's encoding, and what exporters must send again."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

from tests.support.gateways import TestGateway, gateway

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def spans(*changes: dict[str, Any]) -> bytes:
    """Return spans of model calls as OTLP JSON."""
    attributes = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 3}},
        {"key": "gen_ai.input.messages", "value": {"stringValue": "my secret"}},
    ]
    span = {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "chat gpt-4o",
        "kind": 3,
        "startTimeUnixNano": "1772368215000000000",
        "endTimeUnixNano": "1772368216000000000",
        "attributes": attributes,
    }
    found = [span | change for change in changes or ({},)]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": found}]}]}).encode()


async def exported(gate: TestGateway, body: bytes, content_type: str = JSON, **more: Any) -> Any:
    headers = {"content-type": content_type} | more.pop("headers", {})
    return await gate.client.post("/v1/traces", content=body, headers=headers, **more)


async def test_a_span_is_an_event_of_the_keys_tenant_and_its_repeat_the_same_one() -> None:
    async with gateway() as gate:
        first, again = await exported(gate, spans()), await exported(gate, spans())

        assert (first.status_code, first.json()) == (200, {})
        assert first.headers["content-type"] == JSON
        one, other = gate.producer.events()
        assert one["event_id"] == other["event_id"]
        assert (one["tenant_id"], one["credential_id"]) == ("acme", "acme-1")
        assert (one["event_type"], one["usage"]["input_tokens"]) == ("ai.inference", 12)
        assert one["content_bytes"] == len("my secret")
        assert one["content_hmac"]
        assert b"my secret" not in (gate.producer.messages[0].value or b"")
        assert again.status_code == 200


async def test_protobuf_compressed_is_answered_in_protobuf() -> None:
    from google.protobuf.json_format import ParseDict

    document = json.loads(spans())
    span = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    del span["traceId"], span["spanId"]
    request = ParseDict(document, traces.ExportTraceServiceRequest())
    inner = request.resource_spans[0].scope_spans[0].spans[0]
    inner.trace_id, inner.span_id = bytes.fromhex(TRACE), bytes.fromhex(SPAN)
    async with gateway() as gate:
        body = gzip.compress(request.SerializeToString())
        response = await exported(gate, body, PROTOBUF, headers={"content-encoding": "gzip"})

        assert (response.status_code, response.headers["content-type"]) == (200, PROTOBUF)
        answer = traces.ExportTraceServiceResponse.FromString(response.content)
        assert answer.partial_success.rejected_spans == 0
        assert gate.producer.events()[0]["trace_id"] == TRACE


async def test_what_is_no_event_by_itself_is_in_partial_success() -> None:
    async with gateway() as gate:
        response = await exported(gate, spans({}, {"spanId": "xyz"}))
        alone = await exported(gate, spans({"spanId": "xyz"}))

        for answer in (response, alone):
            assert answer.status_code == 200
            assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
        assert len(gate.producer.messages) == 1


async def test_an_unacknowledged_request_is_to_be_sent_again() -> None:
    async with gateway() as gate:
        gate.producer.unacknowledged = {0}
        body = spans({}, {"spanId": "b7ad6b7169203332"})
        partly = await exported(gate, body)
        gate.producer.away = True
        away = await exported(gate, body, PROTOBUF.replace("x-protobuf", "json"))

        for answer in (partly, away):
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["code"] == code_pb2.UNAVAILABLE


@pytest.mark.parametrize(
    ("body", "content_type", "headers", "status"),
    [
        (b"{", JSON, {}, 400),
        (b"\xff\xff", PROTOBUF, {}, 400),
        (spans(), "text/plain", {}, 415),
        (spans(), JSON, {"authorization": "Bearer nonsense"}, 401),
        (b"[" * 100_000, JSON, {}, 400),
        (b'{"resourceSpans":[1]}', JSON, {}, 400),
    ],
)
async def test_an_error_is_a_status_in_the_requests_encoding(
    body: bytes, content_type: str, headers: dict[str, str], status: int
) -> None:
    async with gateway() as gate:
        response = await exported(gate, body, content_type, headers=headers)

        assert response.status_code == status
        if content_type == JSON:
            assert response.json()["message"]
        else:
            assert response.headers["content-type"] == PROTOBUF
            assert Status.FromString(response.content).message


async def test_metrics_are_all_rejected_and_not_sent_again() -> None:
    point = {"asInt": "1", "timeUnixNano": "1"}
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [point]}}]}]}]}
    async with gateway() as gate:
        response = await gate.client.post("/v1/metrics", json=document)

        assert response.status_code == 200
        assert response.json()["partialSuccess"]["rejectedDataPoints"] == "1"
        nothing = metrics.ExportMetricsServiceRequest().SerializeToString()
        empty = await gate.client.post("/v1/metrics", content=nothing, headers={"content-type": PROTOBUF})
        assert (empty.status_code, empty.content) == (200, b"")
