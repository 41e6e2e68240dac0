"""Format `bedrock-invocation`: the log of model invocations of Amazon Bedrock, a record a line.

Prompts and completions that a record has are left out: what stays is how long they are, and where in S3
Bedrock has put what was too long for the record.

Source: Amazon Bedrock User Guide, "Monitor model invocation using CloudWatch Logs and Amazon S3".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from auditstream.core.record_sources import BEDROCK_SOURCE
from auditstream.emit.audit_log import AuditLog, Kind, Record
from auditstream.emit.record_values import count_at, given, text_at, value_at

OPERATIONS = {
    "InvokeModel": "text_completion",
    "InvokeModelWithResponseStream": "text_completion",
    "Converse": "chat",
    "ConverseStream": "chat",
}
"""Operation of Bedrock's calls of a model, as OpenTelemetry names it."""

_BODIES = ("input.inputBodyJson", "output.outputBodyJson")
_NO_CONTENT = ("usage", "metrics", "stopReason", "stop_reason")
"""What is recorded of a body: everything else there may be content."""

_ACTORS = {":user/": "USER", ":root": "USER", ":assumed-role/": "SERVICE", ":role/": "SERVICE"}
"""What an actor is, by what its ARN has in it."""

_US_PER_MS = 1_000
_DENIED = ("AccessDenied", "NotAuthorized", "Forbidden")


def _outcome(record: Record, _name: str) -> dict[str, str]:
    error = text_at(record, "errorCode")
    if not error:
        return {"outcome": "SUCCESS"}
    denied = any(each in error for each in _DENIED)
    return {"outcome": "BLOCKED" if denied else "FAILURE", "error_type": error}


def _recorded(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without its prompt and completion."""
    sides = {
        name: dict(side) for name in ("input", "output") if isinstance(side := record.get(name), Mapping)
    }
    for side in sides.values():
        side.pop("inputBodyJson", None)
        body = side.pop("outputBodyJson", None)
        if isinstance(body, Mapping):
            side["outputBodyJson"] = {name: body[name] for name in _NO_CONTENT if name in body}
    return {**record, **sides}


def _more(record: Record, name: str) -> dict[str, Any]:
    arn = text_at(record, "identity.arn")
    actor = {"actor_type": next((kind for part, kind in _ACTORS.items() if part in arn), "UNKNOWN")}
    if name not in OPERATIONS:
        return actor
    stop = text_at(record, "output.outputBodyJson.stopReason", "output.outputBodyJson.stop_reason")
    inference = {
        "operation": OPERATIONS[name],
        "provider": "aws.bedrock",
        "stream": name.endswith("Stream"),
        "finish_reasons": [stop] if stop else [],
        **given("request_model", text_at(record, "modelId")),
        **given("region", text_at(record, "inferenceRegion"), text_at(record, "region")),
        **given("provider_account_id", text_at(record, "accountId")),
    }
    latency = count_at(record, "output.outputBodyJson.metrics.latencyMs")
    bodies = [body for path in _BODIES if (body := value_at(record, path)) is not None]
    return {
        **actor,
        "inference": inference,
        **_usage(record),
        **({} if latency is None else {"duration_us": latency * _US_PER_MS}),
        **({"content_bytes": sum(len(json.dumps(each).encode()) for each in bodies)} if bodies else {}),
        **given("content_ref", text_at(record, "input.inputBodyS3Path", "output.outputBodyS3Path")),
    }


def _usage(record: Record) -> dict[str, Any]:
    """Return the tokens, as far as the record counts them; those of the cache are not in its input count."""
    read = count_at(record, "input.cacheReadInputTokenCount")
    write = count_at(record, "input.cacheWriteInputTokenCount")
    fresh = count_at(record, "input.inputTokenCount")
    counts = {
        "input_tokens": None if fresh is None else fresh + (read or 0) + (write or 0),
        "cache_read_tokens": None if fresh is None else read,
        "cache_write_tokens": None if fresh is None else write,
        "output_tokens": count_at(record, "output.outputTokenCount"),
    }
    stated = {name: count for name, count in counts.items() if count is not None}
    return {"usage": stated | {"source": "PROVIDER"}} if stated else {}


read_bedrock_invocation = AuditLog(
    source=BEDROCK_SOURCE,
    account=("accountId",),
    id=("requestId",),
    name=("operation",),
    time=("timestamp",),
    texts={"actor_id": ("identity.arn",)},
    kinds=tuple(Kind(name, "ai.inference") for name in OPERATIONS),
    recorded=_recorded,
    outcome=_outcome,
    more=_more,
)
"""Reads the format."""
