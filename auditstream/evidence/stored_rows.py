"""Rows beyond what tiles say of them: their segments, rows that nothing covers, unknown logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from auditstream.core.ports import offsets_of
from auditstream.evidence.derived_tables import definition_findings, rollup_findings
from auditstream.evidence.findings import Finding
from auditstream.evidence.listing import Listing, PublishedLog
from auditstream.query.leaf_tiles import (
    LogTiles,
    StoredDays,
    StoredLeaves,
    TileDigest,
    tile_digests,
)
from auditstream.query.reader import Reader
from auditstream.query.segment_rows import SegmentRows, segment_rows
from sinks.migration_files import Engine

UNSEALED_AFTER_S = 600.0
"""A row that no checkpoint covers after so long is a finding: the sealer is late, or the row is nobody's."""


class StoredRows:
    """Looks at a store's rows.

    Args:
        reader: What asks the store.
        engine: Kind of its tables.
        unsealed_after_s: How long a row may wait for a checkpoint.
    """

    def __init__(
        self, reader: Reader, engine: Engine = "MergeTree", *, unsealed_after_s: float = UNSEALED_AFTER_S
    ) -> None:
        self._reader = reader
        self._days = StoredDays(reader)
        self._engine: Engine = engine
        self._unsealed_after_s = unsealed_after_s
        self._segments: dict[str, list[SegmentRows]] = {}
        self.remarks: list[str] = []

    def survey(self, logs: Sequence[PublishedLog], *, others: bool) -> None:
        """Ask for the segments of some logs, which everything else rests on.

        Args:
            logs: The logs.
            others: Whether also for those of all others, for `unknown_logs`.

        Raises:
            RetryableError: No answer.
        """
        sizes = {log.log_id: log.opened.checkpoint.size for log in logs}
        self._segments = segment_rows(self._reader, sizes, others=others)
        for log_id, segments in self._segments.items():
            self._days.remember(
                log_id, [(day, each.first_index, each.last_index) for each in segments for day in each.days]
            )

    def digests(self, asked: Sequence[LogTiles]) -> list[dict[int, TileDigest]]:
        """Return what rows give for some tiles of some logs."""
        return tile_digests(self._reader, asked, self._days)

    def leaves(self, log: PublishedLog) -> StoredLeaves:
        """Return what reads a log's leaves, as far as its checkpoint goes."""
        return StoredLeaves(self._reader, log.log_id, log.opened.checkpoint.size, self._days)

    def findings(self, log: PublishedLog, rows: int) -> Sequence[Finding]:
        """Return what is wrong with the segments of a log, and with its rows behind the checkpoint.

        Args:
            log: The log.
            rows: How many rows its leaves were derived from.
        """
        size = log.opened.checkpoint.size
        segments = self._segments[log.log_id]
        found = list(_segment_findings(log, segments))
        found += self._unsealed(log.origin, segments, size)
        there = sum(each.below for each in segments)
        if there != rows:
            found.append(Finding(log.origin, "surplus_rows", f"{rows} rows below index {size}", f"{there}"))
        return found

    def unknown_logs(self, listing: Listing) -> Iterator[Finding]:
        """Yield the logs that rows name and that nothing published covers."""
        published = {log.log_id for log in listing.logs}
        if listing.listed is not None:
            published |= {log.origin.removeprefix(f"{listing.deployment}/") for log in listing.listed.logs}
        for log_id, segments in self._segments.items():
            if log_id in published:
                continue
            origin = f"{listing.deployment}/{log_id}"
            if log_id.count("/") != 2:
                yield Finding(origin, "unsealed_rows", "a log as topic/partition/epoch", log_id)
                continue
            yield from self._unsealed(origin, segments, 0)

    def changed_definitions(self) -> Iterator[Finding]:
        """Yield tables and views that are not as the migrations made them."""
        return definition_findings(self._reader, self._engine)

    def wrong_rollups(self) -> Iterator[Finding]:
        """Yield the keys under which a rollup is not the sum of its events."""
        return rollup_findings(self._reader, self._engine)

    def _unsealed(self, origin: str, segments: Sequence[SegmentRows], size: int) -> Iterator[Finding]:
        behind = [each for each in segments if each.last_index >= size]
        rows = sum(min(each.rows, each.last_index - size + 1) for each in behind)
        late = [each for each in behind if not 0 <= each.age_s + 1 <= self._unsealed_after_s + 1]
        for each in late:
            yield Finding(
                origin,
                "unsealed_rows",
                f"a checkpoint within {self._unsealed_after_s:g} s",
                f"none; rows of {each.segment_id}, {each.age_s:.0f} s old",
                max(each.first_index, size),
                each.last_index,
            )
        if rows and not late:
            newest = "the newest row is" if rows == 1 else f"the newest {rows:,} rows are"
            self.remarks.append(f"{origin}: {newest} not sealed yet")


def _segment_findings(log: PublishedLog, segments: Sequence[SegmentRows]) -> Iterator[Finding]:
    """Yield what does not fit in a log's segments: each dense, each behind the one before."""
    origin = log.origin
    for each in segments:
        span = each.first_index, each.last_index
        expected = each.last_index - each.first_index + 1
        if each.rows != expected:
            yield Finding(
                origin, "segment_rows", f"{expected} rows in {each.segment_id}", f"{each.rows}", *span
            )
        if not _is_named(log.log_id, each):
            text = f"offsets {each.first_offset} to {each.last_offset}"
            yield Finding(origin, "segment_id", f"a segment of the log with {text}", each.segment_id, *span)
        if each.elsewhere:
            yield Finding(
                origin, "kafka_topic", f"the log's topic and partition in {each.segment_id}", "others", *span
            )
        if len(each.days) != 1:
            days = f"{len(each.days)} days"
            yield Finding(origin, "ingest_day", f"one day in {each.segment_id}", days, *span)
    if segments and segments[0].first_index:
        yield Finding(origin, "missing_row", "a row", "none", 0, segments[0].first_index - 1)
    for before, each in pairwise(segments):
        if each.first_index > before.last_index + 1:
            yield Finding(origin, "missing_row", "a row", "none", before.last_index + 1, each.first_index - 1)
        elif each.first_index <= before.last_index:
            found = f"{each.segment_id} and {before.segment_id}"
            yield Finding(origin, "segment_overlap", "one segment", found, each.first_index, each.last_index)


def _is_named(log_id: str, segment: SegmentRows) -> bool:
    """Return whether a segment's id is that of a range of the log that covers its rows."""
    if segment.segment_id.rpartition("/")[0] != log_id:
        return False
    try:
        lo, hi = offsets_of(segment.segment_id)
    except ValueError:
        return False
    return lo <= segment.first_offset and segment.last_offset <= hi
