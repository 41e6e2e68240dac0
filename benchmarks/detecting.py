"""The record path with everything of detection against the same without any of it.

With: usage deltas, rules about sequences, and the shipped rules, in the worker; and the detect agent, which
reads what the worker published, as a process of its own whose time is added. Without: none of these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from confluent_kafka import Consumer, TopicPartition

from auditstream.core.metrics import Metrics
from auditstream.core.ports import Headers
from auditstream.core.settings import Settings
from auditstream.detection.known_detectors import watched_detectors
from auditstream.detection.rules.packaged import shipped_rules
from auditstream.detection.rules.reading import read_rules
from auditstream.detection.rules.rule import RuleSet
from benchmarks.bed import PARTITIONS, Bed
from benchmarks.events import Size, values_until
from benchmarks.measured import Stopwatch
from schemas.framing import SchemaRef
from schemas.packaged import AvroSchema
from streams.agents.detect import DetectAgent, DetectServices
from streams.detecting.delta import Delta, DeltaReader
from streams.detecting.partition import PartitionDetection
from streams.detecting.snapshots import SnapshotFolder

PER_MINUTE = 120_000
"""Events of a minute: 2,000 a second, the rate at which latency is measured."""

_ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Detecting:
    """What detection takes of recording.

    Processor microseconds an event, and what they are of; of several rounds the medians.

    Attributes:
        events: Events recorded between the first and the last insert, with detection.
        without_us: The record path without detection.
        worker_us: The record path with all of it.
        agent_us: The detect agent, on what the worker published; once.
        cpu_ratio: Worker and agent with detection over the worker without, of each round.
    """

    events: int
    without_us: float
    worker_us: float
    agent_us: float
    cpu_ratio: float


def measure_detecting(bed: Bed, size: Size, events: int, *, rounds: int) -> Detecting:
    """Record the same events without and with detection in turn, several times."""
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    topic = bed.fill_with(f"{size}-detected", values_until(end, size, events, per_minute=PER_MINUTE), events)
    cases = ("record-undetected", "record-detected")
    found = bed.alternate(cases, topic, events, rounds=1)
    agent = bed.run("detect", topic, events)  # while the usage topic has each segment once
    found += bed.alternate(cases, topic, events, rounds=rounds - 1)
    return Detecting(
        events=found[0][1].events,
        without_us=median(without.cpu_us for without, _ in found),
        worker_us=median(worker.cpu_us for _, worker in found),
        agent_us=agent.cpu_us,
        cpu_ratio=median((worker.cpu_us + agent.cpu_us) / without.cpu_us for without, worker in found),
    )


def all_rules() -> RuleSet:
    """Return the shipped rules."""
    rules, faults = read_rules(shipped_rules())
    assert not faults, faults
    return rules


def detect_to_the_end(settings: Settings, schema_of: Callable[[SchemaRef], AvroSchema], events: int) -> None:
    """Run the detect agent over the whole usage topic, and end the process with its figures.

    Args:
        settings: Where Kafka is, and where snapshots go.
        schema_of: Gives a registered schema.
        events: How many events the topic tells of.
    """
    watch = Stopwatch(events)
    reader = _Counted(schema_of, watch)
    services = DetectServices(
        new_detection=lambda: PartitionDetection(watched_detectors()),
        reader=reader,
        tell=len,
        metrics=Metrics(),
        snapshot_s=settings.detection.snapshot_s,
    )
    topic = settings.kafka.usage_topic
    agent = DetectAgent(
        settings.kafka,
        f"{settings.worker.app_id}-detection",
        services,
        SnapshotFolder(settings.data_dir / "detection", topic, "0"),
        session_timeout_s=settings.worker.session_timeout_s,
    )
    messages = _messages(settings, topic)
    while reader.messages < messages:
        agent.step()
    watch.saw(events)


class _Counted(DeltaReader):
    """Counts messages; the watch starts with the first."""

    def __init__(self, schema_of: Callable[[SchemaRef], AvroSchema], watch: Stopwatch) -> None:
        super().__init__(schema_of)
        self.messages = 0
        self._watch = watch

    def read(self, value: bytes | None, headers: Headers | None, written_ms: int) -> Delta:
        if not self.messages:
            self._watch.saw(0)
        self.messages += 1
        return super().read(value, headers, written_ms)


def _messages(settings: Settings, topic: str) -> int:
    """Return how many messages the topic has."""
    looker = Consumer({"bootstrap.servers": settings.kafka.brokers, "group.id": "looker"})
    try:
        ends = [
            looker.get_watermark_offsets(TopicPartition(topic, number), timeout=_ANSWER_S)
            for number in range(PARTITIONS)
        ]
        return sum(high - low for low, high in ends)
    finally:
        looker.close()
