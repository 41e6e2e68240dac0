"""Counts a day's events for a completeness statement: from their sources' numbers to what a query finds.

The day is the broker's: the time that Kafka gave a record, which is in its leaf. A number that is missing on
a day is looked for on every other day before it is called missing: events may cross midnight between
partitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from auditstream.core.errors import RequestError
from auditstream.ledger.checkpoints import Checkpoint
from auditstream.ledger.completeness import (
    Completeness,
    Counted,
    Missing,
    Numbered,
    OfLog,
    RestsOn,
    State,
    Unnumbered,
)
from auditstream.ledger.merkle import EMPTY_ROOT
from auditstream.query.reader import Reader

MOST_RANGES = 100
"""Missing ranges of one instance that are named one by one."""

# A leaf is sealed when its index is below the size of its log's checkpoint.
_SEALED = "leaf_index < transform(toString(log_id), {logs:Array(String)}, {sizes:Array(UInt64)}, toUInt64(0))"
_FIRST_DAY = date(1970, 1, 1)
_DAY = "toDate(kafka_timestamp) = {day:Date} AND ingest_day >= {day:Date}"
_OF_SOURCE = "({source:String} = '' OR source = {source:String})"
_FIRST_OF_EVENT = "leaf_kind = 0 AND duplicate_of IS NULL"

_LOGS = f"""
SELECT toString(log_id) AS log, count() AS leaves, countIf(leaf_kind = 1) AS rejected,
    countIf(NOT ({_SEALED})) AS unsealed
FROM events WHERE {_DAY} GROUP BY log ORDER BY log"""  # noqa: S608  built from constants
_LOST = f"""
SELECT toString(log_id) AS log, sum(toInt64OrZero(splitByChar('\\n', raw)[4]) - kafka_offset + 1) AS offsets
FROM events WHERE {_DAY} AND leaf_kind = 2 GROUP BY log ORDER BY log"""  # noqa: S608
# What a source numbered on the day, and the last number of its days before; none follows the last of 64 bits.
_RANGES = f"""
SELECT d.source, d.source_instance, ifNull(toInt128(b.last) + 1, d.first) AS first, d.last AS last
FROM (
    SELECT source, source_instance, assumeNotNull(min(source_seq)) AS first,
        assumeNotNull(max(source_seq)) AS last
    FROM events WHERE {_DAY} AND {_OF_SOURCE} AND {_FIRST_OF_EVENT} AND source_seq IS NOT NULL
    GROUP BY source, source_instance
) AS d
LEFT JOIN (
    SELECT source, source_instance, toNullable(assumeNotNull(max(source_seq))) AS last FROM events
    WHERE toDate(kafka_timestamp) < {{day:Date}} AND {_OF_SOURCE} AND {_FIRST_OF_EVENT}
        AND source_seq IS NOT NULL
    GROUP BY source, source_instance
) AS b ON d.source = b.source AND d.source_instance = b.source_instance
WHERE first <= last ORDER BY d.source, d.source_instance"""  # noqa: S608
_NUMBERED = f"""
SELECT source, source_instance, uniqExact(source_seq) AS recorded,
    uniqExactIf(source_seq, {_SEALED}) AS sealed, uniqExact(event_id) AS events
FROM THE_TABLE WHERE {_FIRST_OF_EVENT} AND {_OF_SOURCE} AND source_seq IS NOT NULL AND arrayExists(
    (s, i, lo, hi) -> s = source AND i = source_instance AND source_seq BETWEEN lo AND hi,
    {{sources:Array(String)}}, {{instances:Array(String)}}, {{firsts:Array(Int64)}},
    {{lasts:Array(Int64)}})
GROUP BY source, source_instance"""  # noqa: S608
_UNNUMBERED = f"""
SELECT source, source_instance, count() AS recorded, countIf({_SEALED}) AS sealed
FROM THE_TABLE WHERE {_DAY} AND {_OF_SOURCE} AND {_FIRST_OF_EVENT} AND source_seq IS NULL
GROUP BY source, source_instance ORDER BY source, source_instance"""  # noqa: S608
# The gaps between the numbers that are there, the range's own ends included.
_GAPS = f"""
SELECT before + 1 AS first, number - 1 AS last FROM (
    SELECT number, lagInFrame(number, 1, toInt128({{first:Int64}}) - 1) OVER (
        ORDER BY number ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
    FROM (
        SELECT DISTINCT toInt128(assumeNotNull(source_seq)) AS number FROM events
        WHERE {_FIRST_OF_EVENT} AND source = {{source:String}} AND source_instance = {{instance:String}}
            AND source_seq BETWEEN {{first:Int64}} AND {{last:Int64}}
        UNION DISTINCT SELECT toInt128({{last:Int64}}) + 1
    )
) WHERE number > before + 1 ORDER BY first"""  # noqa: S608

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """What a statement is asked about.

    Attributes:
        deployment: `<host>/<deployment>`.
        day: The day (UTC).
        now: When it is asked (UTC).
        source: One source alone; empty for all.
        behind: Records in Kafka that may be of the day and are not recorded yet; None when nobody can tell.
    """

    deployment: str
    day: date
    now: datetime
    source: str = ""
    behind: int | None = None

    def __post_init__(self) -> None:
        """Refuse a day that cannot be.

        Raises:
            RequestError: The store knows no such day.
        """
        require_day(self.day)


def require_day(day: date) -> None:
    """Return when records can be of a day.

    Raises:
        RequestError: It is before the first that the store knows.
    """
    if day < _FIRST_DAY:
        raise RequestError(f"day: {day} is before {_FIRST_DAY}, the first that there can be", field="day")


def completeness(reader: Reader, question: Question, checkpoints: Mapping[str, Checkpoint]) -> Completeness:
    """Return the statement of a day; nothing is signed.

    A day is closed when it is over, all of it is sealed, and Kafka holds nothing of it unrecorded; else
    it is open, and a later statement may say more.

    Args:
        reader: Asks the store.
        question: What about.
        checkpoints: The published checkpoint of each log that has one, by log id.

    Raises:
        RetryableError: The store does not answer.
        CompletenessError: What it answers contradicts itself: rows changed meanwhile; ask again.
    """
    return _Count(reader, question, checkpoints).statement()


class _Count:
    def __init__(self, reader: Reader, question: Question, checkpoints: Mapping[str, Checkpoint]) -> None:
        self._reader = reader
        self._question = question
        self._checkpoints = checkpoints
        self._parameters: dict[str, object] = {
            "day": question.day.isoformat(),
            "source": question.source,
            "logs": list(checkpoints),
            "sizes": [checkpoint.size for checkpoint in checkpoints.values()],
        }

    def statement(self) -> Completeness:
        logs = self._ask(_LOGS)
        numbered, reused = self._numbered()
        missing, more = self._missing(numbered)
        whole = not self._question.source
        rejected = tuple(OfLog(log, count) for log, _, count, _ in logs if count)
        unsealed = tuple(OfLog(log, count) for log, _, _, count in logs if count)
        return Completeness(
            deployment=self._question.deployment,
            day=self._question.day,
            time_s=int(self._question.now.timestamp()),
            scope=self._question.source,
            state=self._state(unsealed),
            logs=tuple(self._rests_on(log, leaves) for log, leaves, _, _ in logs),
            numbered=numbered,
            missing=missing,
            more_missing=more,
            reused=reused,
            unnumbered=tuple(self._unnumbered()),
            # Of whom a dead letter is, nobody knows; one source's own numbers say what it lacks.
            rejected=rejected if whole else (),
            lost=tuple(OfLog(log, offsets) for log, offsets in self._ask(_LOST)) if whole else (),
            unsealed=unsealed if whole else (),
        )

    def _state(self, unsealed: tuple[OfLog, ...]) -> State:
        is_over = self._question.now.date() > self._question.day
        return "closed" if is_over and not unsealed and self._question.behind == 0 else "open"

    def _rests_on(self, log: str, leaves: int) -> RestsOn:
        origin = f"{self._question.deployment}/{log}"
        checkpoint = self._checkpoints.get(log)
        if checkpoint is None:
            return RestsOn(origin, 0, EMPTY_ROOT, leaves)
        return RestsOn(origin, checkpoint.size, checkpoint.root, leaves)

    def _numbered(self) -> tuple[tuple[Numbered, ...], tuple[Counted, ...]]:
        ranges: dict[Key, tuple[int, int]] = {
            (source, instance): (first, last) for source, instance, first, last in self._ask(_RANGES)
        }
        if not ranges:
            return (), ()
        within = {
            "sources": [source for source, _ in ranges],
            "instances": [instance for _, instance in ranges],
            "firsts": [first for first, _ in ranges.values()],
            "lasts": [last for _, last in ranges.values()],
        }
        recorded = self._by_key(_NUMBERED.replace("THE_TABLE", "events"), within)
        queryable = self._by_key(_NUMBERED.replace("THE_TABLE", "events_current"), within)
        numbered = []
        for key, (first, last) in ranges.items():
            there, sealed, _ = recorded.get(key, (0, 0, 0))
            found = queryable.get(key, (0, 0, 0))[0]
            numbered.append(Numbered(*key, first, last, there, sealed, found))
        reused = (Counted(*key, events - numbers) for key, (numbers, _, events) in recorded.items())
        return tuple(numbered), tuple(each for each in reused if each.count)

    def _missing(self, numbered: tuple[Numbered, ...]) -> tuple[tuple[Missing, ...], tuple[Counted, ...]]:
        missing: list[Missing] = []
        more: list[Counted] = []
        for each in numbered:
            if each.recorded == each.produced:
                continue
            key = {"source": each.source, "instance": each.instance, "first": each.first, "last": each.last}
            gaps = [Missing(each.source, each.instance, *gap) for gap in self._ask(_GAPS, key)]
            missing += gaps[:MOST_RANGES]
            rest = sum(gap.last - gap.first + 1 for gap in gaps[MOST_RANGES:])
            if rest:
                more.append(Counted(each.source, each.instance, rest))
        return tuple(missing), tuple(more)

    def _unnumbered(self) -> Iterator[Unnumbered]:
        queryable = self._by_key(_UNNUMBERED.replace("THE_TABLE", "events_current"))
        for key, (recorded, sealed) in self._by_key(_UNNUMBERED.replace("THE_TABLE", "events")).items():
            yield Unnumbered(*key, recorded, sealed, queryable.get(key, (0, 0))[0])

    def _by_key(self, sql: str, more: Mapping[str, object] | None = None) -> dict[Key, tuple[Any, ...]]:
        return {(source, instance): tuple(rest) for source, instance, *rest in self._ask(sql, more)}

    def _ask(self, sql: str, more: Mapping[str, object] | None = None) -> tuple[tuple[Any, ...], ...]:
        return self._reader.table(sql, {**self._parameters, **(more or {})}, doing="count of a day").rows
