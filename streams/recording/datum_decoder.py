"""Decoding one datum at a time with the reference codec: exact, isolating, slow (about 150 µs an event)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from auditstream.core.errors import RejectError, SchemaError
from auditstream.core.ports import Headers, Segment
from schemas import contract
from schemas.codec import DatumReader
from schemas.flatten import frame_of
from schemas.framing import Framing, SchemaRef, framing_of
from schemas.packaged import AvroSchema, schema_json
from streams.recording.decoded import Decoded, Rejection


class Schemas(Protocol):
    """Writer schemas by the name that a message gives them."""

    def get(self, ref: SchemaRef) -> AvroSchema:
        """Return a schema's JSON data. Blocks.

        Raises:
            SchemaError: There is no such schema.
            RegistryDownError: The registry does not answer.
        """
        ...


@dataclass(slots=True)
class _Found:
    datums: list[dict[str, Any]] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    rejections: dict[int, Rejection] = field(default_factory=dict)
    schema_ids: list[str] = field(default_factory=list)


class DatumDecoder:
    """Decodes segments datum by datum, each seen through the packaged AuditEvent schema."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._readers: dict[SchemaRef, DatumReader | SchemaError] = {}

    def decode(self, segment: Segment) -> Decoded:
        """Return the segment's events and rejections.

        Raises:
            RegistryDownError: A writer schema is not known yet and the registry does not answer.
        """
        found = _Found()
        for position, value in enumerate(segment.values):
            headers = segment.headers[position] if segment.headers is not None else ()
            self._decode_one(found, position, value, headers)
        return Decoded(frame_of(found.datums), found.positions, found.rejections, found.schema_ids)

    def read(self, value: bytes, framing: Framing) -> dict[str, Any]:
        """Return one event.

        Raises:
            RejectError: It is not an event; says why.
            RegistryDownError: The registry does not answer.
        """
        datum = self.reader_of(framing.schema).read(value[framing.payload_offset :])
        contract.check(datum)
        return datum

    def reader_of(self, ref: SchemaRef) -> DatumReader:
        """Return the reader of a writer schema.

        Raises:
            SchemaError: There is no such schema, or it is not one to read AuditEvents with.
            RegistryDownError: The registry does not answer.
        """
        reader = self._readers.get(ref)
        if reader is None:
            schema = self._schemas.get(ref)
            try:
                reader = DatumReader(schema, schema_json("audit_event"))
            except SchemaError as error:  # a schema never changes under its id: neither does the refusal
                reader = error
            self._readers[ref] = reader
        if isinstance(reader, SchemaError):
            raise SchemaError(reader.message)
        return reader

    def _decode_one(
        self, found: _Found, position: int, value: bytes | None, headers: Headers | Sequence[Any]
    ) -> None:
        schema_id = ""
        try:
            framing = framing_of(value, headers)
            schema_id = str(framing.schema)
            assert value is not None
            found.datums.append(self.read(value, framing))
            found.positions.append(position)
        except RejectError as error:
            found.rejections[position] = Rejection.of(error)
        found.schema_ids.append(schema_id)
