"""Findings made known: acknowledged on their topic, then rows of their table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from auditstream.core.settings import Settings
from auditstream.emit.kafka_way import KafkaWay
from auditstream.emit.route_finder import find_route
from schemas.records.detection import Finding
from schemas.subjects import FINDINGS, Subject
from sinks.clients import ClientPool
from sinks.finding_rows import add_findings
from streams.kafka_security import librdkafka_settings
from streams.recording.outlets import Outlets

_WITHIN_S = 20.0


class _KnownSchema:
    """The registry's id of the one schema that is needed."""

    def __init__(self, schema_id: int) -> None:
        self._schema_id = schema_id

    def id_of(self, subject: Subject) -> int:
        return self._schema_id


def publish_findings(settings: Settings, clients: ClientPool, findings: Sequence[Finding]) -> None:
    """Return once the findings are acknowledged by Kafka, and in the table.

    Raises:
        RetryableError: They may not be; publishing them again is safe, ids and versions tell repeats.
    """
    topic = settings.kafka.findings_topic
    route = asyncio.run(find_route(settings.registry, topic, FINDINGS))
    outlets = Outlets(_KnownSchema(route.schema_id), dead_letters="", usage="", findings=topic)
    way = KafkaWay(librdkafka_settings(settings.kafka), timeout_s=_WITHIN_S)
    try:
        for each in findings:
            way.send(outlets.finding(each))
        way.finish()
    finally:
        way.abandon()
    with clients.borrow() as client:
        add_findings(client, findings)
