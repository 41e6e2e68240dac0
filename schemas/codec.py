"""The codec of single datums: to bytes by the compiled encoder, and back through fastavro.

Reading is exact and slow (about 150 us an event): for single events, for bytes that the columnar decoder
refuses, and as what the columnar decoder is compared with.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import fastavro

from auditstream.core.errors import DecodeError, SchemaError
from schemas.avro_text import parse_named
from schemas.compatibility import unreadable
from schemas.datum_check import DatumCheck
from schemas.encoder import encoder_of
from schemas.intake import datum_of
from schemas.packaged import AvroSchema, SchemaName
from schemas.records.record import EPOCH, TopicRecord


def encode(record: TopicRecord) -> bytes:
    """Return a typed record as Avro, without framing.

    Raises:
        ContractError: A field holds what its type cannot; names the field.
    """
    given = {name: value for name, value in record.to_datum().items() if value is not None}
    return encode_datum(given, record.SCHEMA)


def encode_datum(datum: Mapping[str, Any], name: SchemaName) -> bytes:
    """Return a datum of a packaged schema as Avro, without framing. Fields it lacks take their defaults.

    Raises:
        ContractError: A field is missing, unknown, or holds what its type cannot; names the field.
    """
    return encode_prepared(datum_of(datum, name), name)


def encode_prepared(datum: Mapping[str, Any], name: SchemaName) -> bytes:
    """Return a datum of a packaged schema as Avro, as `encode_datum`, but without a look at its values.

    For what `schemas.intake` has converted and what the product itself made: a fraction of the cost, and less
    when times come as microseconds and decimals as their unscaled bytes.
    """
    return encoder_of(name)(datum)


def decode(data: bytes, writer_schema: AvroSchema, reader_schema: AvroSchema | None = None) -> dict[str, Any]:
    """Return the one datum that `data` is, without framing.

    Args:
        data: Exactly one datum.
        writer_schema: JSON data of the schema that it was written with.
        reader_schema: JSON data of the schema to see it through; the writer's own when None.

    Raises:
        DecodeError: The bytes are not exactly one datum of the writer schema; names the field.
        SchemaError: The writer schema is not one to decode with, or the reader schema cannot read its data.
    """
    key = (id(writer_schema), id(reader_schema))
    reader = _READERS.get(key)
    if reader is None:
        if len(_READERS) >= _MOST_READERS:
            _READERS.clear()
        reader = _READERS[key] = DatumReader(writer_schema, reader_schema)
    return reader.read(data)


class DatumReader:
    """Decodes datums of one writer schema: make one for many datums.

    Args:
        writer_schema: JSON data of the schema that the datums were written with.
        reader_schema: JSON data of the schema to see them through; the writer's own when None. What the
            writer did not have takes the reader's default, what the reader does not have is dropped, a symbol
            that the reader does not have becomes the enum's default.

    Raises:
        SchemaError: The writer schema is not one to decode with (`schemas.datum_check`), or the reader
            schema cannot read its data; says where and why.
    """

    def __init__(self, writer_schema: AvroSchema, reader_schema: AvroSchema | None = None) -> None:
        # Held, because `decode` tells schemas apart by identity.
        self._schemas = (writer_schema, reader_schema)
        self._check = DatumCheck(writer_schema)
        self._writer, _ = parse_named(writer_schema)
        self._reader: Any = None
        if reader_schema is not None:
            self._resolve(writer_schema, reader_schema)

    def _resolve(self, writer: AvroSchema, reader: AvroSchema) -> None:
        problems = unreadable(reader, writer)
        if problems:
            raise SchemaError(
                f"schema {writer.get('name')} cannot be read as {reader.get('name')}: {problems[0]}"
            )
        parsed, _ = parse_named(reader)
        if parsed != self._writer:
            self._reader = parsed
            _type_defaults(parsed)

    def read(self, data: bytes) -> dict[str, Any]:
        """Return the datum: field names to Python values, as fastavro maps them.

        Raises:
            DecodeError: The bytes are not exactly one datum of the writer schema; names the field.
        """
        self._check(data)
        try:
            datum = fastavro.schemaless_reader(io.BytesIO(data), self._writer, self._reader)
        except Exception as error:
            raise DecodeError(f"datum: {type(error).__name__}: {error}", field="") from error
        return cast("dict[str, Any]", datum)


def _type_defaults(avro: Any) -> None:
    """Make each time's default in a parsed schema a datetime: fastavro hands defaults out as they are."""
    if isinstance(avro, list):
        for branch in avro:
            _type_defaults(branch)
    elif isinstance(avro, dict):
        for field in avro.get("fields", ()):
            if _is_time(field["type"]) and isinstance(field.get("default"), int):
                field["default"] = EPOCH + timedelta(microseconds=field["default"])
            _type_defaults(field["type"])
        for inner in ("items", "values"):
            _type_defaults(avro.get(inner))


def _is_time(avro: Any) -> bool:
    return isinstance(avro, dict) and avro.get("logicalType") == "timestamp-micros"


_MOST_READERS = 256
_READERS: dict[tuple[int, int], DatumReader] = {}
