from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import Parse
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from auditstream.gateway.drafts import Refusal
from auditstream.gateway.otlp.answers import exported, failed, metrics_rejected
from auditstream.gateway.otlp.signals import LOGS, METRICS, TRACES, Encoding, Signal

NEGATIVE = Refusal("contract", "usage.input_tokens", "usage.input_tokens: is negative")


@pytest.mark.parametrize("signal", [TRACES, LOGS, METRICS])
def test_full_success_leaves_partial_success_unset(signal: Signal) -> None:
    answer = exported(signal, [], 3, Encoding.PROTOBUF)
    assert (answer.status, answer.content_type) == (200, "application/x-protobuf")
    assert not signal.response.FromString(answer.body).HasField("partial_success")


def test_full_success_in_json_is_an_empty_object() -> None:
    answer = exported(TRACES, [], 3, Encoding.JSON)
    assert (answer.status, answer.content_type, json.loads(answer.body)) == (200, "application/json", {})


def test_partial_success_counts_items_and_names_the_first_reasons() -> None:
    refused = [
        (1, NEGATIVE),
        (1, NEGATIVE),
        (4, NEGATIVE),
        (5, Refusal("malformed", "trace_id", "trace_id: bad")),
    ]
    answer = exported(TRACES, refused, 9, Encoding.PROTOBUF)
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert answer.status == 200
    assert partial.rejected_spans == 3
    assert partial.error_message.startswith(
        "3 of 9 spans rejected: span 1: usage.input_tokens: is negative (contract); span 1: "
    )
    assert partial.error_message.endswith("; and 1 more")


def test_partial_success_of_logs_has_the_field_of_logs_in_json() -> None:
    answer = exported(LOGS, [(0, NEGATIVE)], 1, Encoding.JSON)
    assert json.loads(answer.body)["partialSuccess"]["rejectedLogRecords"] == "1"
    assert Parse(answer.body, ExportLogsServiceResponse()).partial_success.rejected_log_records == 1


def test_a_message_has_an_end() -> None:
    long = Refusal("contract", "x", "y" * 5000)
    answer = exported(TRACES, [(0, long)], 1, Encoding.PROTOBUF)
    assert len(ExportTraceServiceResponse.FromString(answer.body).partial_success.error_message) == 1000


def test_metrics_are_all_rejected_and_told_where_to_go() -> None:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    scope.metrics.add(name="a").sum.data_points.add(as_int=1)
    scope.metrics.add(name="b").histogram.data_points.add(count=1)
    scope.metrics.add(name="c").gauge.data_points.add(as_int=1)
    scope.metrics.add(name="without data")
    answer = metrics_rejected(request, Encoding.PROTOBUF)
    partial = ExportMetricsServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, partial.rejected_data_points) == (200, 3)
    assert "OTEL_METRICS_EXPORTER=none" in partial.error_message


def test_no_metrics_are_no_failure() -> None:
    answer = metrics_rejected(ExportMetricsServiceRequest(), Encoding.JSON)
    assert json.loads(answer.body) == {}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, code_pb2.INVALID_ARGUMENT),
        (401, code_pb2.UNAUTHENTICATED),
        (403, code_pb2.PERMISSION_DENIED),
        (413, code_pb2.INVALID_ARGUMENT),
        (429, code_pb2.RESOURCE_EXHAUSTED),
        (503, code_pb2.UNAVAILABLE),
        (500, code_pb2.INTERNAL),
        (418, code_pb2.INVALID_ARGUMENT),
    ],
)
def test_errors_are_a_status_in_the_encoding_of_the_request(status: int, code: int) -> None:
    binary = failed(status, "why", Encoding.PROTOBUF)
    text = failed(status, "why", Encoding.JSON)
    assert Status.FromString(binary.body) == Parse(text.body, Status()) == Status(code=code, message="why")
    assert binary.status == text.status == status
