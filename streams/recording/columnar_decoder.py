"""Decoding a segment in columns: grouped by writer schema, halved around what does not decode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from auditstream.core.errors import DecodeError, RejectError, SchemaError
from auditstream.core.ports import Segment
from schemas import contract
from schemas.columnar import ColumnarReader
from schemas.container_reading import DecodeAbandonedError
from schemas.flatten import FRAME_SCHEMA, frame_of
from schemas.framing import Framing, SchemaRef, framing_of
from streams.recording.datum_decoder import DatumDecoder, Schemas
from streams.recording.decoded import Decoded, Rejection

# Below this many datums one at a time is as quick as another container, and names the culprit.
_ONE_BY_ONE = 16


@dataclass(slots=True)
class _Located:
    """Values and their positions in the segment; two lists, for tuples cost the garbage collector dear."""

    positions: list[int] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.positions)

    def halves(self) -> tuple[_Located, _Located]:
        middle = len(self) // 2
        return (
            _Located(self.positions[:middle], self.values[:middle]),
            _Located(self.positions[middle:], self.values[middle:]),
        )


@dataclass(slots=True)
class _Part:
    """A run of events that decoded together."""

    positions: list[int]
    events: pl.DataFrame


@dataclass(slots=True)
class _Sorted:
    """A segment's records by what their framing says."""

    groups: dict[Framing, _Located] = field(default_factory=dict)
    rejections: dict[int, Rejection] = field(default_factory=dict)
    schema_ids: list[str] = field(default_factory=list)


class ColumnarDecoder:
    """Decodes segments; agrees with `DatumDecoder` on every record, at about a tenth of its cost."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._one_by_one = DatumDecoder(schemas)
        self._readers: dict[SchemaRef, ColumnarReader | None] = {}

    def decode(self, segment: Segment) -> Decoded:
        """Return the segment's events and rejections.

        Raises:
            RegistryDownError: A writer schema is not known yet and the registry does not answer.
        """
        found = _by_framing(segment)
        parts: list[_Part] = []
        for framing, located in found.groups.items():
            decoded = self._parts(framing, located, found.rejections)
            parts += [_without_violations(part, found.rejections) for part in decoded]
        return _joined(parts, found)

    def _parts(
        self, framing: Framing, located: _Located, rejections: dict[int, Rejection]
    ) -> Iterator[_Part]:
        """Yield the events of one writer schema; what does not decode goes to `rejections`."""
        try:
            reader = self._reader(framing.schema)
        except SchemaError as error:
            rejections.update(dict.fromkeys(located.positions, Rejection.of(error)))
            return
        yield from self._halved(reader, framing, located, rejections)

    def _halved(
        self,
        reader: ColumnarReader | None,
        framing: Framing,
        located: _Located,
        rejections: dict[int, Rejection],
    ) -> Iterator[_Part]:
        if reader is None or len(located) <= _ONE_BY_ONE:
            yield self._one_at_a_time(framing, located, rejections)
            return
        try:
            prefix = located.values[0][: framing.payload_offset]
            yield _Part(located.positions, reader.read(located.values, prefix))
        except DecodeAbandonedError:
            yield self._one_at_a_time(framing, located, rejections)
        except DecodeError:
            for half in located.halves():
                yield from self._halved(reader, framing, half, rejections)

    def _one_at_a_time(self, framing: Framing, located: _Located, rejections: dict[int, Rejection]) -> _Part:
        positions, datums = [], []
        for position, value in zip(located.positions, located.values, strict=True):
            try:
                datums.append(self._one_by_one.read(value, framing))
                positions.append(position)
            except RejectError as error:
                rejections[position] = Rejection.of(error)
        return _Part(positions, frame_of(datums))

    def _reader(self, ref: SchemaRef) -> ColumnarReader | None:
        """Return the reader of a writer schema; None where only the reference codec can read it."""
        if ref not in self._readers:
            schema = self._schemas.get(ref)
            self._one_by_one.reader_of(ref)  # refuses what is no AuditEvent
            try:
                self._readers[ref] = ColumnarReader(schema)
            except SchemaError:
                self._readers[ref] = None
        return self._readers[ref]


def _by_framing(segment: Segment) -> _Sorted:
    """Sort the records by writer schema; what has no framing is rejected."""
    found = _Sorted()
    known: dict[bytes, tuple[Framing, str, _Located]] = {}
    headers = segment.headers or [()] * len(segment)
    for position, (value, its_headers) in enumerate(zip(segment.values, headers, strict=True)):
        group = known.get(value[:5]) if value and not its_headers else None
        if group is None:
            try:
                framing = framing_of(value, its_headers)
            except RejectError as error:
                found.rejections[position] = Rejection.of(error)
                found.schema_ids.append("")
                continue
            group = (framing, str(framing.schema), found.groups.setdefault(framing, _Located()))
            if isinstance(framing.schema, int) and not its_headers and value:
                known[value[:5]] = group
        assert value is not None
        found.schema_ids.append(group[1])
        group[2].positions.append(position)
        group[2].values.append(value)
    return found


def _without_violations(part: _Part, rejections: dict[int, Rejection]) -> _Part:
    """Return the events that keep the contract; the others go to `rejections`."""
    violations = contract.violations_in(part.events)
    if not violations:
        return part
    for row, violation in violations.items():
        rejections[part.positions[row]] = Rejection("contract", str(violation))
    kept = [row for row in range(len(part.positions)) if row not in violations]
    return _Part([part.positions[row] for row in kept], part.events[kept])


def _joined(parts: Sequence[_Part], found: _Sorted) -> Decoded:
    """Return all events in segment order."""
    filled = [part for part in parts if part.positions]
    if not filled:
        events, positions = pl.DataFrame(schema=FRAME_SCHEMA), []
    elif len(filled) == 1:
        events, positions = filled[0].events, filled[0].positions
    else:
        unordered = [position for part in filled for position in part.positions]
        order = sorted(range(len(unordered)), key=unordered.__getitem__)
        events = pl.concat([part.events for part in filled])[order]
        positions = [unordered[row] for row in order]
    return Decoded(events, positions, found.rejections, found.schema_ids)
