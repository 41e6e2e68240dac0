"""Compares a journal of acknowledged events with what the store holds, and says what is lost or doubled."""

from __future__ import annotations

import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from tests.support.journal import Place
from tests.support.patience import patient

_POLL_S = 0.25  # between two counts while waiting, each two queries over all rows
_SHOWN = 5  # examples of each complaint in a report
_RANGE = re.compile(r"(\d+)-(\d+)$")

COUNTED = "leaf_kind = 0 AND duplicate_of IS NULL"
"""Which rows of `events` stand for an event, and not for its repetition or a dead letter."""

Ask = Callable[[str], Sequence[Sequence[Any]]]
"""Runs one SELECT and returns its rows."""


class Book(Protocol):
    """What must be in the store; a stopped `Journal` is one."""

    @property
    def topic(self) -> str:
        """Topic that the events were produced to."""
        ...

    @property
    def acknowledgements(self) -> int:
        """How many records were acknowledged."""
        ...

    @property
    def acknowledged(self) -> Mapping[uuid.UUID, Sequence[Place]]:
        """Where each acknowledged event is, once for each time that it was sent."""
        ...

    @property
    def uncertain(self) -> set[uuid.UUID]:
        """Events that may be in the topic or not."""
        ...


class Client(Protocol):
    """The part of a clickhouse-connect client that the checker uses."""

    def query(self, query: str) -> Any:
        """Run one SELECT."""
        ...


def ask_through(client: Client) -> Ask:
    """Return an `Ask` over a clickhouse-connect client, HTTP or chDB."""

    def ask(sql: str) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = client.query(sql).result_rows
        return rows

    return ask


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table that a materialized view fills, and the recount of `events` that it must equal.

    Both statements return rows of (key columns …, count); `{where}` in them stands for the topic's filter.
    """

    name: str
    stored: str
    recounted: str


@dataclass(slots=True)
class Verdict:
    """What a check found; every list is empty when the promise holds.

    Attributes:
        acknowledged: Records that Kafka acknowledged.
        rows: Rows of the topic in the store.
        lost: Acknowledged events of which a record has no row.
        doubled: Events with several rows that count, or records with several rows.
        extra: Events that were never produced.
        misplaced: Rows whose event was acknowledged at another place.
        wrong_marks: Rows whose `duplicate_of` is not the index of the event's first row in the log.
        not_dense: Logs whose leaf indexes are not 0, 1, 2, … in offset order.
        torn_segments: Segments whose rows are not their planned range in one table partition.
        wrong_rollups: Rollup keys whose count differs from the recount.
    """

    acknowledged: int = 0
    rows: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    wrong_marks: list[str] = field(default_factory=list)
    not_dense: list[str] = field(default_factory=list)
    torn_segments: list[str] = field(default_factory=list)
    wrong_rollups: list[str] = field(default_factory=list)

    @property
    def complaints(self) -> dict[str, list[str]]:
        """The lists that are not empty, by name."""
        names = (
            "lost",
            "doubled",
            "extra",
            "misplaced",
            "wrong_marks",
            "not_dense",
            "torn_segments",
            "wrong_rollups",
        )
        return {name: found for name in names if (found := getattr(self, name))}

    @property
    def holds(self) -> bool:
        """Whether every acknowledged event is in the store exactly once, densely, and in every rollup."""
        return not self.complaints

    def __str__(self) -> str:
        lines = [f"{self.acknowledged} records acknowledged, {self.rows} rows"]
        for name, found in self.complaints.items():
            lines.append(f"{name}: {len(found)}")
            lines += [f"  {item}" for item in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"  and {len(found) - _SHOWN} more")
        return "\n".join(lines)


class _Row(NamedTuple):
    event_id: str
    place: Place
    leaf_index: int
    duplicate_of: int | None


@dataclass(frozen=True, slots=True)
class Checker:
    """Asks one table about one journal's topic.

    Attributes:
        journal: What was acknowledged; stop it before `check`.
        ask: How to reach the store; not through a proxy with faults.
        table: The table of rows.
        rollups: What else must agree with it.
        has_gaps: Whether the topic has offsets without a record (transactions), so that a segment may hold
            fewer rows than offsets.
    """

    journal: Book
    ask: Ask
    table: str = "events"
    rollups: Sequence[Rollup] = ()
    has_gaps: bool = False

    def wait(self, *, within_s: float, stall_s: float) -> bool:
        """Wait until every acknowledged record has a row; False when `within_s` or `stall_s` has passed.

        Distinct places are counted, so that doubled rows cannot make up for missing ones, and the last
        acknowledged place of each partition must be there, so that records without an acknowledgement,
        which may be in the topic, too, cannot.

        Args:
            within_s: Bound on the whole wait.
            stall_s: Give up when no row arrives for so long.
        """
        deadline_s, stall_s = time.monotonic() + patient(within_s), patient(stall_s)
        seen, moved_s = -1, time.monotonic()
        while (count := self._recorded()) < self.journal.acknowledgements or not self._reaches_the_end():
            now_s = time.monotonic()
            if count != seen:
                seen, moved_s = count, now_s
            if now_s > deadline_s or now_s > moved_s + stall_s:
                return False
            time.sleep(_POLL_S)
        return True

    def _recorded(self) -> int:
        sql = f"SELECT uniqExact(kafka_partition, kafka_offset) FROM {self.table} WHERE {self._where}"
        return int(self.ask(sql)[0][0])

    def _reaches_the_end(self) -> bool:
        """Whether the last acknowledged place of every partition, hence all before it, has been recorded."""
        due: dict[int, int] = {}
        for places in self.journal.acknowledged.values():
            for partition, offset in places:
                due[partition] = max(offset, due.get(partition, -1))
        sql = f"SELECT kafka_partition, max(kafka_offset) FROM {self.table} WHERE {self._where} GROUP BY 1"
        reached = {int(partition): int(offset) for partition, offset in self.ask(sql)}
        return all(reached.get(partition, -1) >= offset for partition, offset in due.items())

    def check(self) -> Verdict:
        """Compare everything once; see `Verdict`."""
        verdict = Verdict(acknowledged=self.journal.acknowledgements)
        verdict.rows = int(self.ask(f"SELECT count() FROM {self.table} WHERE {self._where}")[0][0])
        self._compare_events(verdict)
        verdict.not_dense = self._find_holes()
        verdict.torn_segments = self._find_torn_segments()
        for rollup in self.rollups:
            verdict.wrong_rollups += self._compare_rollup(rollup)
        return verdict

    @property
    def _where(self) -> str:
        return f"kafka_topic = '{self.journal.topic}'"

    def _compare_events(self, verdict: Verdict) -> None:
        rows = self._rows()
        acknowledged = self.journal.acknowledged
        uncertain = {str(event_id) for event_id in self.journal.uncertain}
        counted = Counter({row.event_id: 0 for row in rows})
        counted.update(row.event_id for row in rows if row.duplicate_of is None)
        places: dict[Place, str] = {}
        for row in rows:
            if row.place in places:
                verdict.doubled.append(f"{_at(row.place)} has rows of {places[row.place]} and {row.event_id}")
            places[row.place] = row.event_id
        verdict.lost = _find_lost(acknowledged, places, counted)
        verdict.doubled += [f"{event_id} counts {n} times" for event_id, n in counted.items() if n > 1]
        known = {str(event_id) for event_id in acknowledged} | uncertain
        verdict.extra = [event_id for event_id in counted if event_id not in known]
        verdict.misplaced = _find_misplaced(acknowledged, places, uncertain)
        verdict.wrong_marks = _find_wrong_marks(rows)

    def _rows(self) -> list[_Row]:
        found = self.ask(
            "SELECT toString(event_id), kafka_partition, kafka_offset, leaf_index, duplicate_of"
            f" FROM {self.table} WHERE {self._where} AND leaf_kind = 0"
        )
        return [_Row(event_id, (partition, offset), *rest) for event_id, partition, offset, *rest in found]

    def _find_holes(self) -> list[str]:
        numbered = (
            "SELECT toString(log_id) AS log, kafka_offset, leaf_index,"
            " row_number() OVER (PARTITION BY log_id ORDER BY kafka_offset, leaf_index) - 1 AS expected"
            f" FROM {self.table} WHERE {self._where}"
        )
        rows = self.ask(
            f"SELECT log, kafka_offset, leaf_index, expected FROM ({numbered})"
            " WHERE leaf_index != expected ORDER BY log, kafka_offset LIMIT 1 BY log"
        )
        return [
            f"log {log}: offset {offset} has index {index}, not {expected}"
            for log, offset, index, expected in rows
        ]

    def _find_torn_segments(self) -> list[str]:
        rows = self.ask(
            "SELECT toString(segment_id), count(), min(kafka_offset), max(kafka_offset),"
            f" uniqExact(_partition_id) FROM {self.table} WHERE {self._where} GROUP BY segment_id"
        )
        return [complaint for row in rows if (complaint := self._judge_segment(*row))]

    def _judge_segment(self, segment: str, count: int, first: int, last: int, table_partitions: int) -> str:
        planned = _RANGE.search(segment)
        if planned is None:
            return f"{segment}: names no range"
        lo, hi = int(planned[1]), int(planned[2])
        inside = lo <= first and last <= hi
        whole = count == hi - lo + 1 or (self.has_gaps and 0 < count <= hi - lo + 1)
        if inside and whole and table_partitions == 1:
            return ""
        return f"{segment}: {count} rows at offsets {first}-{last} in {table_partitions} table partitions"

    def _compare_rollup(self, rollup: Rollup) -> list[str]:
        stored, recounted = (
            {tuple(map(str, row[:-1])): int(row[-1]) for row in self.ask(sql.format(where=self._where))}
            for sql in (rollup.stored, rollup.recounted)
        )
        return [
            f"{rollup.name} {'/'.join(key)}: {stored.get(key, 0)} stored, {recounted.get(key, 0)} recounted"
            for key in sorted({*stored, *recounted})
            if stored.get(key, 0) != recounted.get(key, 0)
        ]


def _find_lost(
    acknowledged: Mapping[uuid.UUID, Sequence[Place]], places: Mapping[Place, str], counted: Counter[str]
) -> list[str]:
    lost = []
    for event_id, sent in acknowledged.items():
        absent = [place for place in sent if place not in places]
        if absent:
            lost.append(f"{event_id} at {', '.join(map(_at, absent))}")
        elif not counted[str(event_id)]:
            lost.append(f"{event_id} has rows, but none that counts")
    return lost


def _find_misplaced(
    acknowledged: Mapping[uuid.UUID, Sequence[Place]], places: Mapping[Place, str], uncertain: set[str]
) -> list[str]:
    sent = {place: str(event_id) for event_id, its_places in acknowledged.items() for place in its_places}
    return [
        f"{event_id} is stored at {_at(place)}, where {sent.get(place, 'nothing')} was acknowledged"
        for place, event_id in places.items()
        if sent.get(place) != event_id and event_id not in uncertain
    ]


def _find_wrong_marks(rows: Sequence[_Row]) -> list[str]:
    first: dict[tuple[str, int], int] = {}
    for row in sorted(rows, key=lambda row: row.leaf_index):
        first.setdefault((row.event_id, row.place[0]), row.leaf_index)
    wrong = []
    for row in rows:
        index = first[row.event_id, row.place[0]]
        due = None if row.leaf_index == index else index
        if row.duplicate_of != due:
            wrong.append(f"{row.event_id} at {_at(row.place)}: duplicate_of {row.duplicate_of}, not {due}")
    return wrong


def _at(place: Place) -> str:
    return f"{place[0]}:{place[1]}"
