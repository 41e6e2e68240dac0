"""Whether one Avro schema can read what another wrote, and which part of it cannot, and why.

The rules are those of the Avro 1.12 specification, "Schema Resolution" (promotions, unions, aliases, enum
defaults), with one of our own on top: a logical type must be the same on both sides, because a value that is
read under another logical type is another value. The registry's own checker does not look at logical types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemas.avro_text import parse_named
from schemas.packaged import AvroSchema

Level = Literal[
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
]
"""The registry's compatibility levels."""

_PROMOTIONS: dict[str, frozenset[str]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}
"""Writer's type to the other types that may read it."""


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """One place where a reader cannot take what a writer writes.

    Attributes:
        path: Field path in the reader, as `inference.provider`, `costs[].unit`, `attributes{}`; empty for the
            record itself.
        reason: What does not fit.
        direction: `backward` when the new schema is the reader, `forward` when it is the writer.
        version: Which of the earlier schemas is the other side, counted from 1.
    """

    path: str
    reason: str
    direction: Literal["backward", "forward"] = "backward"
    version: int = 1

    def __str__(self) -> str:
        return f"{self.path or '(record)'}: {self.reason}"


def incompatibilities(
    new: AvroSchema, earlier: Sequence[AvroSchema], level: Level = "FULL_TRANSITIVE"
) -> list[Incompatibility]:
    """Return every reason why `new` may not follow `earlier` under a compatibility level.

    Args:
        new: JSON data of the schema to add.
        earlier: JSON data of the subject's schemas, oldest first.
        level: Without `_TRANSITIVE` only the latest of the earlier ones counts.

    Returns:
        An empty list when the schema may be added.

    Raises:
        SchemaError: One of the schemas is not valid Avro.
    """
    against = list(enumerate(earlier, start=1))
    if not level.endswith("_TRANSITIVE"):
        against = against[-1:]
    found: list[Incompatibility] = []
    for version, schema in against:
        if level.startswith(("BACKWARD", "FULL")):
            found += [Incompatibility(i.path, i.reason, "backward", version) for i in unreadable(new, schema)]
        if level.startswith(("FORWARD", "FULL")):
            found += [Incompatibility(i.path, i.reason, "forward", version) for i in unreadable(schema, new)]
    return found


def unreadable(reader: AvroSchema, writer: AvroSchema) -> list[Incompatibility]:
    """Return what of the data of `writer` a program that uses `reader` cannot read; empty when all of it can.

    Raises:
        SchemaError: One of the schemas is not valid Avro.
    """
    reader_root, reader_names = parse_named(reader)
    writer_root, writer_names = parse_named(writer)
    resolution = _Resolution(reader_names, writer_names)
    return list(dict.fromkeys(resolution.compare(reader_root, writer_root, "")))


class _Resolution:
    """One comparison of two schemas, with the named types of each side."""

    def __init__(self, reader_names: Mapping[str, Any], writer_names: Mapping[str, Any]) -> None:
        self._reader_names = reader_names
        self._writer_names = writer_names
        self._open: set[tuple[int, int]] = set()

    def compare(self, reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
        reader = _named(reader, self._reader_names)
        writer = _named(writer, self._writer_names)
        pair = (id(reader), id(writer))
        if pair in self._open:  # a recursive type: what is below is being compared already
            return
        self._open.add(pair)
        try:
            yield from self._compare(reader, writer, path)
        finally:
            self._open.discard(pair)

    def _compare(self, reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
        if isinstance(writer, list):
            for branch in writer:
                yield from self.compare(reader, branch, path)
        elif isinstance(reader, list):
            yield from self._compare_union(reader, writer, path)
        elif _kind(reader) != _kind(writer):
            if _kind(reader) not in _PROMOTIONS.get(_kind(writer), ()):
                yield Incompatibility(path, f"{_label(writer)} cannot be read as {_label(reader)}")
            else:
                yield from _logical_difference(reader, writer, path)
        else:
            yield from self._compare_same_kind(reader, writer, path)

    def _compare_union(self, reader: list[Any], writer: Any, path: str) -> Iterator[Incompatibility]:
        outcomes = [list(self.compare(branch, writer, path)) for branch in reader]
        if any(not outcome for outcome in outcomes):
            return
        kind = _kind(_named(writer, self._writer_names))
        for branch, outcome in zip(reader, outcomes, strict=True):
            if _kind(_named(branch, self._reader_names)) == kind:
                yield from outcome
                return
        labels = ", ".join(_label(_named(branch, self._reader_names)) for branch in reader)
        yield Incompatibility(path, f"{_label(writer)} is none of the reader's [{labels}]")

    def _compare_same_kind(self, reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
        yield from _logical_difference(reader, writer, path)
        match _kind(reader):
            case "record":
                yield from _name_difference(reader, writer, path)
                yield from self._compare_fields(reader, writer, path)
            case "array":
                yield from self.compare(reader["items"], writer["items"], path + "[]")
            case "map":
                yield from self.compare(reader["values"], writer["values"], path + "{}")
            case "enum":
                yield from _name_difference(reader, writer, path)
                yield from _symbol_difference(reader, writer, path)
            case "fixed":
                yield from _name_difference(reader, writer, path)
                if reader["size"] != writer["size"]:
                    yield Incompatibility(
                        path, f"fixed of {writer['size']} bytes, reader has {reader['size']}"
                    )

    def _compare_fields(self, reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            name = field["name"]
            here = f"{path}.{name}" if path else name
            source = next((n for n in (name, *field.get("aliases", ())) if n in written), None)
            if source is not None:
                yield from self.compare(field["type"], written[source]["type"], here)
            elif "default" not in field:
                yield Incompatibility(here, "the writer does not have it and the reader has no default")


def _named(avro: Any, names: Mapping[str, Any]) -> Any:
    return names.get(avro, avro) if isinstance(avro, str) else avro


def _kind(avro: Any) -> str:
    kind: str = avro["type"] if isinstance(avro, dict) else avro
    return "record" if kind == "error" else kind


def _label(avro: Any) -> str:
    if not isinstance(avro, dict):
        return str(avro)
    return str(avro.get("logicalType") or avro.get("name") or avro["type"])


def _logical(avro: Any) -> tuple[Any, ...]:
    if not isinstance(avro, dict) or "logicalType" not in avro:
        return ()
    if avro["logicalType"] == "decimal":
        return ("decimal", avro["precision"], avro.get("scale", 0))
    return (avro["logicalType"],)


def _logical_difference(reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
    read, written = _logical(reader), _logical(writer)
    if read != written:
        yield Incompatibility(path, f"logical type {_show(written)}, reader has {_show(read)}")


def _show(logical: tuple[Any, ...]) -> str:
    if not logical:
        return "none"
    name, *arguments = logical
    return f"{name}({', '.join(map(str, arguments))})" if arguments else str(name)


def _name_difference(reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
    accepted = {_unqualified(reader["name"]), *map(_unqualified, reader.get("aliases", ()))}
    if _unqualified(writer["name"]) not in accepted:
        yield Incompatibility(path, f"named {writer['name']}, reader has {reader['name']}")


def _unqualified(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _symbol_difference(reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
    missing = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
    if missing and reader.get("default") is None:
        yield Incompatibility(path, f"reader lacks {', '.join(missing)} and has no default symbol")
