"""Recorded leaves as digests a tile, computed where the rows are: of 256 values only hashes travel.

Everything is derived from the columns that a leaf commits to and from the value itself; nothing is taken from
the projection, which the store keeps beside the rows and which could say something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

from auditstream.ledger.tiles import FULL_WIDTH
from auditstream.query.reader import Reader
from sinks.leaf_expressions import VALUE_SHA256, entry, leaf_hash

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
# Two arrays: one of pairs takes a tenth more of the whole query. As bytes by `reinterpret`: what joins arrays
# takes zeros at the end of a hash for filling.
_TILES = f"""
    SELECT log_id, tile, leaves, as_recorded, SHA256(reinterpret(hashes, 'String')) AS digest
    FROM (
        SELECT log_id, intDiv(leaf_index, {FULL_WIDTH}) AS tile, count() AS leaves,
            countIf(hash != leaf_hash) = 0 AS as_recorded,
            arraySort((hash, place) -> place, groupArray(hash), groupArray(leaf_index)) AS hashes
        FROM ({_ROW}{{}}) GROUP BY log_id, tile)
    {_AS_STORED}"""
_ROWS = f"SELECT leaf_index, {_ENTRY} AS entry, leaf_hash FROM events WHERE "
_IN_ORDER = f" ORDER BY leaf_index, entry {_AS_STORED}"
# Quick, by the projection; a row of another day than it says is missed by its count in `log_totals`.
_DAYS = """
SELECT log_id, ingest_day, min(leaf_index) AS first_index, max(leaf_index) AS last_index
FROM events WHERE log_id IN {logs:Array(String)} GROUP BY log_id, ingest_day"""
_TOTALS = f"""
SELECT log_id, count() AS leaves, min(leaf_index) AS first_index, max(leaf_index) AS last_index
FROM events GROUP BY log_id ORDER BY log_id {_AS_STORED}"""


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


@dataclass(frozen=True, slots=True)
class LogTotal:
    """How many rows name a log."""

    log_id: str
    leaves: int
    first_index: int
    last_index: int


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

    Args:
        reader: What asks the store.
        asked: Which tiles of which logs, each log once.
        days: On which days there are rows.

    Raises:
        RetryableError: No answer.
    """
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


def log_totals(reader: Reader) -> Iterator[LogTotal]:
    """Yield how many rows there are of each log that any row names.

    Raises:
        RetryableError: No answer.
    """
    found = reader.table(_TOTALS, {}, doing="count of the logs' rows")
    for log_id, leaves, first, last in found.rows:
        yield LogTotal(str(log_id), int(leaves), int(first), int(last))
