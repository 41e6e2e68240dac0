"""The fields that a search may name: an allow-list derived from the columns of table `events`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from schemas.columns import BY_NAME
from sinks.columns import TABLE_SCHEMA

Kind = Literal["text", "enum", "list", "map", "whole", "fraction", "money", "flag", "time", "uuid"]
"""How values of a field are written, and which comparisons it knows."""

ORDERED = frozenset({"whole", "fraction", "money", "time"})
"""Kinds that `<` and `>` are defined for."""

# Contents and bytes are not searched, and a lease says nothing about an event.
_LEFT_OUT = frozenset({"raw", "raw_null", "leaf_hash", "sealed", "costs"})

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("event_id",),
    "type": ("event_type",),
    "time": ("event_time",),
    "tenant": ("tenant_id",),
    "project": ("project_id",),
    "team": ("team_id",),
    "feature": ("feature_id",),
    "env": ("environment",),
    "actor": ("actor_id",),
    "user": ("actor_id",),
    "agent": ("agent_id", "agent_name"),
    "credential": ("credential_id",),
    "key": ("credential_id",),
    "session": ("session_id",),
    "trace": ("trace_id",),
    "span": ("span_id",),
    "conversation": ("conversation_id",),
    "provider": ("inference_provider",),
    "model": ("inference_response_model", "inference_request_model"),
    "operation": ("inference_operation",),
    "prompt": ("inference_prompt_name",),
    "tool": ("tool_name",),
    "mcp": ("tool_mcp_server",),
    "host": ("inference_server_host",),
    "verdict": ("policy_verdict",),
    "policy": ("policy_id",),
    "error": ("error_type",),
    "http": ("http_status",),
    "duration": ("duration_us",),
    "cost": ("cost_effective",),
    "topic": ("kafka_topic",),
    "log": ("log_id",),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One name that a search may use.

    Attributes:
        name: As written in the search.
        columns: Columns that are asked; a row matches when one of them does.
        kind: Kind of their values, the same for all.
        symbols: Values that an enum may have.
    """

    name: str
    columns: tuple[str, ...]
    kind: Kind
    symbols: tuple[str, ...] = ()


def _kind(name: str, dtype: pl.DataType) -> Kind:
    """Return the kind of a column's values."""
    avro_type = BY_NAME[name].avro_type if name in BY_NAME else None
    if avro_type == "enum" or avro_type == "map" or avro_type == "uuid":  # noqa: PLR1714  narrows for mypy
        return avro_type
    if dtype.is_integer():
        return "whole"
    if dtype.is_float():
        return "fraction"
    return next((kind for like, kind in _KINDS if isinstance(dtype, like)), "text")


_KINDS: tuple[tuple[type[pl.DataType], Kind], ...] = (
    (pl.List, "list"),
    (pl.Boolean, "flag"),
    (pl.Datetime, "time"),
    (pl.Date, "time"),
    (pl.Decimal, "money"),
)


def _fields() -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for name, dtype in TABLE_SCHEMA.items():
        if name not in _LEFT_OUT:
            symbols = BY_NAME[name].symbols if name in BY_NAME else ()
            fields[name] = Field(name, (name,), _kind(name, dtype), symbols)
    for alias, columns in _ALIASES.items():
        first = fields[columns[0]]
        fields[alias] = Field(alias, columns, first.kind, first.symbols)
    return fields


FIELDS: Mapping[str, Field] = _fields()
"""Every field by name, aliases included."""
