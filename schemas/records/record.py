"""The base of every typed record: to a datum, the dict that the Avro codec takes, and back.

The fields of a record are those of its `.avsc`, by name, type, default and order; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

from schemas.packaged import SchemaName
from schemas.records.vocabulary import Vocabulary

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""What a required time reads as when nobody gave it."""


class Record:
    """A typed record of the contract."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Return the names of the record's fields, in the order of the schema."""
        return tuple(field.name for field in fields(cls))

    def to_datum(self) -> dict[str, Any]:
        """Return the record as the codec's dict: records become dicts, tuples lists, symbols strings."""
        return {name: _plain(getattr(self, name)) for name in _converters(type(self))}

    @classmethod
    def from_datum(cls, datum: Mapping[str, Any]) -> Self:
        """Build the record from a decoded dict.

        A field that the datum lacks takes its default, a field that the record lacks is left out, an
        unknown symbol becomes UNKNOWN. Values are taken as they are, so they must come from the codec or have
        passed `schemas.intake`.
        """
        converters = _converters(cls)
        return cls(**{name: convert(datum[name]) for name, convert in converters.items() if name in datum})


class TopicRecord(Record):
    """A record that is a topic's value: it knows its schema."""

    __slots__ = ()

    SCHEMA: ClassVar[SchemaName]


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_datum()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


_CONVERTERS: dict[type[Record], dict[str, Callable[[Any], Any]]] = {}


def _converters(cls: type[Record]) -> dict[str, Callable[[Any], Any]]:
    """Return what turns a datum's value into the record's, by field, in field order; made once a class."""
    found = _CONVERTERS.get(cls)
    if found is None:
        hints = get_type_hints(cls)
        found = {name: _converter(hints[name]) for name in cls.field_names()}
        _CONVERTERS[cls] = found
    return found


def _converter(hint: Any) -> Callable[[Any], Any]:
    arguments = get_args(hint)
    if type(None) in arguments:
        some = _converter(arguments[0])
        return lambda value: None if value is None else some(value)
    if get_origin(hint) is tuple:
        item = _converter(arguments[0])
        return lambda values: tuple(item(value) for value in values)
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_datum
    if isinstance(hint, type) and issubclass(hint, Vocabulary):
        return hint
    return _same


def _same(value: Any) -> Any:
    return value
