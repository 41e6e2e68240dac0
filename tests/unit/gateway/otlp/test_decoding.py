from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from auditstream.core.errors import RequestError
from auditstream.gateway.otlp.decoding import decode
from auditstream.gateway.otlp.signals import LOGS, TRACES, Encoding
from auditstream.gateway.otlp.spans import spans_to_drafts
from tests.support.otlp_messages import SPAN_ID, TRACE_ID, span, traces


def _document(**changes: Any) -> dict[str, Any]:
    """Return a request as the specification's own example writes it."""
    sent = {
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "EEE19B7EC3C1B174",
        "parentSpanId": "EEE19B7EC3C1B173",
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": "1544712661000000000",
        "name": "chat",
        "kind": 2,
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
        ],
        **changes,
    }
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "a"}, "spans": [sent]}]}]}


def _decoded(document: Any) -> ExportTraceServiceRequest:
    request = decode(TRACES, json.dumps(document).encode(), Encoding.JSON)
    assert isinstance(request, ExportTraceServiceRequest)
    return request


def _span(document: Any) -> Any:
    return _decoded(document).resource_spans[0].scope_spans[0].spans[0]


def test_ids_in_json_are_hex_of_either_case() -> None:
    lower = _span(_document(traceId=TRACE_ID.hex(), spanId=SPAN_ID.hex()))
    upper = _span(_document())
    assert lower.trace_id == upper.trace_id == TRACE_ID
    assert lower.span_id == upper.span_id == SPAN_ID
    assert upper.parent_span_id.hex() == "eee19b7ec3c1b173"


def test_ids_of_links_are_hex_too() -> None:
    found = _span(_document(links=[{"traceId": TRACE_ID.hex(), "spanId": SPAN_ID.hex()}]))
    assert found.links[0].trace_id == TRACE_ID
    assert found.links[0].span_id == SPAN_ID


def test_an_attribute_that_is_called_like_an_id_is_left_alone() -> None:
    attributes = [{"key": "traceId", "value": {"stringValue": "5B8E"}}]
    assert _span(_document(attributes=attributes)).attributes[0].value.string_value == "5B8E"


def test_integers_of_64_bits_may_be_strings_or_numbers() -> None:
    assert _span(_document(startTimeUnixNano=1544712660000000000)) == _span(_document())


def test_field_names_may_be_those_of_the_schema() -> None:
    found = _span(
        _document(start_time_unix_nano="7", startTimeUnixNano=None, trace_id="ab" * 16, traceId=None)
    )
    assert found.start_time_unix_nano == 7
    assert found.trace_id.hex() == "ab" * 16


def test_unknown_fields_are_ignored_at_every_level() -> None:
    document = _document(fromTheFuture={"deep": [1]})
    document["andHere"] = True
    document["resourceSpans"][0]["andThere"] = 1
    assert _span(document) == _span(_document())


def test_both_encodings_of_a_request_decode_to_the_same() -> None:
    request = _decoded(_document())
    assert decode(TRACES, request.SerializeToString(), Encoding.PROTOBUF) == request


def test_an_empty_body_is_an_empty_request() -> None:
    assert decode(TRACES, b"", Encoding.PROTOBUF) == ExportTraceServiceRequest()
    assert _decoded({}) == ExportTraceServiceRequest()


@pytest.mark.parametrize("wrong", ["W47/95gDgQPSabYzgT/GDA==", "zz" * 16, "ab", "", "٣٣" * 16, "\ud800" * 32])
def test_an_id_that_is_not_hex_refuses_its_span_and_no_other(wrong: str) -> None:
    document = _document()
    spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans.append({**spans[0], "traceId": wrong})
    first, second = spans_to_drafts(_decoded(document))
    assert first.refusal is None
    assert second.refusal is not None
    assert (second.index, second.refusal.field) == (1, "trace_id")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe\xfa", "is not UTF-8 at byte 0"),
        (b'{"resourceSpans": NaN}', "NaN is not a JSON number"),
        (b'{"resourceSpans": [], "resourceSpans": []}', "'resourceSpans' is given twice"),
        (b"[]", "is not a JSON object"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"resourceSpans": {}}', "is not OTLP JSON"),
        (b'{"resourceSpans": [1]}', "is not OTLP JSON"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 3}]}]}]}', "is not OTLP JSON"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "\\ud800"}]}]}]}', "is not OTLP JSON"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": 99999999999999}]}]}]}', "is not OTLP JSON"),
    ],
)
def test_json_that_is_no_request_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        decode(TRACES, body, Encoding.JSON)
    assert caught.value.context["field"] == "body"


def _nested_value(levels: int) -> bytes:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(levels):
        value = {"arrayValue": {"values": [value]}}
    return json.dumps(_document(attributes=[{"key": "a", "value": value}])).encode()


def test_a_value_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(RequestError, match="nested deeper than 128"):
        decode(TRACES, _nested_value(150), Encoding.JSON)
    with pytest.raises(RequestError, match="is not OTLP JSON"):
        decode(TRACES, _nested_value(150), Encoding.JSON, depth=1000)


def test_a_value_that_is_nested_deeply_is_cut() -> None:
    request = decode(TRACES, _nested_value(25), Encoding.JSON)
    assert isinstance(request, ExportTraceServiceRequest)
    request.resource_spans[0].scope_spans[0].spans[0].attributes.add(
        key="gen_ai.request.model"
    ).value.string_value = "m"
    (draft,) = spans_to_drafts(request)
    assert draft.event is not None
    assert draft.event["attributes"]["a"] == "[" * 17 + "null" + "]" * 17


@pytest.mark.parametrize("body", [b"\xff", b"{}", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\x12"])
def test_bytes_that_are_no_request_are_refused(body: bytes) -> None:
    with pytest.raises(RequestError, match="is not a protobuf ExportTraceServiceRequest"):
        decode(TRACES, body, Encoding.PROTOBUF)


def test_a_request_of_another_signal_is_refused() -> None:
    with pytest.raises(RequestError, match="ExportLogsServiceRequest"):
        decode(LOGS, traces(span({"gen_ai.request.model": "m"})).SerializeToString(), Encoding.PROTOBUF)
