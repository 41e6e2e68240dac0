"""The columnar codec: many datums of one writer schema to flat columns at once, through polars_avro.

About ten times as fast as the reference codec, and it judges a whole block: one bad datum refuses all.
Callers halve the block until the culprit stands alone, and let the reference codec judge that one.

Trap: a block with bytes left over at its end makes polars_avro spin for ever. The last datum is therefore
checked on its own first, and every decode has a time limit; a decode that passes it is abandoned on its
thread and counted in `abandoned_decodes`.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from typing import Any

import polars as pl
import polars_avro

from auditstream.core.errors import DecodeError, SchemaError
from schemas.avro_text import parse_named
from schemas.columns import COLUMNS, AvroType, Column
from schemas.container import DATUM, GUARD, ContainerWriter
from schemas.datum_check import DatumCheck
from schemas.flatten import FRAME_SCHEMA
from schemas.packaged import AvroSchema

_BASE_LIMIT_S = 2.0
_LIMIT_S_PER_BYTE = 2e-7  # about 20 times what a loaded core takes (0.01 µs a byte)

_abandoned = 0


def abandoned_decodes() -> int:
    """Return how many decodes were abandoned: each keeps a core busy until the process ends."""
    return _abandoned


class DecodeAbandonedError(DecodeError):
    """A block did not decode in time: its datums must be judged one at a time, never as a block again."""


class ColumnarReader:
    """Decodes AuditEvents of one writer schema.

    Args:
        writer: JSON data of the writer's schema, readable as an AuditEvent.

    Raises:
        SchemaError: The schema needs more than columns can do (promoted or renamed fields); the reference
            codec can do it.
    """

    def __init__(self, writer: AvroSchema) -> None:
        self._check = DatumCheck(writer)
        self._container = ContainerWriter(writer)
        self._columns = _resolved(writer)

    def read(self, datums: Sequence[bytes]) -> pl.DataFrame:
        """Return the datums as a frame of `FRAME_SCHEMA`, a row each in their order.

        Raises:
            DecodeError: At least one of them is not exactly one datum of the writer's schema.
            DecodeAbandonedError: The decode took too long, which means the same.
        """
        if not datums:
            return pl.DataFrame(schema=FRAME_SCHEMA)
        self._check(datums[-1])
        container = self._container.joined(datums)
        decoded = _decoded(container.content)
        guards = decoded.get_column(GUARD)
        if decoded.height != len(datums) or guards.n_unique() != 1 or guards[0] != container.guard:
            raise DecodeError("a datum does not end where its bytes end")
        fields = decoded.get_column(DATUM).struct.unnest()
        return fields.select(**self._columns)


def _decoded(content: bytes) -> pl.DataFrame:
    """Decode a container within its time limit."""
    outcome: list[pl.DataFrame | BaseException] = []

    def decode() -> None:
        try:
            outcome.append(polars_avro.read_avro(io.BytesIO(content)))
        except BaseException as error:  # noqa: BLE001  a Rust panic is no Exception
            outcome.append(error)

    thread = threading.Thread(target=decode, name="avro decode", daemon=True)
    thread.start()
    thread.join(_BASE_LIMIT_S + len(content) * _LIMIT_S_PER_BYTE)
    if not outcome:
        global _abandoned  # noqa: PLW0603  a fact about the process
        _abandoned += 1
        raise DecodeAbandonedError("the block took too long to decode: bytes are left over at its end")
    if isinstance(outcome[0], BaseException):
        raise DecodeError(f"block of datums: {outcome[0]}") from outcome[0]
    return outcome[0]


def _resolved(writer: AvroSchema) -> dict[str, pl.Expr]:
    """Return what each flat column is made of, given the writer's fields."""
    root, names = parse_named(writer)
    fields = {field["name"]: _bare(field["type"], names) for field in root["fields"]}
    return {column.name: _expression(column, fields, names) for column in COLUMNS}


def _expression(column: Column, fields: dict[str, Any], names: dict[str, Any]) -> pl.Expr:
    holder = fields.get(column.path[0])
    if column.family is None:
        return _absent(column) if holder is None else _present(column, pl.col(column.name), holder)
    if holder is None:
        return _absent(column)
    members = {member["name"]: _bare(member["type"], names) for member in holder["fields"]}
    family, avro = pl.col(column.family), members.get(column.path[-1])
    if avro is None:
        return pl.when(family.is_not_null()).then(_absent(column))
    return _present(column, family.struct.field(column.path[-1]), avro)


def _absent(column: Column) -> pl.Expr:
    """Return the column of a field that the writer does not have: the reader's default."""
    dtype = FRAME_SCHEMA[column.name]
    return pl.lit(pl.Series([column.default], dtype=dtype)).first()


def _present(column: Column, source: pl.Expr, avro: Any) -> pl.Expr:
    written = _kind(avro)
    if written != column.avro_type:
        raise SchemaError(f"{'.'.join(column.path)}: written as {written}, read as {column.avro_type}")
    if column.avro_type == "enum":
        return _known_symbols(column, source.cast(pl.String))
    return source.cast(FRAME_SCHEMA[column.name]) if column.avro_type == "records" else source


def _known_symbols(column: Column, symbol: pl.Expr) -> pl.Expr:
    """Map a newer writer's symbol to the enum's default, as the reference codec does."""
    known = symbol.is_in(column.symbols) | symbol.is_null()
    return pl.when(known).then(symbol).otherwise(pl.lit(column.symbols[0]))


def _bare(avro: Any, names: dict[str, Any]) -> Any:
    """Return a type without its union with null and with its name resolved."""
    if isinstance(avro, list):
        others = [branch for branch in avro if branch != "null"]
        if len(others) != 1:
            raise SchemaError(f"union of {len(others)} types besides null")
        avro = others[0]
    return names.get(avro, avro) if isinstance(avro, str) else avro


def _kind(avro: Any) -> AvroType | str:
    if isinstance(avro, str):
        return avro
    if avro["type"] == "array" and isinstance(avro["items"], dict) and avro["items"]["type"] == "record":
        return "records"
    kind: str = avro.get("logicalType", avro["type"])
    return kind
