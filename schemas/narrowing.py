"""A writer's schema without the fields that datums leave blank: most fields of most events.

A blank field is one zero byte: the null branch, the empty string, the empty array or map. So a run of blank
fields reads as a `fixed` of that many bytes, at a small part of the cost. That is exact, not a guess: where
those bytes are zero in every datum, the full schema reads the same bytes as the same fields, all of them
blank. Where they are not, the narrowed schema does not fit the datums, whatever else it made of them.

Source: Avro 1.12 specification, "Binary Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import polars as pl

from schemas.emptiness import is_empty
from schemas.packaged import AvroSchema

Path = tuple[str, ...]
"""Where a field is: its name, or the names of its family and itself."""

_ZEROS = "auditstream_zeros_"
_EMPTY: dict[str, Any] = {"string": "", "bytes": b"", "array": [], "map": {}}


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A narrowed schema.

    Attributes:
        schema: JSON data of the record schema.
        zeros: Where its runs of blank fields are, with their sizes in bytes.
    """

    schema: AvroSchema
    zeros: Mapping[Path, int]

    def fits(self, datums: pl.DataFrame) -> bool:
        """Return whether datums that were read through the schema are blank wherever it says so."""
        # Absent families are null, and `all` passes over nulls.
        runs = [_at(path).eq(pl.lit(bytes(size))).all().alias(path[-1]) for path, size in self.zeros.items()]
        return not runs or all(datums.select(runs).row(0))


def blank_fields(root: AvroSchema, names: Mapping[str, Any], datums: pl.DataFrame) -> dict[Path, Any]:
    """Return the fields of a writer's schema that all of the datums leave blank, and what they read as.

    Args:
        root: The schema in fastavro's parsed form.
        names: Its named types.
        datums: Read through that schema, a column a field.
    """
    return dict(_blank_of(root, names, datums, ()))


def _blank_of(
    record: AvroSchema, names: Mapping[str, Any], datums: pl.DataFrame, above: Path
) -> Iterator[tuple[Path, Any]]:
    for member in record["fields"]:
        path, series = (*above, member["name"]), datums.get_column(member["name"])
        if isinstance(member["type"], list):
            is_blank, value = member["type"][0] == "null" and series.null_count() == len(series), None
        else:
            kind = _plain_kind(member["type"])
            is_blank, value = kind in _EMPTY and is_empty(series), _EMPTY.get(kind)
        if is_blank:
            yield path, value
        elif not above and (family := _family(member["type"], names)) is not None:
            yield from _blank_of(family, names, series.struct.unnest(), path)


def _plain_kind(avro: Any) -> str:
    """Return a type's kind; that of a logical type is the logical type, which may refuse to be empty."""
    return avro if isinstance(avro, str) else str(avro.get("logicalType", avro["type"]))


def narrowed(root: AvroSchema, names: Mapping[str, Any], blank: Set[Path]) -> Narrowed:
    """Return the schema with `blank` fields as runs of zeros; see `blank_fields`."""
    narrowing = _Narrowing(names, blank)
    return Narrowed(narrowing.record(root, ()), narrowing.zeros)


@dataclass(slots=True)
class _Narrowing:
    """Rewrites a schema. Every type is defined where it is used, under a name of its own.

    What defined it may be blank here, a family may be narrowed in one place and not in another, and readers
    differ in how they resolve names.
    """

    names: Mapping[str, Any]
    blank: Set[Path]
    zeros: dict[Path, int] = field(default_factory=dict)
    _types: Iterator[int] = field(default_factory=count)

    def record(self, avro: AvroSchema, above: Path) -> AvroSchema:
        """Return the root or a family without its blank fields."""
        fields: list[dict[str, Any]] = []
        run = 0
        for member in [*avro["fields"], None]:
            path = None if member is None else (*above, member["name"])
            if path in self.blank:
                run += 1
                continue
            if run:
                fields.append(self._run(above, run))
                run = 0
            if member is not None and path is not None:
                fields.append({"name": member["name"], "type": self._member(member["type"], path)})
        return {"type": "record", "name": self._name(), "fields": fields}

    def _run(self, above: Path, size: int) -> dict[str, Any]:
        name = f"{_ZEROS}{len(self.zeros)}"
        self.zeros[(*above, name)] = size
        return {"name": name, "type": {"type": "fixed", "name": self._name(), "size": size}}

    def _member(self, avro: Any, path: Path) -> Any:
        family = _family(avro, self.names) if len(path) == 1 else None
        if family is None or not any(blank[:1] == path for blank in self.blank):
            return self._whole(avro)
        return ["null", self.record(family, path)]

    def _whole(self, avro: Any) -> Any:
        if isinstance(avro, list):
            return [self._whole(branch) for branch in avro]
        if isinstance(avro, str):
            return self._whole(self.names[avro]) if avro in self.names else avro
        changed = {key: self._whole(avro[key]) for key in ("items", "values") if key in avro}
        if "name" in avro:
            changed["name"] = self._name()
        if "fields" in avro:
            changed["fields"] = [
                {"name": member["name"], "type": self._whole(member["type"])} for member in avro["fields"]
            ]
        return {**avro, **changed}

    def _name(self) -> str:
        return f"auditstream_type_{next(self._types)}"


def _family(avro: Any, names: Mapping[str, Any]) -> AvroSchema | None:
    """Return the record that a field is when it is not null; None for fields of other types."""
    if not isinstance(avro, list) or len(avro) != 2 or avro[0] != "null":
        return None
    record = names.get(avro[1]) if isinstance(avro[1], str) else avro[1]
    return record if isinstance(record, dict) and record["type"] == "record" else None


def _at(path: Path) -> pl.Expr:
    column = pl.col(path[0])
    return column.struct.field(path[1]) if len(path) == 2 else column
