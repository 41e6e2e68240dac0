"""Format `gcp-audit`: Cloud Audit Logs of Google Cloud, a LogEntry a line; calls of Vertex AI are inferences.

What a Data Access entry of Vertex AI has of request and response is content, but for the model, labels and
token counts: it is left out.

Source: Google Cloud documentation, "Understand audit logs", "AuditLog" and "Vertex AI audit logging
information"; google/rpc/code.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditstream.core.record_sources import GCP_AUDIT_SOURCE
from auditstream.emit.audit_log import ACTIVITY, AuditLog, Kind, Record
from auditstream.emit.record_values import count_at, given, text_at, value_at

_OPERATIONS = {
    "GenerateContent": "generate_content",
    "StreamGenerateContent": "generate_content",
    "EmbedContent": "embeddings",
    "Predict": "",
    "RawPredict": "",
    "StreamRawPredict": "",
    "ServerStreamingPredict": "",
}
"""Operation of calls of a model, as OpenTelemetry names it, by the last part of the method.

Those of a prediction can be any; it is a call of a model of a publisher, or of anything that was deployed.
"""

_SERVICE = "aiplatform.googleapis.com"
_PREDICTIONS = "google.cloud.aiplatform.*.PredictionService."
_NO_CONTENT = {
    "request": ("@type", "model", "labels", "endpoint", "name"),
    "response": ("@type", "modelVersion", "responseId", "usageMetadata"),
}
"""What is recorded of the two: everything else there may be content."""

_CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
    "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
_DENIED = frozenset({"PERMISSION_DENIED", "UNAUTHENTICATED"})
_SERVICE_ACCOUNT = ".gserviceaccount.com"


def _recorded(record: dict[str, Any]) -> dict[str, Any]:
    """Return an entry without the prompt and completion that it may have."""
    payload = record.get("protoPayload")
    is_activity = text_at(record, "logName").endswith("activity")
    if not isinstance(payload, Mapping) or payload.get("serviceName") != _SERVICE or is_activity:
        return record
    kept = {
        name: {key: side[key] for key in keys if key in side}
        for name, keys in _NO_CONTENT.items()
        if isinstance(side := payload.get(name), Mapping)
    }
    rest = {name: value for name, value in payload.items() if name not in _NO_CONTENT}
    return {**record, "protoPayload": rest | kept}


def _outcome(record: Record, _name: str) -> dict[str, str]:
    code = count_at(record, "protoPayload.status.code") or 0
    if not code:
        return {"outcome": "SUCCESS"}
    name = _CODES[code] if code < len(_CODES) else str(code)
    return {"outcome": "BLOCKED" if name in _DENIED else "FAILURE", "error_type": name}


def _more(record: Record, name: str) -> dict[str, Any]:
    principal = text_at(record, "protoPayload.authenticationInfo.principalEmail")
    kind = "SERVICE" if principal.endswith(_SERVICE_ACCOUNT) else "USER" if principal else "UNKNOWN"
    method = name.rpartition(".")[2]
    if ".PredictionService." not in name or method not in _OPERATIONS:
        return {"actor_type": kind}
    asked = text_at(record, "protoPayload.resourceName", "protoPayload.request.model")
    if not _OPERATIONS[method] and "/publishers/" not in asked:
        return {"actor_type": kind, "event_type": ACTIVITY}
    inference = {
        "operation": _OPERATIONS[method],
        "provider": "gcp.vertex_ai",
        "stream": "Stream" in method,
        **(given("request_model", asked.rpartition("/models/")[2]) if "/models/" in asked else {}),
        **given("response_model", text_at(record, "protoPayload.response.modelVersion")),
        **given("response_id", text_at(record, "protoPayload.response.responseId")),
        **given("region", text_at(record, "resource.labels.location"), _location(asked)),
    }
    return {"actor_type": kind, "inference": inference, **_usage(record)}


def _location(resource: str) -> str:
    _, found, rest = resource.partition("/locations/")
    return rest.partition("/")[0] if found else ""


def _usage(record: Record) -> dict[str, Any]:
    """Return the tokens, where the answer was logged; those of thinking are beside its candidates' count."""
    counts = value_at(record, "protoPayload.response.usageMetadata")
    written, thought = count_at(counts, "candidatesTokenCount"), count_at(counts, "thoughtsTokenCount")
    read = count_at(counts, "promptTokenCount")
    output = None if written is None and thought is None else (written or 0) + (thought or 0)
    found = {
        "input_tokens": read,
        "cache_read_tokens": None if read is None else count_at(counts, "cachedContentTokenCount"),
        "output_tokens": output,
        "reasoning_tokens": thought,
    }
    stated = {name: count for name, count in found.items() if count is not None}
    return {"usage": stated | {"source": "PROVIDER"}} if stated else {}


read_gcp_audit = AuditLog(
    source=GCP_AUDIT_SOURCE,
    account=("resource.labels.project_id",),
    page="entries",
    id=("insertId",),
    told_apart=("logName", "timestamp"),
    name=("protoPayload.methodName",),
    time=("timestamp",),
    texts={
        "actor_id": (
            "protoPayload.authenticationInfo.principalEmail",
            "protoPayload.authenticationInfo.principalSubject",
        ),
        "credential_id": ("protoPayload.authenticationInfo.serviceAccountKeyName",),
        "user_agent": ("protoPayload.requestMetadata.callerSuppliedUserAgent",),
    },
    addresses=("protoPayload.requestMetadata.callerIp",),
    kinds=(
        *(
            Kind(f"{_PREDICTIONS}{method}", "ai.embedding" if operation == "embeddings" else "ai.inference")
            for method, operation in _OPERATIONS.items()
        ),
        Kind("*SetIamPolicy", "ai.access.grant"),
        Kind("*ServiceAccountKey", "ai.key.lifecycle"),
        Kind("google.api.apikeys.*Key", "ai.key.lifecycle"),
        Kind("google.iam.admin.*ServiceAccount", "ai.access.grant"),
        Kind("google.api.serviceusage.*able*", "ai.config.change", "service"),
        *(
            Kind(f"google.cloud.aiplatform.*.{verb}*", "ai.config.change", "aiplatform")
            for verb in ("Create", "Update", "Delete", "Deploy", "Undeploy", "Upload", "Set")
        ),
    ),
    subjects=("protoPayload.resourceName",),
    objects=("protoPayload.resourceName",),
    outcome=_outcome,
    recorded=_recorded,
    more=_more,
)  # fmt: skip
"""Reads the format."""
