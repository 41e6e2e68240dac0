"""The `.avsc` files that ship with the package: read by name, parsed once, fingerprinted.

A file's stem names its record: `audit_event`, `usage_delta`, `finding`, `signal`.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, Literal, cast

import fastavro

AvroSchema = dict[str, Any]
"""A record schema as JSON data; fastavro's parsed form is of the same type."""

SchemaName = Literal["audit_event", "usage_delta", "finding", "signal"]


@cache
def schema_text(name: SchemaName) -> str:
    """Return the text of a packaged schema as it is registered, docs and all."""
    return resources.files(__package__).joinpath(f"{name}.avsc").read_text(encoding="utf-8")


def schema_json(name: SchemaName) -> AvroSchema:
    """Return a packaged schema as fresh JSON data, with fields in the order of the file."""
    schema: AvroSchema = json.loads(schema_text(name))
    return schema


@cache
def parsed_schema(name: SchemaName) -> AvroSchema:
    """Return a packaged schema in fastavro's parsed form: shared by all callers, so do not change it."""
    return cast("AvroSchema", fastavro.parse_schema(schema_json(name)))


@cache
def canonical_form(name: SchemaName) -> str:
    """Return the Avro parsing canonical form: no docs, defaults or aliases, names in full.

    Source: Avro 1.12 specification, "Parsing Canonical Form for Schemas".
    """
    return fastavro.schema.to_parsing_canonical_form(schema_json(name))


@cache
def fingerprint(name: SchemaName) -> str:
    """Return the SHA-256 of the parsing canonical form, 64 lower-case hex digits."""
    return fastavro.schema.fingerprint(canonical_form(name), "sha256")
