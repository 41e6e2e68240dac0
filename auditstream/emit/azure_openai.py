"""Format `azure-openai`: Azure Monitor's resource logs of Azure OpenAI, records or pages of them.

Azure's records know no tokens, and their caller's address is masked in part.

Source: Azure OpenAI monitoring data reference, "Resource logs"; "Azure Monitor resource log schema".
"""

from __future__ import annotations

from typing import Any

from auditstream.core.errors import DecodeError
from auditstream.core.record_sources import AZURE_OPENAI_SOURCE
from auditstream.emit.audit_log import AuditLog, Kind, Record
from auditstream.emit.record_values import count_at, given, text_at
from schemas.strict_json import parse

_OPERATIONS = {
    "ChatCompletions_Create": "chat",
    "ExtensionsChatCompletions_Create": "chat",
    "Completions_Create": "text_completion",
    "Embeddings_Create": "embeddings",
}
"""Operation of calls of a model, as OpenTelemetry names it."""

_US_PER_MS = 1_000
_DENIED = (401, 403)
_FIRST_ERROR = 400


def _prepared(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with its properties as an object: some ways of export have them as a text of JSON."""
    properties = record.get("properties")
    if not isinstance(properties, str):
        return record
    try:
        return {**record, "properties": parse(properties.encode())}
    except (DecodeError, UnicodeEncodeError):
        return record


def _outcome(record: Record, _name: str) -> dict[str, str]:
    status = count_at(record, "resultSignature", "resultType")
    if status is None:
        return {"outcome": "UNKNOWN"}
    if status < _FIRST_ERROR:
        return {"outcome": "SUCCESS"}
    return {"outcome": "BLOCKED" if status in _DENIED else "FAILURE", "error_type": str(status)}


def _more(record: Record, name: str) -> dict[str, Any]:
    status, duration = count_at(record, "resultSignature"), count_at(record, "durationMs")
    lengths = [count_at(record, f"properties.{each}") for each in ("requestLength", "responseLength")]
    known = [length for length in lengths if length is not None]
    inference = {
        "operation": _OPERATIONS.get(name, ""),
        "provider": "azure.ai.openai",
        "stream": text_at(record, "properties.streamType") == "Streaming",
        **given("request_model", text_at(record, "properties.modelDeploymentName")),
        **given("response_model", text_at(record, "properties.modelName")),
        **given("region", text_at(record, "location")),
    }
    return {
        **({"inference": inference} if name in _OPERATIONS else {}),
        **({} if status is None else {"http_status": status}),
        **({} if duration is None else {"duration_us": duration * _US_PER_MS}),
        **({"content_bytes": sum(known)} if known else {}),
    }


read_azure_openai = AuditLog(
    source=AZURE_OPENAI_SOURCE,
    account=("resourceId",),
    page="records",
    id=("correlationId",),
    told_apart=("category", "operationName", "time"),
    name=("operationName",),
    time=("time",),
    texts={"actor_id": ("properties.objectId", "identity.claims.oid")},
    addresses=("callerIpAddress",),
    kinds=(
        *(
            Kind(name, "ai.embedding" if operation == "embeddings" else "ai.inference")
            for name, operation in _OPERATIONS.items()
        ),
        Kind("*Key", "ai.key.lifecycle"),
        Kind("*Keys", "ai.key.lifecycle"),
        Kind("Deployments_Create*", "ai.config.change", "deployment"),
        Kind("Deployments_Update", "ai.config.change", "deployment"),
        Kind("Deployments_Delete", "ai.config.change", "deployment"),
    ),
    subjects=("resourceId",),
    objects=("properties.modelDeploymentName", "resourceId"),
    outcome=_outcome,
    prepared=_prepared,
    more=_more,
)
"""Reads the format."""
