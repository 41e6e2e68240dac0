"""What differs between two schemas, field by field: for people, beside a compatibility verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas.avro_text import parse_named
from schemas.packaged import AvroSchema

_PLAIN = ("default", "aliases", "doc", "order")
"""What a field has beyond its name and type."""

_FIELD = "field"

_Place = tuple[str, str]
"""A path, and what is said of it."""

_Said = Mapping[_Place, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that one schema says and the other does not, or says otherwise.

    Attributes:
        change: `added`, `removed` or `changed`, going from the old schema to the new one.
        path: Field path, as `inference.provider`, `costs[].unit`; empty for the record itself.
        what: What of it: `field`, `type`, `symbols`, `default`, `doc`, …
        old: What the old schema says, as JSON text; empty when nothing.
        new: What the new schema says, as JSON text; empty when nothing.
    """

    change: Literal["added", "removed", "changed"]
    path: str
    what: str
    old: str
    new: str


def differences(old: AvroSchema, new: AvroSchema) -> list[Difference]:
    """Return what differs, in the order of the new schema, what is removed last; empty when nothing does.

    Raises:
        SchemaError: One of the schemas is not valid Avro.
    """
    before = dict(_Statements(old).all())
    after = dict(_Statements(new).all())
    whole = {path for path, what in before.keys() ^ after.keys() if what == _FIELD}
    return [
        Difference(_change(place, before, after), *place, before.get(place, ""), after.get(place, ""))
        for place in {**after, **before}
        if before.get(place) != after.get(place) and not _said_by_field(place, before, after, whole)
    ]


def _change(place: _Place, before: _Said, after: _Said) -> Literal["added", "removed", "changed"]:
    if place not in before:
        return "added"
    return "changed" if place in after else "removed"


def _said_by_field(place: _Place, before: _Said, after: _Said, whole: set[str]) -> bool:
    """Return whether a difference is said already, by a field that came or went as a whole."""
    path, what = place
    if what == _FIELD:
        return (place in before and place in after) or any(_is_inside(path, other) for other in whole)
    return path in whole or any(_is_inside(path, other) for other in whole)


def _is_inside(path: str, other: str) -> bool:
    return path.startswith((f"{other}.", f"{other}[", f"{other}{{"))


class _Statements:
    """Everything that a schema says, one statement a place; a place is a path and what is said of it."""

    def __init__(self, schema: AvroSchema) -> None:
        self._root, self._names = parse_named(schema)
        self._open: list[str] = []

    def all(self) -> Iterator[tuple[_Place, str]]:
        yield from self._type(self._root, "")

    def _type(self, avro: Any, path: str) -> Iterator[tuple[_Place, str]]:
        avro = self._named(avro)
        yield (path, "type"), _label(avro)
        yield from self._inside(avro, path)

    def _named(self, avro: Any) -> Any:
        return self._names.get(avro, avro) if isinstance(avro, str) else avro

    def _inside(self, avro: Any, path: str) -> Iterator[tuple[_Place, str]]:
        """Yield what a type says beyond its label; a recursive one is followed once."""
        if isinstance(avro, list):
            for branch in avro:
                yield from self._inside(self._named(branch), path)
        elif isinstance(avro, dict) and avro.get("name") not in self._open:
            self._open.append(avro.get("name", ""))
            for what in ("symbols", "size", "precision", "scale"):
                if what in avro:
                    yield (path, what), _text(avro[what])
            yield from self._members(avro, path)
            self._open.pop()

    def _members(self, avro: dict[str, Any], path: str) -> Iterator[tuple[_Place, str]]:
        if avro["type"] == "array":
            yield from self._type(avro["items"], f"{path}[]")
        elif avro["type"] == "map":
            yield from self._type(avro["values"], f"{path}{{}}")
        for field in avro.get("fields", ()):
            here = f"{path}.{field['name']}" if path else field["name"]
            yield (here, _FIELD), _label(field["type"])
            for what in _PLAIN:
                if what in field:
                    yield (here, what), _text(field[what])
            yield from self._type(field["type"], here)


def _label(avro: Any) -> str:
    """Return a type in short: `null | string`, `array`, `decimal`, `enum audit.v1.Outcome`."""
    if isinstance(avro, list):
        return " | ".join(map(_label, avro))
    if not isinstance(avro, dict):
        return str(avro)
    kind = str(avro.get("logicalType") or avro["type"])
    return f"{kind} {avro['name']}" if "name" in avro else kind


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
