"""Detection beside a running worker: a thread that follows the usage topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from auditstream.core.beside import beside
from auditstream.core.errors import AuditStreamError, RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.settings import Settings
from auditstream.detection.detector import Detector
from auditstream.detection.known_detectors import watched_detectors
from auditstream.emit.finding_teller import FindingTeller
from auditstream.reference import known_stakes
from auditstream.reference.known_mutes import suppression_of
from schemas.framing import SchemaRef
from schemas.packaged import AvroSchema
from sinks.clients import ClientPool, http_client
from sinks.reference import ReferenceStore
from sinks.snapshot_cache import SnapshotCache
from streams.agents.detect import DetectAgent, DetectServices
from streams.detecting.delta import DeltaReader
from streams.detecting.partition import PartitionDetection
from streams.detecting.snapshots import SnapshotFolder
from streams.kafka_security import librdkafka_settings
from streams.recording.outlets import OwnSchemas
from streams.transport.epochs import topic_epochs

log = get_logger(__name__)

KINDS = ("mute", *known_stakes.KINDS)
"""Kinds of facts that detection looks at."""

_AGAIN_S = 5.0
_END_S = 15.0


class Schemas(OwnSchemas, Protocol):
    """Schemas of the registry; `schemas.schema_store.SchemaStore` is one."""

    def get(self, ref: SchemaRef) -> AvroSchema:
        """Return a schema; blocks. Raises `SchemaError` or `RegistryDownError`."""
        ...


Detectors = Callable[[], Sequence[Detector]]
"""Returns the detectors of one partition, without history."""


@contextmanager
def detecting(
    settings: Settings,
    metrics: Metrics,
    schemas: Schemas,
    newest: Callable[[], int],
    detectors: Detectors = watched_detectors,
) -> Iterator[None]:
    """Run detectors for the length of the block, when the settings say so.

    Workers of one app id share the partitions of the usage topic. What fails is logged and begun anew from
    the newest snapshots: detection never ends the worker that it runs beside.

    Args:
        settings: Where Kafka and the store are, and where snapshots go.
        metrics: Where it is counted.
        schemas: Schemas of the registry.
        newest: Gives the newest revision of the reference data, as the worker knows it already.
        detectors: The detectors.
    """
    if not settings.detection.watch:
        yield
        return

    def detect(stopping: Event) -> None:
        clients = ClientPool(lambda: http_client(settings.clickhouse))
        directory = SnapshotCache(ReferenceStore(clients), kinds=KINDS)
        with closing(clients), closing(FindingTeller(settings.kafka, clients, schemas)) as teller:
            services = DetectServices(
                new_detection=lambda: PartitionDetection(detectors()),
                reader=DeltaReader(schemas.get),
                tell=teller,
                metrics=metrics,
                snapshot_s=settings.detection.snapshot_s,
                suppression=lambda: suppression_of(directory.get(newest())),
                stated=lambda: known_stakes.stakes_of(directory.get(newest()), datetime.now(UTC)),
            )
            _detect_until(stopping, settings, services)

    with beside("detection", detect, end_s=_END_S):
        yield


def _detect_until(stopping: Event, settings: Settings, services: DetectServices) -> None:
    """Detect, and begin anew after a failure, until told to stop."""
    while not stopping.is_set():
        try:
            agent = _begun(settings, services)
            try:
                agent.run(stopping)
            except BaseException:
                agent.abandon()
                raise
            agent.close()
        except AuditStreamError as error:
            services.metrics.count("auditstream_detection_failures_total", reason=error.code)
            log.warning("detection_broken_off", code=error.code, reason=error.message, hint=error.hint)
        except Exception as error:  # a fault of ours must not end the worker, and must be seen
            services.metrics.count("auditstream_detection_failures_total", reason="bug")
            log.exception("detection_broken_off", error=repr(error)[:300])
        stopping.wait(_AGAIN_S)


def _begun(settings: Settings, services: DetectServices) -> DetectAgent:
    """Return an agent that has joined its group."""
    kafka = settings.kafka
    folder = settings.detection.folder or settings.data_dir / "detection"
    try:
        return DetectAgent(
            kafka,
            f"{settings.worker.app_id}-detection",
            services,
            SnapshotFolder(folder, kafka.usage_topic, _epoch(settings)),
            session_timeout_s=settings.worker.session_timeout_s,
        )
    except KafkaException as error:
        raise RetryableError(f"Kafka: {error}") from error


def _epoch(settings: Settings) -> str:
    """Return which incarnation of the usage topic this is."""
    topic = settings.kafka.usage_topic
    if settings.kafka.epoch:
        return settings.kafka.epoch
    return topic_epochs(AdminClient(librdkafka_settings(settings.kafka)), [topic])[topic]
