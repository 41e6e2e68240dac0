"""The views that feed other tables from `events`: which of them lack a segment, and how they are given it.

An insert reaches the table and then each view. One that was cut off in between is healed by its replay, as
long as the token is remembered. Later, these questions tell what is missing, and `rebuild` adds just that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from auditstream.core.errors import NotFoundError, StoreBusyError

_FEEDS = """
SELECT v.as_select, t.name, t.sorting_key, t.partition_key
FROM system.tables AS v INNER JOIN system.tables AS t
    ON t.database = v.database AND v.name = concat(t.name, '_feed')
WHERE v.database = currentDatabase() AND v.engine = 'MaterializedView'
ORDER BY t.name"""
_COLUMNS = """
SELECT name, type FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} ORDER BY position"""
_NUMBER = re.compile(r"(?:SimpleAggregateFunction\(sum, )?(?:U?Int|Decimal)")
_DAY = """
SELECT ingest_day FROM events WHERE log_id = {log:String} AND segment_id = {segment:String} LIMIT 1"""
_TIMES = """
SELECT min(event_time), max(event_time) FROM events
WHERE ingest_day = {day:Date} AND segment_id = {segment:String}"""
_SEGMENT = "ingest_day = {day:Date} AND segment_id = {segment:String}"
# Everything that a feed may have put under the same keys: they hold hours at most, and the month of ingest.
_AROUND = """
event_time >= toStartOfHour({first:DateTime64(6, 'UTC')})
AND event_time < toStartOfHour({last:DateTime64(6, 'UTC')}) + INTERVAL 1 HOUR
AND toStartOfMonth(ingest_day) = toStartOfMonth({day:Date})"""
_OWN = "SELECT {keys}, {sums} FROM ({own}) GROUP BY {keys}"
_DUE = "SELECT {keys}, {sums} FROM ({around}) WHERE ({keys}) IN (SELECT {keys} FROM ({own})) GROUP BY {keys}"
_COUNTED = (
    "SELECT {keys}, {sums} FROM {target} WHERE ({keys}) IN (SELECT {keys} FROM ({own})) GROUP BY {keys}"
)
_ADD = "INSERT INTO {target} ({columns}) SELECT {columns} FROM ({own})"
_FROM_SOME = "FROM (SELECT * FROM events WHERE {condition}) AS {alias}"
_FROM_EVENTS = re.compile(r"\bFROM\s+(?:\w+\.)?events(?:\s+AS\s+(\w+))?")


@dataclass(frozen=True, slots=True)
class Feed:
    """A view that feeds a table.

    Attributes:
        target: The table that it feeds.
        keys: Columns of the table's key, its partition's included.
        measures: Columns of the table that are numbers to be summed.
    """

    target: str
    select: str
    keys: tuple[str, ...]
    measures: tuple[str, ...]

    def over(self, condition: str) -> str:
        """Return the feed's query over those rows of `events` that a condition admits."""
        return _FROM_EVENTS.sub(
            lambda found: _FROM_SOME.format(condition=condition, alias=found[1] or "events"), self.select
        )


def feeds_lacking(client: Client, segment_id: str) -> list[Feed]:
    """Return the feeds whose tables lack a segment that `events` has.

    A table lacks it when under each of the segment's keys its sums fall short of those over `events` by
    exactly the segment's own. Two segments with the same sums cannot be told apart, and need not be: what is
    added for the one is what the other lacks.

    Raises:
        NotFoundError: `events` does not have it.
        StoreBusyError: A table differs by something else; inserts under way do that for a moment.
    """
    return _lacking(client, segment_id, _place_of(client, segment_id))


def rebuild(client: Client, segment_id: str) -> list[str]:
    """Add a segment to every fed table that lacks it; return their names.

    Done again, it finds nothing to do, as each addition is counted; the token covers a doubtful answer.

    Raises:
        NotFoundError: `events` does not have the segment.
        StoreBusyError: Inserts under way make it unclear what is missing.
    """
    where = _place_of(client, segment_id)
    lacking = _lacking(client, segment_id, where)
    for feed in lacking:
        written = client.query(_COLUMNS, {"table": f"{feed.target}_feed"}).result_rows
        columns = ", ".join(name for name, _ in written)
        client.command(
            _ADD.format(target=feed.target, columns=columns, own=feed.over(_SEGMENT)),
            parameters=where,
            settings={"insert_deduplication_token": f"rebuild/{segment_id}"},
        )
    return [feed.target for feed in lacking]


def _place_of(client: Client, segment_id: str) -> dict[str, Any]:
    log = segment_id.rpartition("/")[0]
    days = client.query(_DAY, {"log": log, "segment": segment_id}).result_rows
    if not days:
        raise NotFoundError(f"segment {segment_id} is not in table events")
    where = {"segment": segment_id, "day": days[0][0]}
    first, last = client.query(_TIMES, where).result_rows[0]
    return {**where, "first": _text(first), "last": _text(last)}


def _lacking(client: Client, segment_id: str, where: dict[str, Any]) -> list[Feed]:
    return [feed for feed in _feeds(client) if _is_lacking(client, feed, segment_id, where)]


def _feeds(client: Client) -> list[Feed]:
    feeds = []
    for select, target, sorting_key, partition_key in client.query(_FEEDS).result_rows:
        keys = tuple(filter(None, (*sorting_key.split(", "), partition_key)))
        columns = client.query(_COLUMNS, {"table": target}).result_rows
        measures = tuple(name for name, kind in columns if name not in keys and _NUMBER.match(kind))
        feeds.append(Feed(target, select, keys, measures))
    return feeds


def _is_lacking(client: Client, feed: Feed, segment_id: str, where: dict[str, Any]) -> bool:
    parts = {
        "own": feed.over(_SEGMENT),
        "around": feed.over(_AROUND),
        "target": feed.target,
        "keys": ", ".join(feed.keys),
        "sums": ", ".join(f"sum({name})" for name in feed.measures),
    }

    def sums(question: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        rows = client.query(question.format(**parts), where).result_rows
        return {tuple(row[: len(feed.keys)]): tuple(row[len(feed.keys) :]) for row in rows}

    due, counted = sums(_DUE), sums(_COUNTED)
    if counted == due:
        return False
    own = sums(_OWN)
    nothing = (0,) * len(feed.measures)
    if all(_minus(due[key], counted.get(key, nothing)) == own[key] for key in due):
        return True
    raise StoreBusyError(
        f"{segment_id}: {feed.target} differs from table events by something else than this segment",
        hint="Inserts under way make a difference for a moment; when it stays, other segments are missing.",
    )


def _minus(these: tuple[Any, ...], those: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(this - that for this, that in zip(these, those, strict=True))


def _text(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%d %H:%M:%S.%f"))
