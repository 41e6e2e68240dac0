"""Avro schemas as text and JSON data to fastavro's parsed form, with our own errors."""

from __future__ import annotations

import json
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from auditstream.core.errors import SchemaError
from schemas.packaged import AvroSchema

_NOT_AVRO = (
    SchemaParseException,
    UnknownType,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
)


def parse_text(text: str) -> AvroSchema:
    """Return a record schema's text as JSON data.

    Raises:
        SchemaError: The text is not JSON, or not a record schema.
    """
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"schema is not JSON: {error}") from error
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise SchemaError("schema is not a record")
    parse_named(schema)
    return schema


def parse_named(schema: AvroSchema) -> tuple[Any, dict[str, Any]]:
    """Return a schema in fastavro's parsed form, and its named types by full name.

    Raises:
        SchemaError: The schema is not valid Avro.
    """
    names: dict[str, Any] = {}
    try:
        # The mark makes fastavro skip a schema that was parsed before, and then `names` would stay empty.
        unmarked = {key: value for key, value in schema.items() if not key.startswith("__")}
        return fastavro.parse_schema(unmarked, names), names
    except _NOT_AVRO as error:
        raise SchemaError(f"schema is not valid Avro: {error}") from error
