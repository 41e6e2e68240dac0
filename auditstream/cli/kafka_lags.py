"""How far the record is behind Kafka, of the deployment that settings are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditstream.core.settings import Settings
    from auditstream.query.lag import PartitionLag


def kafka_lags(settings: Settings) -> list[PartitionLag]:
    """Return the lag of every partition that the workers read; raises as `query.lag.partition_lags`."""
    from auditstream.query.lag import partition_lags
    from streams.kafka_security import librdkafka_settings

    kafka = settings.kafka
    topics = (kafka.events_topic, *kafka.direct_topics)
    return partition_lags(librdkafka_settings(kafka), settings.worker.app_id, topics)
