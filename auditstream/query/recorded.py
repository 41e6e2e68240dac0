"""What has been recorded: by log, by reason of rejection, and how long ago."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the embedded ClickHouse imports this module for two statements
    from auditstream.query.reader import Reader

_LOGS = """
SELECT
    log_id, kafka_topic, kafka_partition, epoch, rows AS recorded, last_index + 1 AS next_index,
    last_index - first_index + 1 = rows AS dense, segments, dead_letters, gaps, duplicates, last_offset,
    last_timestamp, last_inserted_at,
    (toUnixTimestamp64Milli(now64(3)) - toUnixTimestamp64Milli(last_inserted_at)) / 1000 AS last_insert_age_s
FROM logs ORDER BY kafka_topic, kafka_partition, log_id"""
REASONS = """
SELECT reject_reason, count() AS leaves FROM events WHERE leaf_kind = 1
GROUP BY reject_reason ORDER BY leaves DESC, reject_reason"""
UNPRICED = "SELECT toUInt64(greatest(sum(unpriced_events), 0)) AS unpriced FROM costs_current"
_CHECKPOINTS = """
SELECT log_id, argMax(origin, (tree_size, signed_at)) AS origin, max(tree_size) AS signed_size,
    max(signed_at) AS last_signed_at,
    (toUnixTimestamp64Milli(now64(3)) - toUnixTimestamp64Milli(toDateTime64(last_signed_at, 3))) / 1000
        AS checkpoint_age_s
FROM checkpoints GROUP BY log_id ORDER BY log_id"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The state of the record.

    Attributes:
        logs: One entry a log: `log_id, kafka_topic, kafka_partition, epoch, recorded, next_index, dense,
            segments, dead_letters, gaps, duplicates, last_offset, last_timestamp, last_inserted_at,
            last_insert_age_s`.
        reasons: Dead letters by reason.
        unpriced: Events that need a price and have none.
        checkpoints: Newest checkpoint of each log: `log_id, origin, tree_size, signed_at,
            checkpoint_age_s`, by the store's clock.
    """

    logs: list[dict[str, Any]]
    reasons: dict[str, int]
    unpriced: int
    checkpoints: list[dict[str, Any]]

    def total(self, name: str) -> int:
        """Return a count of the logs, added up."""
        return sum(int(log[name]) for log in self.logs)

    @property
    def last_insert_age_s(self) -> float | None:
        """Seconds since the newest insert, by the store's clock; None before the first."""
        return min((float(log["last_insert_age_s"]) for log in self.logs), default=None)


def recorded(reader: Reader) -> Recorded:
    """Return what the store holds.

    Raises:
        StoreSchemaError: The tables are not there.
        RetryableError: No answer.
    """
    logs = reader.table(_LOGS, {}, doing="read of the logs").records()
    for log in logs:
        log["dense"] = bool(log["dense"])
    reasons = reader.table(REASONS, {}, doing="read of dead letters").rows if _any_dead(logs) else ()
    checkpoints = reader.table(_CHECKPOINTS, {}, doing="read of checkpoints").records()
    for checkpoint in checkpoints:
        checkpoint["tree_size"] = checkpoint.pop("signed_size")
        checkpoint["signed_at"] = checkpoint.pop("last_signed_at")
    unpriced = reader.table(UNPRICED, {}, doing="read of costs").rows[0][0]
    return Recorded(logs, {str(reason): int(n) for reason, n in reasons}, int(unpriced), checkpoints)


def _any_dead(logs: list[dict[str, Any]]) -> bool:
    """Return whether there are dead letters: their reasons are read from `events` itself, which is slower."""
    return any(log["dead_letters"] for log in logs)
