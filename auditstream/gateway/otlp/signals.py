"""The signals of OTLP: what a request, its items and its answer are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces


class Encoding(StrEnum):
    """How a request is encoded, by its media type; its answer is encoded the same."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of telemetry.

    Attributes:
        request: Message class of a request.
        response: Message class of its answer.
        rejected: Field of the answer's `partial_success` that counts what was rejected.
        item: What one item is called in a message.
        items: Yields the items of a request in order.
    """

    request: type[Message]
    response: type[Message]
    rejected: str
    item: str
    items: Callable[[Any], Iterator[Any]]

    def count(self, request: Message) -> int:
        """Return how many items a request has."""
        return sum(1 for _ in self.items(request))


def _spans(request: traces.ExportTraceServiceRequest) -> Iterator[Any]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def _log_records(request: logs.ExportLogsServiceRequest) -> Iterator[Any]:
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            yield from scope.log_records


def _data_points(request: metrics.ExportMetricsServiceRequest) -> Iterator[Any]:
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind is not None:
                    yield from getattr(metric, kind).data_points


TRACES = Signal(
    traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse, "rejected_spans", "span", _spans
)
LOGS = Signal(
    logs.ExportLogsServiceRequest,
    logs.ExportLogsServiceResponse,
    "rejected_log_records",
    "log record",
    _log_records,
)
METRICS = Signal(
    metrics.ExportMetricsServiceRequest,
    metrics.ExportMetricsServiceResponse,
    "rejected_data_points",
    "data point",
    _data_points,
)
