"""The gateway's OpenAPI description, served at `/openapi.json`."""

from __future__ import annotations

from typing import Any

from auditstream.gateway.problems import STATUSES
from schemas.packaged import schema_json

_JSON_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "double": {"type": "number"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "uuid": {"type": "string", "format": "uuid"},
    "timestamp-micros": {
        "oneOf": [
            {"type": "string", "format": "date-time"},
            {"type": "integer", "description": "Microseconds since 1970."},
        ]
    },
    "decimal": {"type": "string", "pattern": r"^[+-]?[0-9]+(\.[0-9]+)?$"},
}


def description() -> dict[str, Any]:
    """Return the description as JSON data (OpenAPI 3.1)."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "auditstream gateway",
            "version": "1",
            "description": "Takes events. 202 comes only after all in-sync replicas of Kafka have them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": {
            "/v1/events": {"post": _events()},
            "/v1/traces": {"post": _otlp("Traces")},
            "/v1/logs": {"post": _otlp("Logs")},
            "/v1/metrics": {"post": _otlp("Metrics")},
            "/v1/keys": {"post": _keys()},
            "/v1/receipts/{value_sha256}": {"get": _receipt()},
            "/healthz": {"get": _open("Whether the process runs.", "health", ("200",))},
            "/readyz": {"get": _open("Whether requests are taken.", "readiness", ("200", "503"))},
            "/metrics": {"get": _metrics()},
            "/openapi.json": {"get": _open("This description.", "description", ("200",))},
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "AuditEvent": schema_of(schema_json("audit_event")),
                "CloudEvent": _cloud_event(),
                "Outcome": _outcome(),
                "Receipt": _receipt_schema(),
                "Rejected": _rejected(),
                "Problem": _problem(),
            },
        },
    }


def schema_of(avro: Any) -> dict[str, Any]:
    """Return the JSON Schema of an Avro type, by the rules of `schemas.intake`."""
    if isinstance(avro, list):
        inner = schema_of(avro[1])
        return {"anyOf": [inner, {"type": "null"}]}
    kind = avro if isinstance(avro, str) else avro.get("logicalType", avro["type"])
    if kind in _JSON_TYPES:
        return dict(_JSON_TYPES[kind])
    match kind:
        case "array":
            return {"type": "array", "items": schema_of(avro["items"])}
        case "map":
            return {"type": "object", "additionalProperties": schema_of(avro["values"])}
        case "enum":
            return {"type": "string", "enum": avro["symbols"]}
    fields = avro["fields"]
    return {
        "type": "object",
        "description": avro.get("doc", ""),
        "properties": {
            field["name"]: schema_of(field["type"]) | {"description": field.get("doc", "")}
            for field in fields
        },
        "required": [field["name"] for field in fields if "default" not in field],
        "additionalProperties": False,
    }


def _events() -> dict[str, Any]:
    event, cloud_event = _ref("AuditEvent"), _ref("CloudEvent")
    return {
        "operationId": "sendEvents",
        "summary": "Send events.",
        "parameters": [
            {
                "name": "mode",
                "in": "query",
                "description": "How the request is answered; named as in Kubernetes' audit.",
                "schema": {"type": "string", "enum": ["blocking", "blocking-strict", "batch"]},
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": [event, {"type": "array", "items": event, "maxItems": 10_000}]}
                },
                "application/x-ndjson": {"schema": {"type": "string"}},
                "application/cloudevents+json": {"schema": cloud_event},
                "application/cloudevents-batch+json": {
                    "schema": {"type": "array", "items": cloud_event, "maxItems": 10_000}
                },
                "application/vnd.apache.avro": {"schema": {"type": "string", "contentMediaType": "avro"}},
            },
        },
        "responses": {
            "202": _json_response("All in-sync replicas have the events of `ids`.", "Outcome"),
            **_problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
        },
    }


def _receipt() -> dict[str, Any]:
    return {
        "operationId": "getReceipt",
        "summary": "Where a value is that was accepted lately, or is recorded as the event that `id` names.",
        "parameters": [
            {
                "name": "value_sha256",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            },
            {
                "name": "id",
                "in": "query",
                "required": False,
                "schema": {"type": "string", "format": "uuid"},
                "description": "Id of the event: looks for what this gateway does not remember.",
            },
        ],
        "responses": {
            "200": _json_response("The receipt.", "Receipt"),
            **_problems(400, 401, 403, 404, 503),
        },
    }


def _otlp(signal: str) -> dict[str, Any]:
    """Return an OTLP route: its bodies are described by opentelemetry-proto, and by nobody else."""
    content = {
        "application/json": {"schema": {"type": "object"}},
        "application/x-protobuf": {"schema": {"type": "string", "contentMediaType": "application/protobuf"}},
    }
    refused = {
        str(status): {"description": "google.rpc.Status.", "content": content}
        for status in (400, 401, 403, 408, 413, 415, 422, 429, 503)
    }
    return {
        "operationId": f"export{signal}",
        "summary": f"OTLP/HTTP 1.10: {signal.lower()}.",
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": f"Export{signal}ServiceResponse.", "content": content},
            **refused,
        },
    }


def _keys() -> dict[str, Any]:
    subject = {
        "type": "object",
        "properties": {"subject": {"type": "string"}, "month": {"type": "string"}},
        "required": ["subject"],
        "additionalProperties": False,
    }
    request = {
        "type": "object",
        "properties": {"subjects": {"type": "array", "items": subject, "maxItems": 100}},
        "additionalProperties": False,
    }
    return {
        "operationId": "getKeys",
        "summary": "Keys for a producer that hides data where it arises.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": {
                "description": "Keys; nobody may cache or log them.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **_problems(400, 401, 403, 408, 413, 415, 422, 503),
        },
    }


def _open(summary: str, operation: str, statuses: tuple[str, ...]) -> dict[str, Any]:
    answers: dict[str, Any] = {
        "200": {"description": summary, "content": {"application/json": {"schema": {"type": "object"}}}}
    }
    answers |= _problems(*(int(status) for status in statuses if status != "200"))
    return {"operationId": operation, "summary": summary, "security": [], "responses": answers}


def _metrics() -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "metrics",
        "summary": "Metrics for Prometheus.",
        "security": [],
        "responses": {"200": {"description": "Metrics.", "content": content}},
    }


def _cloud_event() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "description": "CloudEvents 1.0.2. Data of a type `….ai.<family>.v1` is the fields of an AuditEvent.",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": text,
            "type": text,
            "time": {"type": "string", "format": "date-time"},
            "subject": text,
            "data": {},
        },
        "required": ["specversion", "id", "source", "type"],
    }


def _outcome() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "accepted": {"type": "integer", "minimum": 0},
            "ids": {"type": "array", "items": {"type": "string", "format": "uuid"}},
            "receipts": {
                "type": "array",
                "items": _ref("Receipt"),
                "description": "In the order of `ids`.",
            },
            "rejected": {"type": "array", "items": _ref("Rejected")},
            "queued": {"type": "integer", "description": "Mode `batch`: queued is not accepted."},
        },
        "required": ["accepted", "ids", "receipts", "rejected"],
    }


def _receipt_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "value_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "topic": {"type": "string"},
            "partition": {"type": "integer", "minimum": 0},
            "offset": {"type": "integer", "minimum": 0},
            "recorded": {
                "type": "object",
                "description": "Where it is in the signed logs; of what was looked for in the record.",
                "properties": {
                    "log_id": {"type": "string"},
                    "leaf_index": {"type": "integer", "minimum": 0},
                },
                "required": ["log_id", "leaf_index"],
            },
        },
        "required": ["value_sha256", "topic", "partition", "offset"],
    }


def _rejected() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "index": {"type": "integer", "minimum": 0, "description": "Place in the request, from 0."},
            "code": {"enum": sorted(STATUSES)},
            "detail": {"type": "string"},
            "field": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["index", "code", "detail", "field"],
    }


def _problem() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "RFC 9457.",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"enum": sorted(STATUSES)},
            "field": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "rejected": {"type": "array", "items": _ref("Rejected")},
        },
        "required": ["type", "title", "status", "detail", "code", "field"],
    }


def _problems(*statuses: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    found: dict[str, Any] = {}
    for status in statuses:
        codes = ", ".join(f"`{code}`" for code, of in STATUSES.items() if of == status)
        found[str(status)] = {"description": f"Refused: {codes}.", "content": content}
    return found


def _json_response(text: str, schema: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _ref(schema)}}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
