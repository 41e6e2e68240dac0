"""Compares what was sent with the store: counts, indexes, repeats, dead letters, rollups, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from auditstream.demo.day import Tally
from auditstream.reference.fact import UNATTRIBUTED


class Ask(Protocol):
    """Runs a SELECT with parameters and returns its rows."""

    def __call__(self, sql: str, parameters: Mapping[str, Any] = ..., /) -> Sequence[Sequence[Any]]:
        """Return the rows.

        Raises:
            RetryableError: The store does not answer.
        """
        ...


# The rows of the messages that were sent, and of no others: since the beginning, of the day's sources; what
# is no event has no source.
_OURS = """
log_id IN {logs:Array(String)} AND arrayExists(
    (log, start) -> log = log_id AND kafka_offset >= start, {logs:Array(String)}, {starts:Array(Int64)})
AND (source IN {sources:Array(String)} OR leaf_kind = 1)"""
_RECORDED = f"SELECT uniqExact(log_id, kafka_offset) FROM events WHERE {_OURS}"  # noqa: S608  constants of this file
_UNDER = f"""{_RECORDED}
    AND arrayExists(
        (log, size) -> log = log_id AND leaf_index < size, {{logs:Array(String)}}, {{sizes:Array(UInt64)}})"""
_COUNTS = f"""
SELECT
    uniqExact(log_id, kafka_offset),
    count(),
    countIf(leaf_kind = 0 AND duplicate_of IS NOT NULL),
    countIf(leaf_kind = 1),
    countIf(cost_status = 'unpriced' AND duplicate_of IS NULL),
    toString(sumIf(ifNull(cost_billed, toDecimal128(0, 12)), duplicate_of IS NULL)),
    uniqExactIf(tenant_id, leaf_kind = 0 AND tenant_id != 'unattributed'),
    countIf(leaf_kind = 0 AND duplicate_of IS NULL AND tenant_id = 'unattributed'),
    sumIf(ifNull(input_tokens, 0), duplicate_of IS NULL),
    sumIf(ifNull(output_tokens, 0), duplicate_of IS NULL),
    sumMapIf(map(toString(tenant_id), 1), leaf_kind = 0 AND duplicate_of IS NULL)
FROM events
WHERE {_OURS}"""  # noqa: S608
# Of whole logs, because density is a property of a log.
_HOLES = """
SELECT log_id, count(), min(leaf_index), max(leaf_index), uniqExact(leaf_index) FROM events
WHERE log_id IN {logs:Array(String)} GROUP BY log_id
HAVING count() != max(leaf_index) + 1 OR uniqExact(leaf_index) != count()"""
# Over everything that the store holds: what a rollup says, and what the events say.
_BY_MINUTE = (
    """
SELECT tenant_id, event_type, minute, sum(events), sum(input_tokens), sum(output_tokens),
    toString(sum(cost_billed))
FROM usage_1m GROUP BY tenant_id, event_type, minute""",
    """
SELECT tenant_id, event_type, toStartOfMinute(event_time) AS minute, count(), sum(ifNull(e.input_tokens, 0)),
    sum(ifNull(e.output_tokens, 0)), toString(sum(ifNull(e.cost_billed, toDecimal128(0, 12))))
FROM events AS e WHERE leaf_kind = 0 AND duplicate_of IS NULL GROUP BY tenant_id, event_type, minute""",
)
_BY_HOUR = (
    """
SELECT tenant_id, event_type, hour, sum(events), sum(input_tokens), sum(output_tokens),
    toString(sum(cost_billed))
FROM usage_1h GROUP BY tenant_id, event_type, hour""",
    """
SELECT tenant_id, event_type, toStartOfHour(event_time) AS hour, count(), sum(ifNull(e.input_tokens, 0)),
    sum(ifNull(e.output_tokens, 0)), toString(sum(ifNull(e.cost_billed, toDecimal128(0, 12))))
FROM events AS e WHERE leaf_kind = 0 AND duplicate_of IS NULL GROUP BY tenant_id, event_type, hour""",
)
_ROLLUPS = {"usage_1m": _BY_MINUTE, "usage_1h": _BY_HOUR}


@dataclass(slots=True)
class Sent:
    """What was sent.

    Attributes:
        starts: Where each partition ended before; nobody else is assumed to write for the same sources since.
        sources: Who sends.
        messages: How much of it was acknowledged.
    """

    starts: Mapping[int, int]
    sources: Sequence[str]
    messages: int = 0


@dataclass(slots=True)
class Findings:
    """What an inspection found.

    Attributes:
        produced: Messages that Kafka acknowledged.
        recorded: Rows for them; each message counts once.
        duplicates: Rows marked as repeats.
        dead_letters: Rows that are no events.
        unpriced: Events without a price.
        cost_total: Sum of what is billed for them, repeats left out.
        tenants: Number of tenants.
        unattributed: Events whose tenant could not be established.
        dense: Whether the indexes of every log run from 0 without a hole or a repeat.
        differences: What is not as it should be, in words; empty when all holds.
    """

    produced: int = 0
    recorded: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    unpriced: int = 0
    cost_total: Decimal = Decimal(0)
    tenants: int = 0
    unattributed: int = 0
    dense: bool = False
    differences: list[str] = field(default_factory=list)


class Inspection:
    """Asks one store about one day's messages.

    Args:
        ask: Reaches the store.
        topic: Where they were sent to.
        epoch: Epoch of the topic's logs.
        sent: What was acknowledged.
    """

    def __init__(self, ask: Ask, topic: str, epoch: str, sent: Sent) -> None:
        self._ask = ask
        self._topic = topic
        self._epoch = epoch
        self._sent = sent

    def recorded(self) -> int:
        """Return how many of the messages have a row."""
        return int(self._ask(_RECORDED, self._ours)[0][0])

    @property
    def logs(self) -> list[str]:
        """Logs that the messages are in."""
        return self._ours["logs"]

    def below(self, sizes: Mapping[str, int]) -> int:
        """Return how many of the messages have a row below a size of their log.

        Args:
            sizes: By log; one that is not named has size 0.
        """
        ours = self._ours
        given = ours | {"sizes": [sizes.get(log, 0) for log in ours["logs"]]}
        return int(self._ask(_UNDER, given)[0][0])

    def findings(self, tally: Tally) -> Findings:
        """Compare everything once."""
        found = self._counts(tally)
        self._compare(found, tally)
        found.dense = not self._holes(found)
        self._compare_rollups(found)
        return found

    def _counts(self, tally: Tally) -> Findings:
        row = self._ask(_COUNTS, self._ours)[0]
        recorded, rows, duplicates, dead, unpriced, cost, tenants, nobodys, read, written, by = row
        found = Findings(
            produced=self._sent.messages,
            recorded=recorded,
            duplicates=duplicates,
            dead_letters=dead,
            unpriced=unpriced,
            cost_total=Decimal(cost),
            tenants=tenants,
            unattributed=nobodys,
        )
        _differ(found, "rows", recorded, rows)
        _differ(found, "input tokens", tally.input_tokens, read)
        _differ(found, "output tokens", tally.output_tokens, written)
        expected = {tenant or UNATTRIBUTED: count for tenant, count in tally.by_tenant.items()}
        _differ(found, "events by tenant", sorted(expected.items()), sorted(by.items()))
        return found

    def _compare(self, found: Findings, tally: Tally) -> None:
        _differ(found, "messages", tally.messages, found.produced)
        _differ(found, "recorded", found.produced, found.recorded)
        _differ(found, "duplicates", tally.duplicates, found.duplicates)
        _differ(found, "dead letters", tally.dead_letters, found.dead_letters)
        _differ(found, "unpriced", tally.unpriced, found.unpriced)
        if not found.cost_total:
            found.differences.append("cost: 0, expected more")

    def _holes(self, found: Findings) -> list[str]:
        holes = [
            f"log {log}: {rows} rows with {distinct} indexes from {first} to {last}"
            for log, rows, first, last, distinct in self._ask(_HOLES, self._ours)
        ]
        found.differences += holes
        return holes

    def _compare_rollups(self, found: Findings) -> None:
        """Compare the rollups with the events, over everything that the store holds."""
        for table, (stored_sql, counted_sql) in _ROLLUPS.items():
            stored, counted = self._by_key(stored_sql), self._by_key(counted_sql)
            wrong = [key for key in {*stored, *counted} if stored.get(key) != counted.get(key)]
            if wrong:
                key = min(wrong)
                found.differences.append(
                    f"{table}: {len(wrong)} rows differ from the events, as {'/'.join(key)}:"
                    f" {stored.get(key)}, events say {counted.get(key)}"
                )

    def _by_key(self, sql: str) -> Mapping[tuple[str, ...], tuple[Any, ...]]:
        return {tuple(map(str, row[:3])): tuple(row[3:]) for row in self._ask(sql)}

    @property
    def _ours(self) -> dict[str, list[Any]]:
        starts = sorted(self._sent.starts.items())
        return {
            "logs": [f"{self._topic}/{partition}/{self._epoch}" for partition, _ in starts],
            "starts": [start for _, start in starts],
            "sources": list(self._sent.sources),
        }


def _differ(found: Findings, what: str, expected: object, seen: object) -> None:
    if expected != seen:
        found.differences.append(f"{what}: {seen}, expected {expected}")
