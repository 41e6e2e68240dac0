"""Where a value is recorded, for who sent it: a leaf of a log, found by tenant, event id and hash."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from auditstream.core.ports import Placed
from auditstream.query.events import earliest_day
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader


@dataclass(frozen=True, slots=True)
class RecordedValue:
    """A value as a leaf.

    Attributes:
        log_id: Log, as `topic/partition/epoch`.
        leaf_index: Index of the leaf.
        placed: Where Kafka had it.
    """

    log_id: str
    leaf_index: int
    placed: Placed


def recorded_value(reader: Reader, value_sha256: str, event_id: UUID, tenant: str) -> RecordedValue | None:
    """Return where a value of a tenant's event is recorded first, None where it is not.

    Args:
        reader: A store, of which only the view `receipts` is read.
        value_sha256: SHA-256 of the value, in hex.
        event_id: Id of the event.
        tenant: Who sent it.

    Raises:
        StoreSchemaError: The view is missing, or may not be read.
        RetryableError: No answer, or none in time.
    """
    conditions = Conditions()
    conditions.add_tenant(tenant)
    earliest = earliest_day(event_id)
    if earliest is not None:
        conditions.add(f"ingest_day >= {conditions.bind(earliest.date().isoformat(), 'Date')}")
    conditions.add(f"event_id = {conditions.bind(str(event_id), 'UUID')}")
    conditions.add(f"value_sha256 = unhex({conditions.bind(value_sha256, 'String')})")
    sql = f"""
SELECT log_id, leaf_index, kafka_topic, kafka_partition, kafka_offset FROM receipts
WHERE {conditions.sql}
ORDER BY log_id, leaf_index LIMIT 1"""  # noqa: S608  values are parameters
    for log_id, index, topic, partition, offset in reader.table(
        sql, conditions.parameters, doing="search for a recorded value"
    ).rows:
        return RecordedValue(str(log_id), int(index), Placed(str(topic), int(partition), int(offset)))
    return None
