"""Findings of detectors made known once: on their topic, then in their table."""

from __future__ import annotations

from collections.abc import Sequence

from auditstream.core.logs import get_logger
from auditstream.core.settings import KafkaSettings
from auditstream.emit.kafka_way import KafkaWay
from schemas.records.detection import Finding
from sinks.clients import ClientPool
from sinks.finding_rows import add_findings, unknown_findings
from streams.kafka_security import librdkafka_settings
from streams.recording.outlets import Outlets, OwnSchemas

log = get_logger(__name__)

_WITHIN_S = 20.0
_LINGER_MS = 1  # somebody waits for it
_MOST_AT_ONCE = 1_000


class FindingTeller:
    """Tells findings that nobody knows yet; connects when there is something to tell. For one thread.

    The table is asked first, by id and version: after a restart detectors find again what they found before.

    Args:
        kafka: Where the topic is.
        clients: Clients of the store.
        schemas: Registry ids of our schemas.
    """

    def __init__(self, kafka: KafkaSettings, clients: ClientPool, schemas: OwnSchemas) -> None:
        self._kafka = kafka
        self._clients = clients
        self._outlets = Outlets(schemas, dead_letters="", usage="", findings=kafka.findings_topic)
        self._way: KafkaWay | None = None

    def __call__(self, findings: Sequence[Finding]) -> None:
        """Return once all of them are acknowledged by Kafka, and in the table.

        Raises:
            RetryableError: They may not be; telling them again is safe.
        """
        for begin in range(0, len(findings), _MOST_AT_ONCE):
            self._tell(findings[begin : begin + _MOST_AT_ONCE])

    def close(self) -> None:
        """Give up what is still waiting: it is told again."""
        way, self._way = self._way, None
        if way is not None:
            way.abandon()

    def _tell(self, findings: Sequence[Finding]) -> None:
        with self._clients.borrow() as client:
            news = unknown_findings(client, findings)
        if not news:
            return
        if self._way is None:
            self._way = KafkaWay(librdkafka_settings(self._kafka), timeout_s=_WITHIN_S, linger_ms=_LINGER_MS)
        try:
            for each in news:
                self._way.send(self._outlets.finding(each))
            self._way.finish()
        except BaseException:
            self.close()
            raise
        with self._clients.borrow() as client:
            add_findings(client, news)
        for each in news:
            log.info(
                "finding_told",
                rule=each.rule_id,
                scope=each.scope,
                version=each.version,
                finding=each.finding_id,
            )
