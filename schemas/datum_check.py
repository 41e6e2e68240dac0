"""Bytes checked against a writer schema before anything is built from them.

fastavro trusts its input: a negative enum or union index silently picks the last entry, an `int` may have 64
bits, a decimal beyond its precision is rounded, and a deep datum of a recursive schema ends the process. This
walk refuses all of that, names the field, and finds the datum's end, so that bytes left over are seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditstream.core.errors import DecodeError, SchemaError
from schemas.avro_text import parse_named
from schemas.misfit import Misfit
from schemas.packaged import AvroSchema
from schemas.wire import Step, blocks, leaf, pair, union

_MOST_VALUES = 10_000
"""Most values of a datum outside arrays and maps, where every value takes bytes; ours counts 483."""


class DatumCheck:
    """Checks datums of one writer schema; make one for many datums.

    Args:
        schema: JSON data of a record schema.

    Raises:
        SchemaError: The schema is not valid Avro, or it refers to itself or uses its named types so often
            that a few bytes could describe a datum that exhausts the process.
    """

    def __init__(self, schema: AvroSchema) -> None:
        root, names = parse_named(schema)
        self._step = _Compiler(names).step(root)

    def __call__(self, data: bytes) -> None:
        """Return when `data` is exactly one datum of the schema.

        Raises:
            DecodeError: It is not; names the field where the bytes stop to make sense.
        """
        try:
            end = self._step(data, 0)
        except Misfit as misfit:
            raise DecodeError(f"{misfit.path or 'datum'}: {misfit.reason}", field=misfit.path) from None
        if end != len(data):
            raise DecodeError(f"datum: {len(data) - end} bytes left over after it", field="")


class _Compiler:
    """Turns a schema into nested steps, once."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._open: list[str] = []
        self._done: dict[str, tuple[Step, int]] = {}
        self._values = 0

    def step(self, avro: Any) -> Step:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise SchemaError(f"schema describes more than {_MOST_VALUES} values a datum")
        if isinstance(avro, list):
            return union([self.step(branch) for branch in avro])
        if isinstance(avro, str):
            return self._named(avro)
        if avro["type"] in {"record", "error"}:
            return self._record(avro)
        if avro["type"] in {"array", "map"}:
            return self._container(avro)
        return leaf(avro)

    def _named(self, name: str) -> Step:
        if name in self._open:
            raise SchemaError(f"schema refers to itself at {name}: data of it could be nested without end")
        if name not in self._names:
            return leaf(name)
        if name not in self._done:
            before = self._values
            self._done[name] = self.step(self._names[name]), self._values - before
        else:
            self._values += self._done[name][1]
        return self._done[name][0]

    def _record(self, avro: Any) -> Step:
        self._open.append(avro["name"])
        fields = [("." + field["name"], self.step(field["type"])) for field in avro["fields"]]
        self._open.pop()

        def record(data: bytes, at: int) -> int:
            for name, step in fields:
                try:
                    at = step(data, at)
                except Misfit as misfit:
                    raise misfit.within(name) from None
            return at

        return record

    def _container(self, avro: Any) -> Step:
        if avro["type"] == "map":
            return blocks(pair(self.step(avro["values"])))
        return blocks(self.step(avro["items"]))
