"""What was derived from values: every column of every row, decoded and enriched again, and compared.

The recorder that workers use is given each recorded segment again, in the order of its log, with the plan
that its rows name. What it makes must be what is recorded. Of headers only the schema is recorded; so the
text of a rejection that is about a header is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from auditstream.core.errors import RejectError, RetryableError
from auditstream.core.ports import LogId, Recorder
from auditstream.evidence.findings import Finding
from auditstream.evidence.listing import PublishedLog
from auditstream.query.reader import Reader
from auditstream.query.segment_rows import SegmentRows, segment_rows
from sinks.columns import TABLE_SCHEMA
from sinks.recorded_segments import RecordedSegment, RecordedSegments

_MOST_SHOWN = 200  # characters of a value in a finding
_ABOUT_REJECTIONS = frozenset({"reject_reason", "reject_detail", "schema_id"})

Advance = Callable[[int], object]


class DeepCheck:
    """Makes rows anew.

    Args:
        reader: What asks the store.
        segments: What reads segments back.
        new_recorder: Makes a recorder; each log has one of its own, which remembers what it has seen.
    """

    def __init__(
        self, reader: Reader, segments: RecordedSegments, new_recorder: Callable[[], Recorder]
    ) -> None:
        self._reader = reader
        self._segments = segments
        self._new_recorder = new_recorder

    def findings(self, logs: Sequence[PublishedLog], threads: int, advance: Advance) -> Iterator[Finding]:
        """Yield the columns that differ, log by log; several logs are looked at at once."""
        nullable = self._segments.nullable()
        with ThreadPoolExecutor(max_workers=threads) as pool:
            waiting = [pool.submit(self._log, log, nullable, advance) for log in logs]
            try:
                for future in waiting:
                    yield from future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _log(self, log: PublishedLog, nullable: frozenset[str], advance: Advance) -> list[Finding]:
        recorder = self._new_recorder()
        topic, partition, epoch = log.log_id.split("/")
        log_id = LogId(topic, int(partition), epoch)
        found: list[Finding] = []
        for each in segment_rows(self._reader, {log.log_id: 0})[log.log_id]:
            found += self._segment(log.origin, log_id, each, recorder, nullable)
            advance(each.rows)
        return found

    def _segment(
        self, origin: str, log: LogId, told: SegmentRows, recorder: Recorder, nullable: frozenset[str]
    ) -> Iterator[Finding]:
        span = told.first_index, told.last_index
        try:
            recorded = self._segments.read(log, told.segment_id, told.first_index)
        except ValueError:  # its id names no offsets
            recorded = None
        if recorded is None or recorded.rows.height != told.last_index - told.first_index + 1:
            yield Finding(origin, "segment", "a whole segment", f"{told.segment_id} is not one", *span)
            return
        try:
            made = recorder.build(recorded.segment, recorded.refused).frame
        except RetryableError:
            raise
        except (RejectError, pl.exceptions.PolarsError, ValueError) as error:
            yield Finding(origin, "segment", "rows that can be made again", f"{error}"[:_MOST_SHOWN], *span)
            return
        yield from differing(origin, made, recorded, nullable)


def differing(
    origin: str, made: pl.DataFrame, recorded: RecordedSegment, nullable: frozenset[str]
) -> Iterator[Finding]:
    """Yield each value that is not what a recorder makes.

    Args:
        origin: The log.
        made: What it makes.
        recorded: What is recorded.
        nullable: Columns that can be NULL; the others have their type's default for nothing.
    """
    rows = recorded.rows
    first = int(rows["leaf_index"][0])
    for name in TABLE_SCHEMA:
        expected = _expected(name, made, rows, is_nullable=name in nullable)
        found = rows.get_column(name)
        if expected.dtype == found.dtype and expected.equals(found, null_equal=True):
            continue
        pairs = zip(_comparable(name, expected), _comparable(name, found), strict=True)
        for position, (wanted, seen) in enumerate(pairs):
            if wanted == seen or (position in recorded.by_header and name in _ABOUT_REJECTIONS):
                continue
            yield Finding(origin, name, _shown(wanted), _shown(seen), first + position)


def _expected(name: str, made: pl.DataFrame, rows: pl.DataFrame, *, is_nullable: bool) -> pl.Series:
    dtype = TABLE_SCHEMA[name]
    series = made[name] if name in made.columns else pl.Series(name, [None] * rows.height, dtype=dtype)
    if series.dtype != dtype:
        series = series.cast(dtype)
    if is_nullable or not series.null_count():
        return series
    if name == "event_time":  # the table's default
        stamps = rows.get_column("kafka_timestamp").cast(pl.Datetime("us", "UTC"))
        return pl.select(pl.coalesce(series, stamps).alias(name)).to_series()
    default = _default(dtype)
    if isinstance(default, list | dict):
        values = [default if value is None else value for value in series.to_list()]
        return pl.Series(name, values, dtype=dtype)
    return series.fill_null(default) if not isinstance(dtype, pl.Datetime) else _epoch_for_null(series)


def _epoch_for_null(series: pl.Series) -> pl.Series:
    return series.to_physical().fill_null(0).cast(series.dtype)


def _default(dtype: object) -> object:
    match dtype:
        case pl.String():
            return ""
        case pl.Binary():
            return b""
        case pl.List():
            return []
        case pl.Map():
            return {}
        case pl.Boolean():
            return False
        case _:
            return 0


def _comparable(name: str, series: pl.Series) -> list[object]:
    """Return values that are equal when the store took them for equal."""
    values: list[object] = series.to_list()
    return [_plain(name, value) for value in values]


def _plain(name: str, value: object) -> object:
    if isinstance(value, dict):  # of a map the store keeps no order that counts
        return {key: _plain(name, each) for key, each in sorted(value.items())}
    if isinstance(value, list):
        if value and all(isinstance(each, dict) and set(each) == {"key", "value"} for each in value):
            return {each["key"]: _plain(name, each["value"]) for each in value}
        return [_plain(name, each) for each in value]
    if name == "sealed" and isinstance(value, bytes):
        return value.hex().upper()
    return value


def _shown(value: object) -> str:
    text = value.hex() if isinstance(value, bytes) else "" if value is None else str(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
