"""Recorded leaves as digests a tile, computed where the rows are: of 256 values only hashes travel.

Everything is derived from the columns that a leaf commits to and from the value itself; nothing is taken from
the projection, which the store keeps beside the rows and which could say something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

from auditstream.core.errors import RetryableError
from auditstream.ledger.tiles import FULL_WIDTH
from auditstream.query.reader import Reader
from sinks.leaf_expressions import VALUE_SHA256, entry, leaf_hash

_OUT_OF_MEMORY = 241  # MEMORY_LIMIT_EXCEEDED
# What rows themselves say, not what a projection keeps of them.
_AS_STORED = "SETTINGS optimize_use_projections = 0"
_ENTRY = entry(VALUE_SHA256)

_OF_LOG = (
    "(log_id = {{log{0}:String}} AND leaf_index >= {{from{0}:UInt64}} AND leaf_index < {{to{0}:UInt64}})"
)
# The same of several logs, where the indexes are the same: a twentieth less work for the whole query.
_OF_LOGS = "log_id IN {logs:Array(String)} AND leaf_index >= {from:UInt64} AND leaf_index < {to:UInt64}"
_ON_DAYS = " AND ingest_day IN {days:Array(Date)}"

_ROW = f"""
    SELECT log_id, leaf_index, leaf_hash, {leaf_hash(VALUE_SHA256)} AS hash
    FROM events WHERE """
# Two arrays: one of pairs takes a tenth more of the whole query. Of numbers: an array grows by a hash's bytes
# then, where each FixedString would be allocated by itself; its bytes stay as they are. As bytes by
# `reinterpret`: what joins arrays takes zeros at the end of a hash for filling.
_TILES = f"""
    SELECT log_id, tile, leaves, as_recorded, SHA256(reinterpret(hashes, 'String')) AS digest
    FROM (
        SELECT log_id, intDiv(leaf_index, {FULL_WIDTH}) AS tile, count() AS leaves,
            countIf(hash != leaf_hash) = 0 AS as_recorded,
            arraySort(
                (hash, place) -> place,
                groupArray(reinterpretAsUInt256(hash)), groupArray(toUInt8(leaf_index))) AS hashes
        FROM ({_ROW}{{}}) GROUP BY log_id, tile)
    {_AS_STORED}"""
_ROWS = f"SELECT leaf_index, {_ENTRY} AS entry, leaf_hash FROM events WHERE "
_IN_ORDER = f" ORDER BY leaf_index, entry {_AS_STORED}"
# Quick, by the projection; a row of another day than it says is missed by its count in `segment_rows`.
_DAYS = """
SELECT log_id, ingest_day, min(leaf_index) AS first_index, max(leaf_index) AS last_index
FROM events WHERE log_id IN {logs:Array(String)} GROUP BY log_id, ingest_day"""


@dataclass(frozen=True, slots=True)
class TileDigest:
    """What rows give for one tile of level 0.

    Attributes:
        tile: Index of the tile.
        leaves: Rows with an index under it; 256 in a full one.
        digest: SHA-256 over the leaf hashes, in the order of indexes: over the tile as it is published.
        as_recorded: Whether each row still gives the leaf hash that it was recorded with.
    """

    tile: int
    leaves: int
    digest: bytes
    as_recorded: bool = True


@dataclass(frozen=True, slots=True)
class RowLeaf:
    """One row as a leaf.

    Attributes:
        index: Its index.
        entry: The 74 bytes that the row gives.
        recorded_hash: The leaf hash that it was recorded with.
    """

    index: int
    entry: bytes
    recorded_hash: bytes


class Span(NamedTuple):
    """A run of leaves of a log, without the one at `end_index`."""

    log_id: str
    first_index: int
    end_index: int


@dataclass(frozen=True, slots=True)
class LogTiles:
    """Some tiles of a log.

    Attributes:
        log_id: The log, as `topic/partition/epoch`.
        size: Leaves that a checkpoint covers; later ones are not read.
        first_tile: The first tile.
        tiles: How many.
    """

    log_id: str
    size: int
    first_tile: int
    tiles: int

    @property
    def span(self) -> Span:
        """The leaves under them."""
        first_index = self.first_tile * FULL_WIDTH
        return Span(self.log_id, first_index, min(first_index + self.tiles * FULL_WIDTH, self.size))

    @property
    def halves(self) -> tuple[LogTiles, LogTiles]:
        """The same in two; the second has none when there is but one tile."""
        first = (self.tiles + 1) // 2
        return self.part(self.first_tile, first), self.part(self.first_tile + first, self.tiles - first)

    def part(self, first_tile: int, tiles: int) -> LogTiles:
        """Return other tiles of the same log."""
        return replace(self, first_tile=first_tile, tiles=tiles)


class StoredDays:
    """On which days rows of a log were recorded, asked for once a log: the store keeps days apart.

    Any number of threads may ask.

    Args:
        reader: What asks the store.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[str, list[tuple[date, int, int]]] = {}

    def remember(self, log_id: str, ranges: Iterable[tuple[date, int, int]]) -> None:
        """Take what is known of a log already: days, each with lowest and highest index of a row of it."""
        days: dict[date, tuple[int, int]] = {}
        for day, first_index, last_index in ranges:
            first, last = days.get(day, (first_index, last_index))
            days[day] = min(first, first_index), max(last, last_index)
        self._known[log_id] = [(day, *span) for day, span in days.items()]

    def of(self, spans: Sequence[Span]) -> list[date]:
        """Return the days on which there may be rows of some spans.

        Raises:
            RetryableError: No answer.
        """
        unknown = [span.log_id for span in spans if span.log_id not in self._known]
        if unknown:
            found = self._reader.table(_DAYS, {"logs": unknown}, doing=f"days of {unknown[0]}")
            known: dict[str, list[tuple[date, int, int]]] = {log_id: [] for log_id in unknown}
            for log_id, day, first_index, last_index in found.rows:
                known[log_id].append((day, int(first_index), int(last_index)))
            self._known |= known  # whole, for whoever looks meanwhile
        return sorted(
            {
                day
                for span in spans
                for day, first_index, last_index in self._known[span.log_id]
                if first_index < span.end_index and span.first_index <= last_index
            }
        )


def tile_digests(reader: Reader, asked: Sequence[LogTiles], days: StoredDays) -> list[dict[int, TileDigest]]:
    """Return the digest of each tile that has rows, for each log; all logs are read in one pass.

    Where that takes more memory than the store gives, it is read in two passes, each of half the tiles.

    Args:
        reader: What asks the store.
        asked: Which tiles of which logs, each log once.
        days: On which days there are rows.

    Raises:
        RetryableError: No answer.
    """
    try:
        return _in_one_pass(reader, asked, days)
    except RetryableError as refusal:
        if refusal.context.get("clickhouse_code") != _OUT_OF_MEMORY or all(each.tiles == 1 for each in asked):
            raise
    digests: list[dict[int, TileDigest]] = [{} for _ in asked]
    for half in (0, 1):
        parts = [(place, part) for place, each in enumerate(asked) if (part := each.halves[half]).tiles]
        found = tile_digests(reader, [part for _, part in parts], days)
        for (place, _), some in zip(parts, found, strict=True):
            digests[place] |= some
    return digests


def _in_one_pass(reader: Reader, asked: Sequence[LogTiles], days: StoredDays) -> list[dict[int, TileDigest]]:
    where, values = _where([each.span for each in asked], days)
    found = reader.table(_TILES.replace("{}", where), values, doing=f"digests of {asked[0].log_id}")
    digests: dict[str, dict[int, TileDigest]] = {each.log_id: {} for each in asked}
    for log_id, tile, leaves, as_recorded, digest in found.rows:
        digests[log_id][int(tile)] = TileDigest(int(tile), int(leaves), digest, bool(as_recorded))
    return [digests[each.log_id] for each in asked]


class StoredLeaves:
    """Reads the leaves of one log as the rows give them.

    Args:
        reader: What asks the store.
        log_id: The log, as `topic/partition/epoch`.
        size: Leaves that a checkpoint covers; later ones are not read.
        days: On which days there are rows; asked for here where nobody has yet.
    """

    def __init__(self, reader: Reader, log_id: str, size: int, days: StoredDays | None = None) -> None:
        self._reader = reader
        self._log_id = log_id
        self._size = size
        self._days = days or StoredDays(reader)

    def leaves(self, first_index: int, count: int) -> list[RowLeaf]:
        """Return the rows of a range, in the order of indexes; an index may be there twice.

        Raises:
            RetryableError: No answer.
        """
        span = Span(self._log_id, first_index, min(first_index + count, self._size))
        where, values = _where([span], self._days)
        found = self._reader.table(_ROWS + where + _IN_ORDER, values, doing=f"leaves of {self._log_id}")
        return [RowLeaf(int(index), entry, recorded) for index, entry, recorded in found.rows]


def _where(spans: Sequence[Span], days: StoredDays) -> tuple[str, dict[str, Any]]:
    """Return the condition under which a row is in one of some spans, and its values."""
    values: dict[str, Any] = {"days": days.of(spans)}
    (first_index, end_index), *others = {(span.first_index, span.end_index) for span in spans}
    if not others:
        values |= {"logs": [span.log_id for span in spans], "from": first_index, "to": end_index}
        return _OF_LOGS + _ON_DAYS, values
    for number, span in enumerate(spans):
        values |= {
            f"log{number}": span.log_id,
            f"from{number}": span.first_index,
            f"to{number}": span.end_index,
        }
    in_logs = " OR ".join(_OF_LOG.format(number) for number in range(len(spans)))
    return f"({in_logs}){_ON_DAYS}", values
