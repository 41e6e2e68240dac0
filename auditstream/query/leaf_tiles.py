"""Recorded leaves as digests a tile, computed where the rows are: of 256 values only hashes travel.

Everything is derived from the columns that a leaf commits to and from the value itself; nothing is taken from
the projection, which the store keeps beside the rows and which could say something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
_ON_DAYS = " AND ingest_day IN {days:Array(Date)}"

_ROW = f"""
    SELECT log_id, leaf_index, leaf_hash, {_ENTRY} AS entry, {leaf_hash("entry")} AS hash
    FROM events WHERE """
# Of each leaf the entry as a bundle has it, with its length, and the leaf hash; in the order of indexes. Two
# arrays: one of pairs takes a tenth more of the whole query.
_LEAVES = f"""
    SELECT log_id, intDiv(leaf_index, {FULL_WIDTH}) AS tile, count() AS leaves,
        countIf(hash != leaf_hash) = 0 AS as_recorded,
        arraySort((row, place) -> place,
            groupArray(concat('\\0\\x4a', entry, hash)), groupArray(leaf_index)) AS rows
    FROM ({_ROW}{{}}) GROUP BY log_id, tile"""
_BASE = f"""
    SELECT log_id, tile, leaves, as_recorded, SHA256(arrayStringConcat(rows)) AS digest,
        arrayMap(row -> substring(row, 77, 32), arrayResize(rows, {FULL_WIDTH})) AS nodes
    FROM ({_LEAVES})"""
# A level of the tree a step; a subquery each, since names in one SELECT would be written out again and again.
_FOLD = """
    SELECT log_id, tile, leaves, as_recorded, digest, arrayMap(
        (left, right) -> SHA256(concat('\\x01', left, right)),
        arrayFilter((node, at) -> bitAnd(at, 1) = 1, nodes, arrayEnumerate(nodes)),
        arrayFilter((node, at) -> bitAnd(at, 1) = 0, nodes, arrayEnumerate(nodes))) AS nodes
    FROM ({})"""


def _tiles_query() -> str:
    query = _BASE
    for _ in range(8):
        query = _FOLD.replace("{}", query)
    return f"SELECT log_id, tile, leaves, as_recorded, digest, nodes[1] AS root FROM ({query}) {_AS_STORED}"


_TILES = _tiles_query()
_ROWS = f"SELECT leaf_index, {_ENTRY} AS entry, leaf_hash FROM events WHERE "
_IN_ORDER = f" ORDER BY leaf_index, entry {_AS_STORED}"
# Quick, by the projection; a row of another day than it says is missed by its count in `log_totals`.
_DAYS = "SELECT DISTINCT ingest_day FROM events WHERE "
_TOTALS = f"""
SELECT log_id, count() AS leaves, min(leaf_index) AS first_index, max(leaf_index) AS last_index
FROM events GROUP BY log_id ORDER BY log_id {_AS_STORED}"""


@dataclass(frozen=True, slots=True)
class TileDigest:
    """What rows give for one tile of level 0.

    Attributes:
        tile: Index of the tile.
        leaves: Rows with an index under it; 256 in a full one.
        digest: SHA-256 over the leaves: of each, entry with its length as in a bundle, then the leaf hash.
        root: Root over the tile; says something only of a full one.
        as_recorded: Whether each row still gives the leaf hash that it was recorded with.
    """

    tile: int
    leaves: int
    digest: bytes
    root: bytes
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

    def part(self, first_tile: int, tiles: int) -> LogTiles:
        """Return other tiles of the same log."""
        return replace(self, first_tile=first_tile, tiles=tiles)


def tile_digests(reader: Reader, asked: Sequence[LogTiles]) -> list[dict[int, TileDigest]]:
    """Return the digest of each tile that has rows, for each log; all logs are read in one pass.

    Args:
        reader: What asks the store.
        asked: Which tiles of which logs, each log once.

    Raises:
        RetryableError: No answer.
    """
    spans = [
        _Span(
            each.log_id,
            first := each.first_tile * FULL_WIDTH,
            min(first + each.tiles * FULL_WIDTH, each.size),
        )
        for each in asked
    ]
    where, values = _where(reader, spans)
    found = reader.table(_TILES.replace("{}", where), values, doing=f"digests of {asked[0].log_id}")
    digests: dict[str, dict[int, TileDigest]] = {each.log_id: {} for each in asked}
    for log_id, tile, leaves, as_recorded, digest, root in found.rows:
        digests[log_id][int(tile)] = TileDigest(int(tile), int(leaves), digest, root, bool(as_recorded))
    return [digests[each.log_id] for each in asked]


class StoredLeaves:
    """Reads the leaves of one log as the rows give them.

    Args:
        reader: What asks the store.
        log_id: The log, as `topic/partition/epoch`.
        size: Leaves that a checkpoint covers; later ones are not read.
    """

    def __init__(self, reader: Reader, log_id: str, size: int) -> None:
        self._reader = reader
        self._log_id = log_id
        self._size = size

    def leaves(self, first_index: int, count: int) -> list[RowLeaf]:
        """Return the rows of a range, in the order of indexes; an index may be there twice.

        Raises:
            RetryableError: No answer.
        """
        span = _Span(self._log_id, first_index, min(first_index + count, self._size))
        where, values = _where(self._reader, [span])
        found = self._reader.table(_ROWS + where + _IN_ORDER, values, doing=f"leaves of {self._log_id}")
        return [RowLeaf(int(index), entry, recorded) for index, entry, recorded in found.rows]


class _Span(NamedTuple):
    log_id: str
    first_index: int
    end_index: int


def _where(reader: Reader, spans: Sequence[_Span]) -> tuple[str, dict[str, Any]]:
    """Return the condition under which a row is in one of some spans, and its values."""
    values: dict[str, Any] = {}
    for number, (log_id, first_index, end_index) in enumerate(spans):
        values |= {f"log{number}": log_id, f"from{number}": first_index, f"to{number}": end_index}
    in_logs = f"({' OR '.join(_OF_LOG.format(number) for number in range(len(spans)))})"
    days = reader.table(_DAYS + in_logs, values, doing=f"days of {spans[0].log_id}").rows
    return in_logs + _ON_DAYS, values | {"days": [day for (day,) in days]}


def log_totals(reader: Reader) -> Iterator[LogTotal]:
    """Yield how many rows there are of each log that any row names.

    Raises:
        RetryableError: No answer.
    """
    found = reader.table(_TOTALS, {}, doing="count of the logs' rows")
    for log_id, leaves, first, last in found.rows:
        yield LogTotal(str(log_id), int(leaves), int(first), int(last))
