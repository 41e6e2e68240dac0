"""How much of a day Kafka may still hold: what waits behind a record of a later day is of later days, too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from auditstream.query.lag import PartitionLag
from auditstream.query.reader import Reader

CLOCKS_DIFFER_BY = timedelta(minutes=10)
"""A partition's records are in order of the clock of the broker that leads it; another may lead it later."""

# A gap's time is that at which it was found, which says nothing of the records behind it.
_NEWEST = """
SELECT kafka_topic, kafka_partition, max(kafka_timestamp) AS newest
FROM events
WHERE ingest_day >= {day:Date} AND leaf_kind != 2 AND has({topics:Array(String)}, kafka_topic)
GROUP BY kafka_topic, kafka_partition
HAVING newest >= {past:DateTime64(3, 'UTC')}"""


def waiting_of_day(reader: Reader, lags: Sequence[PartitionLag], day: date) -> int:
    """Return how many records that are not recorded yet may be of a day.

    Where traffic never rests, something always waits; a day is over all the same.

    Args:
        reader: The store.
        lags: How far the record is behind Kafka.
        day: The day (UTC, by the broker's clock).

    Raises:
        RetryableError: No answer.
    """
    waiting = [each for each in lags if each.lag]
    if not waiting:
        return 0
    past = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) + CLOCKS_DIFFER_BY
    parameters = {
        "day": day.isoformat(),
        "topics": sorted({each.topic for each in waiting}),
        "past": past.strftime("%Y-%m-%d %H:%M:%S.000"),
    }
    rows = reader.table(_NEWEST, parameters, doing="look for what is past a day").rows
    are_past = {(topic, partition) for topic, partition, _ in rows}
    return sum(each.lag for each in waiting if (each.topic, each.partition) not in are_past)
