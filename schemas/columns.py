"""The flat columns of an AuditEvent, derived from `audit_event.avsc`: the one mapping that tables follow.

Naming: an envelope field keeps its name; a field of a family is `family_field` (`tool_name`,
`inference_request_model`); the five token counts of `usage` keep their short names (`input_tokens`); `costs`
stays one nested column. Columns are in the order of the schema, `event_id` first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from schemas.packaged import AvroSchema, schema_json

AvroType = Literal[
    "string", "int", "long", "double", "boolean", "bytes",
    "uuid", "timestamp-micros", "decimal", "enum", "array", "map", "records",
]  # fmt: skip
"""An Avro type, by its logical type where it has one; `records` is an array of records."""

TOKEN_COUNTS = frozenset(
    {"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"}
)
"""Fields of `usage` whose column has no family prefix."""


@dataclass(frozen=True, slots=True)
class Column:
    """One flat column.

    Attributes:
        name: Column name.
        path: Where the value is in a datum: the field, or family and field.
        avro_type: Type of the value.
        nullable: Whether the flat value can be null: the field is optional, or its whole family is.
        required: Whether the Avro field has no default, so that a producer must give it (with its family).
        doc: The field's doc string.
        default: Default of the field as a Python value; None for a required or an optional one.
        precision: Of a decimal.
        scale: Of a decimal.
        symbols: Of an enum, UNKNOWN first.
        values: Type of an array's items or a map's values; map keys are strings.
        members: Columns inside one record of `records`; their path starts inside that record.
    """

    name: str
    path: tuple[str, ...]
    avro_type: AvroType
    nullable: bool
    required: bool
    doc: str
    default: object = None
    precision: int = 0
    scale: int = 0
    symbols: tuple[str, ...] = ()
    values: AvroType | None = None
    members: tuple[Column, ...] = ()

    @property
    def family(self) -> str | None:
        """Family that the field belongs to, None for the envelope."""
        return self.path[0] if len(self.path) == 2 else None


def columns_of(schema: AvroSchema) -> tuple[Column, ...]:
    """Return the flat columns of an envelope schema, in field order.

    Args:
        schema: JSON data of a record whose nullable sub-records are families, one level deep.
    """
    return tuple(_columns(schema))


def _columns(schema: AvroSchema) -> Iterator[Column]:
    for field in schema["fields"]:
        inner, _ = _optional(field["type"])
        if isinstance(inner, dict) and inner["type"] == "record":
            for member in inner["fields"]:
                yield _column(member, (field["name"], member["name"]), in_family=True)
        else:
            yield _column(field, (field["name"],))


def _column(field: dict[str, Any], path: tuple[str, ...], *, in_family: bool = False) -> Column:
    inner, optional = _optional(field["type"])
    return Column(
        name=_name(path),
        path=path,
        avro_type=_avro_type(inner),
        nullable=optional or in_family,
        required="default" not in field,
        doc=field["doc"],
        default=_default(field, inner),
        **_details(inner),
    )


def _default(field: dict[str, Any], inner: Any) -> object:
    if "default" in field and _avro_type(inner) == "timestamp-micros" and field["default"] is not None:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=field["default"])
    return field.get("default")


def _name(path: tuple[str, ...]) -> str:
    if path[0] == "usage" and path[-1] in TOKEN_COUNTS:
        return path[-1]
    return "_".join(path)


def _optional(avro: Any) -> tuple[Any, bool]:
    """Split `[null, T]` into T and True; anything else is itself and False."""
    return (avro[1], True) if isinstance(avro, list) else (avro, False)


def _avro_type(avro: Any) -> AvroType:
    if isinstance(avro, str):
        return cast("AvroType", avro)
    if avro["type"] == "array" and isinstance(avro["items"], dict) and avro["items"]["type"] == "record":
        return "records"
    return cast("AvroType", avro.get("logicalType", avro["type"]))


def _details(avro: Any) -> dict[str, Any]:
    if isinstance(avro, str):
        return {}
    details: dict[str, Any] = {}
    match _avro_type(avro):
        case "decimal":
            details = {"precision": avro["precision"], "scale": avro["scale"]}
        case "enum":
            details = {"symbols": tuple(avro["symbols"])}
        case "array":
            details = {"values": _avro_type(avro["items"])}
        case "map":
            details = {"values": _avro_type(avro["values"])}
        case "records":
            details = {"members": tuple(_column(f, (f["name"],)) for f in avro["items"]["fields"])}
    return details


COLUMNS = columns_of(schema_json("audit_event"))
"""Every column of an AuditEvent."""

BY_NAME = {column.name: column for column in COLUMNS}
"""The same by name."""

FAMILIES = tuple(dict.fromkeys(column.family for column in COLUMNS if column.family))
"""Names of the nullable families, in schema order; `costs` is an array and not one of them."""
